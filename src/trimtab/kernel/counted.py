"""A number with its noun."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """In the singular for one, with commas for thousands.

    >>> counted(1, "row"), counted(1953, "row"), counted(2, "entry")
    ('1 row', '1,953 rows', '2 entries')
    """
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun[:-1]}ies" if noun.endswith("ry") else f"{number:,} {noun}s"
