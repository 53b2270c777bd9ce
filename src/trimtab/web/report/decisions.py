"""The table of decisions, newest last, with what the filter needs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import get_args

from trimtab.house.chronicle import Chronicle
from trimtab.kernel.happening import Stage
from trimtab.web.report.charts.marks import SIGNS
from trimtab.web.report.wording import minute


@dataclass(frozen=True)
class DecisionShown:
    """One row."""

    at: str
    stage: str
    sign: str
    class_: str
    text: str
    actor: str
    seq: int


def shown_decisions(one: Chronicle) -> list[DecisionShown]:
    """In the order of the ledger."""
    return [
        DecisionShown(
            minute(each.at, one.zone),
            each.told.stage,
            SIGNS[each.told.mark],
            each.told.mark,
            each.told.text,
            each.actor,
            each.seq,
        )
        for each in sorted(one.decisions, key=lambda decision: decision.seq)
    ]


def stages(one: Chronicle) -> list[tuple[str, int]]:
    """Those in which something was decided, in the order of the loop, with how often."""
    counted = Counter(each.told.stage for each in one.decisions)
    return [(stage, counted[stage]) for stage in get_args(Stage) if counted[stage]]
