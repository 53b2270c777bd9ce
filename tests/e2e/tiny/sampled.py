"""The small system, of whose predictions a share is kept, and not for ever."""

from __future__ import annotations

from dataclasses import replace

import system

import trimtab as tt

tiny = replace(system.tiny, log=tt.retention(keep="40d", sample=0.4), retrain=[])
