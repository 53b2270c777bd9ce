"""A rollout: one release on its way from a share of the traffic to all of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from trimtab.kernel.audience import Audience, audience_from
from trimtab.kernel.canonical import Json, JsonMap
from trimtab.kernel.route import BUCKETS

KIND = "rollout"
FINEST = 0.02  # per cent: half of it is one bucket
_ONE_IN_A_HUNDRED = 2.3263  # standard normal deviations


@dataclass(frozen=True)
class Rollout:
    """What was set when it began. How far it is follows from the route in force."""

    system: str
    number: int  # of this system, from 1
    release: str  # digest of the challenger
    replaces: str  # digest of the champion
    began_us: int
    ceilings: tuple[float, ...]  # per cent of its audience that the challenger answers at most, growing
    steps: tuple[int, ...]  # the buckets that are drawn for each of them
    hold_us: int  # how long each step lasts at least
    horizon_us: int  # after the beginning; then it is decided
    metric: str  # in which harm is measured, day by day
    margin: float  # of harm that is acceptable, in the metric's unit
    confidence: float
    settle_us: int  # after its end, a day's labels have arrived
    zone: str  # of the days
    audience: Audience | None = None  # whose rows it answers, and is compared on, until it is decided; None: all

    @property
    def id(self) -> str:
        """Names it, and draws its keys: it must not depend on the machine, as a digest may."""
        return f"{self.system}/{self.number:05d}"

    def next_step(self, buckets: int) -> int:
        """The step after the one with `buckets`; 0 after the last."""
        return next((one for one in self.steps if one > buckets), 0)

    def ceiling(self, buckets: int) -> str:
        """The step with `buckets` in words."""
        return f"{dict(zip(self.steps, self.ceilings, strict=True))[buckets]:g} %"

    def body(self) -> dict[str, Json]:
        """As stored."""
        body = {**self.__dict__, "ceilings": list(self.ceilings), "steps": list(self.steps)}
        del body["audience"]
        return body if self.audience is None else {**body, "audience": self.audience.body()}


def rollout_from(body: JsonMap) -> Rollout:
    """Read back what `Rollout.body` wrote."""
    tuples = {name: tuple(cast("list[float]", body[name])) for name in ("ceilings", "steps")}
    audience = body.get("audience")
    narrow = None if audience is None else audience_from(cast("JsonMap", audience))
    return Rollout(**{**body, **tuples, "audience": narrow})  # type: ignore[arg-type]


def drawn(ceiling: float, traffic: int) -> int:
    """How many buckets to draw so that the share of `traffic` requests is above the ceiling one time in a hundred.

    Keys fall into buckets by chance: of 900 requests, 5 % of the buckets get up to 6.7 %. Half the ceiling is drawn
    at least, which is above the ceiling more often where fewer than twenty requests make the ceiling; all of the
    traffic is exact.

    >>> drawn(5, 900), drawn(5, 1_000_000), drawn(100, 900)
    (330, 494, 10000)
    """
    share = ceiling / 100
    if share == 1:
        return BUCKETS
    widest = min(share, 0.5)  # of the shares up to this one, the one whose draws vary most
    slack = _ONE_IN_A_HUNDRED * math.sqrt(widest * (1 - widest) / max(traffic, 1))
    return math.floor(BUCKETS * max(share - slack, share / 2))
