"""The chronicle: what a system went through, as data for a report."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from trimtab.kernel.happening import Happening

RolloutEnd: TypeAlias = Literal["promoted", "rolled back", "refused", "running"]


@dataclass(frozen=True)
class Measured:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Month:
    """One calendar month in production. `managed` is what users were answered, `frozen` the first release."""

    month: str  # "2013-04"
    predictions: int
    labels: int
    managed_auc: Measured
    frozen_auc: Measured
    managed_log_loss: Measured  # nats
    frozen_log_loss: Measured
    managed_loss: Measured | None  # paired log-loss gap to the month's refit, on the same rows; None: none yet
    frozen_loss: Measured | None
    drift: dict[str, float] = field(default_factory=dict)  # feature → population stability index against training


@dataclass(frozen=True)
class RolloutDay:
    """What was known of a rollout at one of its looks."""

    at: datetime
    share: float  # of traffic, or of the rollout's segment, that the challenger answers, 0 to 1
    harm: Measured | None  # paired harm in the rollout's metric, anytime-valid interval; None: not enough days yet


@dataclass(frozen=True)
class Rollout:
    """One release on its way to users."""

    release: str  # digest
    replaces: str  # digest of the champion
    began: datetime
    ended: datetime | None
    end: RolloutEnd
    because: str
    days: tuple[RolloutDay, ...]
    answers: int  # given by the challenger while it was a canary
    margin: float | None = None  # harm that the policy allows; None: nothing was measured against
    metric: str = "log_loss"  # in which harm is measured
    segment: str = ""  # of the traffic, in words, that it was tried and compared on; "": all of it


@dataclass(frozen=True)
class Alarm:
    """Something that somebody must know of."""

    at: datetime
    subject: str  # e.g. "source weather", "release 5b2ddebc3398"
    text: str
    over: datetime | None  # when it was over


@dataclass(frozen=True)
class Decision:
    """One line of the ledger that moved something, or refused to."""

    at: datetime
    actor: str
    seq: int  # of the ledger entry
    told: Happening


@dataclass(frozen=True)
class Chronicle:
    """A system's life in production so far."""

    system: str
    zone: str
    began: datetime
    until: datetime
    months: tuple[Month, ...]
    rollouts: tuple[Rollout, ...]
    alarms: tuple[Alarm, ...]
    decisions: tuple[Decision, ...]
