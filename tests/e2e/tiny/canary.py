"""The small system with a canary in place of blue-green."""

from __future__ import annotations

from dataclasses import replace

import system

import trimtab as tt

tiny = replace(
    system.tiny,
    # Few orders a day, and few days: what matters is that it is decided, and how often it is killed on the way.
    rollout=tt.canary([40, 80], hold="12h", horizon="4d", margin=0.5, settle="6h", metric="log_loss"),
)
