"""What a message may show of an address: not who asks, and not what lets them in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, quote, quote_plus, unquote

HIDDEN = "***"
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)([^\s'\"<>`]*[^\s'\"<>`.,:;)\]])")  # the sentence goes on
_WHOLE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)(.*)", re.DOTALL)
_SHORTEST = 4  # of an address's option, for it to be looked for in a text


def shown(text: str, *, of: object = None) -> str:
    """A text whose addresses have neither user, password nor query.

    Args:
        text: what a library says.
        of: the address that was asked for, if it was one: its password and query are hidden without it, too.

    >>> shown("no route to https://me:pw@host/a.csv?sig=x, or it is slow")
    'no route to https://***@host/a.csv?***, or it is slow'
    """
    if isinstance(of, str) and "://" in of:
        text = hide(text.replace(of, shown_address(of)), _secrets(of))
    return _ADDRESS.sub(_without, text)


def shown_address(address: str) -> str:
    """One address, whatever its password is made of."""
    return _WHOLE.sub(_without, address)


def hide(text: str, secrets: Iterable[str]) -> str:
    """A text without these, as they are or as an address writes them."""
    forms = {form for one in secrets if one for form in (one, quote(one), quote(one, safe=""), quote_plus(one))}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    return text


def _without(found: re.Match[str]) -> str:
    scheme, rest = found[1], found[2]
    end = next((at for at, letter in enumerate(rest) if letter in "/?#"), len(rest))
    user, at, host = rest[:end].rpartition("@")
    if "@" in rest[end:] and (at or ":" in host):
        return scheme + HIDDEN  # a password with / or ? in it: where it ends cannot be told
    path, _, query = rest[end:].partition("#")[0].partition("?")
    return f"{scheme}{HIDDEN + '@' if user else ''}{host}{path}{'?' + HIDDEN if query else ''}"


def _secrets(address: str) -> Iterator[str]:
    rest = address.partition("://")[2]
    user, at, _ = rest.rpartition("@")
    if at and (":" in user or "/" not in user):
        yield from (user, user.partition(":")[2], unquote(user.partition(":")[2]))
    query = rest.partition("?")[2]
    if "=" in query or (query and address.lower().startswith("http")):  # else ? is a letter of a pattern
        yield query
        yield from (value for _, value in parse_qsl(query) if len(value) >= _SHORTEST)
