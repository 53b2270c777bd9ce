"""How many different values there are; 0 without any."""

from __future__ import annotations

import numpy as np

from trimtab.features.measures.measure import Measure
from trimtab.features.windows import Members
from trimtab.features.windows.events import Floats


def _distinct(members: Members) -> Floats:
    covering = members.covering
    _, value = np.unique(members.events.value[covering.event], return_inverse=True)
    return covering.distinct(value.astype(np.int64)).astype(np.float64)


DISTINCT = Measure(_distinct, text=True)
