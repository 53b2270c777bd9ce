"""Explain: evidence in words."""

from __future__ import annotations

from trimtab.kernel.canonical import short
from trimtab.kernel.evidence import Evidence
from trimtab.kernel.happening import Happening
from trimtab.kernel.moment import from_us


def told_of(one: Evidence) -> Happening:
    """What was measured, of which month, and of whom."""
    # A period begins with its month where its people live: half a day later it has begun everywhere.
    when = from_us(one.since_us + _HALF_A_DAY_US).strftime("%B %Y")
    whose = f"release {short(one.release)}" if one.release else "what users were answered"
    told = f"{one.metric} of {when}: {one.value:.4f} ({one.low:.4f} to {one.high:.4f}), {whose}"
    return Happening("monitoring", told)


_HALF_A_DAY_US = 43_200_000_000
