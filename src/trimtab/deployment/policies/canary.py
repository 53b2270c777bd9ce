"""Canary: a new release answers a growing share, compared with the champion on every row, until it is decided."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from zoneinfo import available_timezones

from trimtab.deployment.actions import Plan, Refuse, StepRollout
from trimtab.deployment.decide import decide_deploy, held_by_gates, move_champion, passed, wait_for_canary
from trimtab.deployment.rollout import FINEST, Rollout, drawn
from trimtab.deployment.segment import Segment
from trimtab.kernel.audience import Audience
from trimtab.kernel.errors import InvalidValue, TrimtabError, UnknownName
from trimtab.kernel.moment import duration, duration_us
from trimtab.kernel.place import caller
from trimtab.kernel.release import Release
from trimtab.kernel.route import Canary, Route
from trimtab.kernel.verdict import Outcome
from trimtab.stats.metrics import METRICS


@dataclass(frozen=True)
class CanaryPolicy:
    """A rollout policy of several steps."""

    steps: tuple[float, ...]
    hold: str
    horizon: str
    metric: str
    margin: float
    confidence: float
    settle: str
    zone: str
    place: str = ""
    segment: Segment | None = None

    @property
    def name(self) -> str:
        """With its settings."""
        steps = ", ".join(f"{one:g} %" for one in self.steps)
        if self.audience is not None:
            steps += f" of {self.audience.words}"
        return f"canary({steps}; {self.metric}, margin={self.margin:g}, horizon={self.horizon})"

    # A challenger that the held-out days could not tell from the champion is compared with it on real traffic.
    admits = (Outcome.PASS, Outcome.INCONCLUSIVE)

    @property
    def audience(self) -> Audience | None:
        """Of the segment."""
        return self.segment.audience if isinstance(self.segment, Segment) else None

    def problems(self, fields: Mapping[str, str]) -> Iterator[TrimtabError]:
        """What is wrong with its settings, and with its segment where requests have these fields."""
        for name in ("hold", "horizon", "settle"):
            try:
                duration(getattr(self, name), name)
            except TrimtabError as error:
                yield error.at(self.place)
        if not self._grows():
            allowed = f"at least one percentage, growing, from {FINEST:g} to 100"
            yield InvalidValue("steps", self.steps, allowed=allowed, where=self.place)
        if not 0 <= self.margin < math.inf:
            yield InvalidValue("margin", self.margin, allowed="0 or more", where=self.place)
        if self.metric not in METRICS:
            yield UnknownName("metric", self.metric, METRICS, where=self.place)
        if not 0 < self.confidence < 1:
            yield InvalidValue("confidence", self.confidence, allowed="between 0 and 1", where=self.place)
        if self.zone not in available_timezones():
            allowed = "an IANA time zone, e.g. America/New_York"
            yield InvalidValue("zone", self.zone, allowed=allowed, where=self.place)
        if isinstance(self.segment, Segment):
            yield from self.segment.problems(fields)
        elif self.segment is not None:
            allowed = 'tt.segment(field, values), e.g. tt.segment("carrier", ["UA", "AA"])'
            yield InvalidValue("segment", self.segment, allowed=allowed, where=self.place)

    def _grows(self) -> bool:
        steps = self.steps
        if not steps or not all(isinstance(one, int | float) for one in steps):
            return False
        growing = all(before < after for before, after in pairwise((*steps, math.inf)))
        return growing and steps[0] >= FINEST and steps[-1] <= 100

    def decide(
        self,
        release: Release,
        route: Route | None,
        *,
        number: int,
        at_us: int,
        traffic: int = 0,
        override: str = "",
    ) -> Plan:
        """The plan for a new release: the first one answers at once, any other begins as a canary."""
        digest = release.digest
        if route is None or route.champion == digest:
            return decide_deploy(release, route, override)
        if route.canary is not None:
            return wait_for_canary(release, route.canary)
        held = held_by_gates(release, self.admits)
        if held and not override:
            return [Refuse(release.system, digest, held)]
        rollout = self._rollout(release, route, number, at_us, traffic)
        canary = Canary(digest, rollout.steps[0], rollout.id, rollout.audience)
        move = move_champion(release.system, route.champion, route, passed(release, override), canary)
        return [StepRollout(rollout.id, "started", digest, move, rollout.ceiling(rollout.steps[0]), rollout.body())]

    def _rollout(self, release: Release, route: Route, number: int, at_us: int, traffic: int) -> Rollout:
        return Rollout(
            system=release.system,
            number=number,
            release=release.digest,
            replaces=route.champion,
            began_us=at_us,
            ceilings=self.steps,
            steps=tuple(drawn(one, traffic) for one in self.steps),
            hold_us=duration_us(duration(self.hold, "hold")),
            horizon_us=duration_us(duration(self.horizon, "horizon")),
            metric=self.metric,
            margin=self.margin,
            confidence=self.confidence,
            settle_us=duration_us(duration(self.settle, "settle")),
            zone=self.zone,
            audience=self.audience,
        )


def canary(
    steps: Sequence[float] = (5, 25, 50),
    *,
    hold: str = "1d",
    horizon: str = "14d",
    metric: str = "log_loss",
    margin: float = 0.005,
    confidence: float = 0.95,
    settle: str = "12h",
    zone: str = "UTC",
    segment: Segment | None = None,
) -> CanaryPolicy:
    """Let a new release answer a growing share of the traffic, and decide on paired evidence.

    Both releases score every row, one answers it. Harm is the mean daily difference in the metric, with an interval
    that holds at every look (`stats.mixture_t`).

    With a segment it answers, scores and is compared on rows of the segment only, until it is decided; the champion
    answers all others. A promotion gives it all of the traffic, although the evidence is of the segment alone.

    Args:
        steps: percentages of the traffic, or of the segment, that it answers at most.
        hold: how long each step lasts at least.
        horizon: when it is decided at the latest: promoted if any harm is below the margin, else rolled back.
        metric: "roc_auc" or "log_loss". A loss also counts calibration, which a stormy day moves.
        margin: the largest harm that is acceptable, in the metric's unit.
        confidence: of the interval.
        settle: how long after its end a day's labels have arrived.
        zone: time zone of the days, e.g. "America/New_York".
        segment: of the traffic, e.g. tt.segment("carrier", ["UA", "AA"]); all of it if there is none.
    """
    settings = (hold, horizon, metric, margin, confidence, settle, zone)
    return CanaryPolicy(tuple(steps), *settings, caller(), segment)
