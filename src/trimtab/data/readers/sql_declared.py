"""A declared table or query of a database."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_PASSWORD = re.compile(r"(://[^:/@]*:).*@")


@dataclass(frozen=True)
class Sql:
    """What is declared; made by `trimtab.sql`."""

    url: str
    table: str
    query: str
    types: tuple[tuple[str, str], ...]
    place: str = field(compare=False)

    def __repr__(self) -> str:
        what = f"table={self.table!r}" if self.table else f"query={self.query!r}"
        return f"sql({without_password(self.url)!r}, {what})"


def without_password(url: str) -> str:
    """A URL that may be shown.

    >>> without_password("postgresql://user:secret@host/shop")
    'postgresql://user:***@host/shop'
    """
    return _PASSWORD.sub(r"\1***@", url)
