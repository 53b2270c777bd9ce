"""Their sum; 0 without any."""

from __future__ import annotations

from trimtab.features.measures.measure import Measure
from trimtab.features.windows import Members
from trimtab.features.windows.events import Floats


def _sum(members: Members) -> Floats:
    return members.total


SUM = Measure(_sum)
