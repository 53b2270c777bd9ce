"""The URL of a database: what environment variables put into it, and what of it no message may show."""

from __future__ import annotations

import os
import re

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from trimtab.data.readers.sql_declared import shown_url
from trimtab.kernel.errors import SourceUnreadable, listed
from trimtab.kernel.source import Source

ALLOWED = "sqlite:///FILE (relative to the project folder), or postgresql+psycopg://…"
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_PORT = re.compile(r":\$\{(\w+)\}(?=[/?]|$)")
_DRIVERS = {"sqlite": {"", "pysqlite"}, "postgresql": {"", "psycopg"}}
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_SECRET_OPTIONS = ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")


def filled(source: Source, text: str) -> URL:
    """The URL with its variables' values: each stays in the part that names it, whatever letters it has.

    Raises:
        SourceUnreadable: a variable is not set, or it is not the URL of a database that is read.
    """
    missing = [name for name in _VARIABLE.findall(text) if name not in os.environ]
    if missing:
        raise SourceUnreadable(
            source.name,
            where=source.place,
            allowed="environment variables that are set",
            got=f"the URL needs {listed(missing)}",
            do=f"set it: export {missing[0]}=…",
        )
    whole = _VARIABLE.fullmatch(text.strip())
    try:
        # A value that is the whole URL has no variables itself.
        told = make_url(os.environ[whole[1]] if whole else _PORT.sub(_port, text))
        kind = told.get_backend_name()
        known = kind in _DRIVERS and told.get_driver_name() in _DRIVERS[kind] and "@" not in (told.host or "")
    except (ArgumentError, ValueError):
        raise _refused(source, text) from None  # the error may show a part of it
    if not known:
        raise _refused(source, told if whole else text)
    return told if whole else _each_part(told)


def secrets(url: URL) -> tuple[str, ...]:
    """Passwords in it; what is shown of it anyway is none."""
    options = [one for name in _SECRET_OPTIONS for one in _values(url.query.get(name, ()))]
    known = {url.username, url.host, url.database}
    return tuple(one for one in (str(url.password or ""), *options) if one and one not in known)


def _each_part(url: URL) -> URL:
    options = {name: tuple(map(_value, _values(one))) for name, one in url.query.items()}
    return url.set(
        username=url.username and _value(url.username),
        password=url.password and _value(str(url.password)),
        host=url.host and _value(url.host),
        database=url.database and _value(url.database),
        query={name: one[0] if len(one) == 1 else one for name, one in options.items()},
    )


def _value(part: str) -> str:
    return _VARIABLE.sub(lambda name: os.environ[name[1]], part)


def _port(found: re.Match[str]) -> str:
    # SQLAlchemy takes nothing but a number for a port, and a number changes nothing elsewhere.
    value = os.environ[found[1]]
    return f":{value}" if value.isascii() and value.isdecimal() else found[0]


def _values(option: str | tuple[str, ...]) -> tuple[str, ...]:
    return (option,) if isinstance(option, str) else option


def _refused(source: Source, text: str | URL) -> SourceUnreadable:
    return SourceUnreadable(
        source.name,
        where=source.place,
        allowed=ALLOWED,
        got=shown_url(text),
        do="give such a URL to trimtab.sql (write @ in a password as %40, or put it into a variable: ${NAME}), "
        "or a function that reads another database",
    )
