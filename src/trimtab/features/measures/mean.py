"""Their arithmetic mean; null without any."""

from __future__ import annotations

import numpy as np

from trimtab.features.measures.measure import Measure
from trimtab.features.windows import Members
from trimtab.features.windows.events import Floats


def _mean(members: Members) -> Floats:
    return np.where(members.count > 0, members.total / np.maximum(members.count, 1), np.nan)


MEAN = Measure(_mean)
