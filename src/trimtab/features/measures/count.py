"""How many values there are; 0 without any."""

from __future__ import annotations

import numpy as np

from trimtab.features.measures.measure import Measure
from trimtab.features.windows import Members
from trimtab.features.windows.events import Floats


def _count(members: Members) -> Floats:
    return members.count.astype(np.float64)


COUNT = Measure(_count, text=True)
