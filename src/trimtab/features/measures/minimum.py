"""The smallest; null without any."""

from __future__ import annotations

import numpy as np

from trimtab.features.measures.measure import Measure
from trimtab.features.windows import Members
from trimtab.features.windows.events import Floats

_NONE = np.float64(-np.inf)


def _minimum(members: Members) -> Floats:
    covering = members.covering
    best = covering.largest(-members.events.value[covering.event], _NONE)
    return np.where(best == _NONE, np.nan, 0.0 - best)  # 0.0 - 0.0 is 0.0, -(0.0) is -0.0


MINIMUM = Measure(_minimum)
