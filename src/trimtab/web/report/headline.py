"""The headline: one sentence of what happened, and the figures that a person asks for first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal, TypeAlias

from trimtab.house.chronicle import Chronicle, Measured, RolloutEnd
from trimtab.web.report.figures import Figures
from trimtab.web.report.wording import UNKNOWN, count, number, some, word

State: TypeAlias = Literal["good", "bad", "plain"]


@dataclass(frozen=True)
class Big:
    """One figure: its name, the number, what it means, and whether a promise was kept."""

    name: str
    value: str
    means: str
    state: State = "plain"


def mean(values: Sequence[Measured]) -> float:
    """The plain mean of all months that are known; not a number if none is."""
    return fmean(known) if (known := [one.value for one in values if math.isfinite(one.value)]) else math.nan


def auc_means(one: Chronicle) -> tuple[float, float]:
    """Managed and frozen."""
    return mean([each.managed_auc for each in one.months]), mean([each.frozen_auc for each in one.months])


def sentence(one: Chronicle, found: Figures) -> str:
    """What happened."""
    said = [_answered(one, found), _quality(one), _ends(one)]
    return " ".join(part for part in said if part)


def _answered(one: Chronicle, found: Figures) -> str:
    asked, distinct = found.count("predictions"), found.count("predictions_distinct")
    if asked is None:
        return ""
    once = ", each exactly once" if distinct in (None, asked) else f", {distinct:,} of them different"
    answered = found.count("predictions_answered") or asked
    if answered > asked:  # the log's policy keeps a share, or some time, of them
        once = f"; {asked:,} of the answers are kept, and all below is told of these"
        asked = answered
    return f"In {some(len(one.months), 'month')}, {one.system} answered {asked:,} questions{once}."


def _quality(one: Chronicle) -> str:
    managed, frozen = auc_means(one)
    if math.isnan(managed):
        return "No truth has arrived yet, so nothing can be said about quality."
    if math.isnan(frozen) or not any(each.end == "promoted" for each in one.rollouts):
        return f"It had a mean AUC of {managed:.4f}."
    if managed > frozen:
        return f"It kept a mean AUC of {managed:.4f}; its first release, left alone, would have had {frozen:.4f}."
    return (
        f"It had a mean AUC of {managed:.4f}; its first release, left alone, would have had {frozen:.4f}: no gain."
    )


def _ends(one: Chronicle) -> str:
    if not one.rollouts:
        return "No release has been rolled out since the first."
    ends: tuple[RolloutEnd, ...] = ("promoted", "refused", "rolled back", "running")
    counted = [(end, sum(each.end == end for each in one.rollouts)) for end in ends]
    if len(one.rollouts) == 1:
        return f"Its only rollout {_past(one.rollouts[0].end, 1)}."
    told = [f"{word(many)} {_past(end, many)}" for end, many in counted if many]
    listed = told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
    return f"Of {some(len(one.rollouts), 'rollout')}, {listed}."


def _past(end: RolloutEnd, many: int) -> str:
    verb = "was" if many == 1 else "were"
    return ("is" if many == 1 else "are") + " still running" if end == "running" else f"{verb} {end}"


def bigs(one: Chronicle, found: Figures) -> list[Big]:
    """The figures, most asked for first."""
    return [_auc(one), _predictions(found), _mismatches(found), _moves(one, found), _ledger(found)]


def _auc(one: Chronicle) -> Big:
    managed, frozen = auc_means(one)
    if math.isnan(managed):
        return Big("mean AUC", UNKNOWN, "no labels yet")
    means = f"frozen {number(frozen)}, {number(managed - frozen, signed=True)}"
    return Big("managed mean AUC", number(managed), means)


def _predictions(found: Figures) -> Big:
    asked, distinct = found.count("predictions"), found.count("predictions_distinct")
    if asked is None:
        return Big("predictions", UNKNOWN, "not counted")
    if distinct is not None and distinct != asked:
        return Big("predictions", count(asked), f"only {count(distinct)} different questions", "bad")
    answered = found.count("predictions_answered") or asked
    if answered > asked:
        return Big("predictions", count(asked), f"kept of {count(answered)} that were answered", "good")
    return Big("predictions", count(asked), "one recorded answer each", "good")


def _mismatches(found: Figures) -> Big:
    wrong, bad = found.count("online_offline_mismatches"), found.group("bad_release")
    exposed = bad.count("exposed") if bad else None
    if wrong is None:
        return Big("mismatches", UNKNOWN, "not recomputed")
    if wrong == 0:
        return Big("mismatches", "0", "features online = offline", "good")
    if wrong == exposed:
        return Big("mismatches", count(wrong), "all in the bad release, none in a healthy one", "good")
    return Big("mismatches", count(wrong), "features online ≠ offline", "bad")


def _moves(one: Chronicle, found: Figures) -> Big:
    def counted(name: str, end: RolloutEnd) -> str:
        given = found.count(name)
        return count(sum(each.end == end for each in one.rollouts) if given is None else given)

    refused, back = counted("refusals", "refused"), counted("rollbacks", "rolled back")
    return Big("promotions", counted("promotions", "promoted"), f"{refused} refused, {back} rolled back")


def _ledger(found: Figures) -> Big:
    entries, whole = found.count("ledger_entries"), found.truth("ledger_verified")
    if entries is None:
        return Big("ledger entries", UNKNOWN, "not read")
    if whole is None:
        return Big("ledger entries", count(entries), "not verified here")
    return Big(
        "ledger entries",
        count(entries),
        "one chain, verified" if whole else "NOT whole",
        "good" if whole else "bad",
    )
