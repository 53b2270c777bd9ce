"""The newest: by event time, then by known time, then by arrival; null without any."""

from __future__ import annotations

import numpy as np

from trimtab.features.measures.measure import Measure
from trimtab.features.windows import Members
from trimtab.features.windows.events import Floats


def _last(members: Members) -> Floats:
    covering, events = members.covering, members.events
    order = np.lexsort((events.known_us, events.event_us))  # stable: arrival breaks ties
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    best = covering.largest(rank[covering.event], np.int64(-1))
    newest = np.append(events.value[order], np.nan)  # its last place is that of no event
    return newest[best]


LAST = Measure(_last, text=True, own=True)
