"""How evidence is worded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from trimtab.kernel.ledger_entry import LedgerEntry

NOTHING_DEPLOYED = "nothing is deployed yet"
NO_ANSWERS = "no answer is in the table yet"
NO_TRUTH = "no answer's truth is known yet"
_LONGEST = 110


def share(part: int, whole: int) -> str:
    """A part of a whole in per cent; what is not all is never rounded to all, nor something to nothing.

    >>> share(1, 4), share(0, 4), share(9999, 10000), share(1, 100000)
    ('25 %', '0 %', '99.99 %', '0.001 %')
    """
    percent, places = 100 * part / whole, 0
    while 0 < part < whole and float(f"{percent:.{places}f}") in (0.0, 100.0):
        places += 1
    return f"{percent:.{places}f} %"


def minute(moment: datetime) -> str:
    """An instant in UTC, to the minute."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def span(length: timedelta) -> str:
    """A length of time as people say it.

    >>> span(timedelta(seconds=90)), span(timedelta(hours=5, minutes=24)), span(timedelta(days=62))
    ('2 min', '5.4 h', '62 days')
    """
    hours = length / timedelta(hours=1)
    if hours < 2:
        return f"{hours * 60:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} days"


def brief(text: object) -> str:
    """The first line of a text, cut where it gets long.

    >>> brief("one line\\nanother")
    'one line'
    """
    line = str(text).strip().partition("\n")[0]
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1].rstrip()}…"


def because(entry: LedgerEntry) -> str:
    """Why something was done, as its ledger entry says it."""
    return brief(entry.body.get("because") or entry.body.get("reason") or f"see ledger entry {entry.seq}")
