"""A declared table or query of a database."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from trimtab.data.readers.shown import HIDDEN

_VARIABLE = re.compile(r"%24%7B(\w+)%7D")
_HARMLESS = re.compile(r"[\w ./${}-]*")


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
        return f"sql({shown_url(self.url)!r}, {what})"


def shown_url(url: str | URL) -> str:
    """A URL that may be shown: without password and options.

    >>> shown_url("postgresql://user:secret@host/shop?sslpassword=secret")
    'postgresql://user:***@host/shop'
    """
    try:
        made = make_url(url)
    except (ArgumentError, ValueError):
        made = None
    if made is not None and "@" not in (made.host or ""):
        return _VARIABLE.sub(r"${\1}", made.set(query={}).render_as_string(hide_password=True))
    text = str(url)
    if _HARMLESS.fullmatch(text):
        return text
    scheme, mark, _ = text.partition("://")
    return f"{scheme}://{HIDDEN}" if mark and scheme.replace("+", "").isalnum() else HIDDEN
