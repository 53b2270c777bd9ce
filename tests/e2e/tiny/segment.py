"""The small system with a canary for two of its four shops."""

from __future__ import annotations

from dataclasses import replace

import system

import trimtab as tt

tiny = replace(
    system.tiny,
    rollout=tt.canary(
        [40, 100],
        segment=tt.segment("shop", ["ams", "cph"]),
        hold="12h",
        horizon="4d",
        margin=0.5,
        settle="6h",
        metric="log_loss",
    ),
)
