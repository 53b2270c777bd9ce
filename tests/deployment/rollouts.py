"""A rollout of release B against champion A, and what may be seen of it."""

from __future__ import annotations

import math
from typing import Any

from tests.stores import START, Stores, release

from trimtab.deployment.act import Act
from trimtab.deployment.rollout import Rollout
from trimtab.kernel.comparison import Comparison
from trimtab.kernel.moment import to_us
from trimtab.kernel.route import Canary, Route
from trimtab.ports.route_board import RouteBoard

SYSTEM = "flight-delay"
DAY_US = 86_400_000_000
BEGAN_US = to_us(START)
A, B, C, D = (release(name) for name in "ABCD")


def carrying_out(stores: Stores, board: RouteBoard, system: str = SYSTEM) -> Act:
    """What carries plans out, on the real stores."""
    return Act(system, journal=stores.journal, reader=stores.reader, outbox=stores.outbox, board=board)


def begun(**changed: Any) -> Rollout:
    """Three steps of a day, decided after fourteen."""
    settings: dict[str, Any] = {
        "system": SYSTEM,
        "number": 1,
        "release": B.digest,
        "replaces": A.digest,
        "began_us": BEGAN_US,
        "ceilings": (5.0, 25.0, 50.0),
        "steps": (330, 2164, 4612),
        "hold_us": DAY_US,
        "horizon_us": 14 * DAY_US,
        "metric": "log_loss",
        "margin": 0.005,
        "confidence": 0.95,
        "settle_us": DAY_US // 2,
        "zone": "UTC",
    }
    return Rollout(**{**settings, **changed})


def seen(after_days: float, **changed: Any) -> Comparison:
    """A look some days after the beginning: nothing is known yet, unless it is given."""
    settings: dict[str, Any] = {
        "rollout": f"{SYSTEM}/00001",
        "at_us": BEGAN_US + int(after_days * DAY_US),
        "days": int(after_days),
        "metric": "log_loss",
        "harm": 0.0 if after_days >= 1 else math.nan,
        "low": -math.inf,
        "high": math.inf,
        "upper": math.inf,
        "confidence": 0.95,
        "rows": 900,
        "answers": 45,
        "checked": 45,
        "mismatched": 0,
        "example": "",
        "unscored": 0,
    }
    return Comparison(**{**settings, **changed})


def under_way(buckets: int = 330, *, shadows: tuple[str, ...] = ()) -> Route:
    """The route with the canary at one of the steps; C answered before A."""
    return Route(SYSTEM, A.digest, (C.digest,), 5, Canary(B.digest, buckets, f"{SYSTEM}/00001"), shadows)
