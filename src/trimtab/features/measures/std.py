"""Their sample standard deviation, n - 1 in the divisor; null below two values."""

from __future__ import annotations

from trimtab.features.measures.measure import Measure
from trimtab.features.windows import Members
from trimtab.features.windows.events import Floats
from trimtab.stats.exact_square import deviation


def _std(members: Members) -> Floats:
    return deviation(members.count, members.sums, members.squares)


STD = Measure(_std)
