"""The head of the ledger: the newest entry's number and hash. Whoever keeps one can tell whether it still holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from trimtab.kernel.errors import InvalidValue
from trimtab.kernel.moment import aware

_WRITTEN = re.compile(r"(\d{1,18})[ :]([0-9a-f]{64})( \S+)?")


@dataclass(frozen=True)
class Head:
    """Vouches for entry `seq` and, because entries are chained, for all before it.

    >>> str(Head(7, "ab" * 32))[:10]
    '7:abababab'
    """

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"

    def line(self, at: datetime) -> str:
        """As saved outside of the database: `seq hash at`, without the line's end."""
        return f"{self.seq} {self.hash} {aware(at).isoformat()}"


def parse_head(text: str) -> Head:
    """Read a saved line (`seq hash at`), or what a person typed (`seq:hash`).

    Raises:
        InvalidValue: neither of the two.
    """
    written = _WRITTEN.fullmatch(text.strip().lower())
    if written is None:
        raise InvalidValue(
            "head of the ledger", text, allowed="an entry's number and its hash, as in 7:<64 hex digits>"
        )
    return Head(int(written[1]), written[2])
