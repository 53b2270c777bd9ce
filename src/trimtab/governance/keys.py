"""Keys to the data plane: who may do what, since when and until when. Each change stands in the ledger."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from trimtab.kernel.access_key import SCOPES, AccessKey, Scope, access_key_from
from trimtab.kernel.canonical import Json, sha256, short
from trimtab.kernel.errors import InvalidValue, NotFound, Refused, UnknownName, listed
from trimtab.kernel.moment import duration_us, from_us, to_us
from trimtab.ports.journal import Journal, JournalReader
from trimtab.ports.key_board import KeyBoard

KIND = "key"
PREFIX = "tt_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def new_secret() -> str:
    """256 random bits, with a prefix that scanners for leaked secrets can look for."""
    return PREFIX + secrets.token_urlsafe(32)


class Keys:
    """A key is an immutable record; the pointer `key/NAME` names the record in force, or nothing once revoked.

    What workers know is a projection: every change, and every turn of the loop, publishes it anew.
    """

    def __init__(self, journal: Journal, reader: JournalReader, board: KeyBoard) -> None:
        self._journal = journal
        self._reader = reader
        self._board = board

    def all(self) -> list[AccessKey]:
        """Keys that are not revoked, expired ones among them, oldest first."""
        found = ((id, access_key_from(body)) for id, body in self._reader.records(KIND))
        return [key for id, key in found if self._in_force(key.name) == id]

    def valid(self, at: datetime) -> list[AccessKey]:
        """Keys that are neither revoked nor expired."""
        return [one for one in self.all() if one.expires_us is None or one.expires_us > to_us(at)]

    def add(
        self,
        name: str,
        scopes: Sequence[str],
        expires: timedelta | None,
        *,
        secret: str,
        at: datetime,
        actor: str,
    ) -> AccessKey:
        """Write a new key down and put it in force. The secret is hashed here and kept nowhere.

        Raises:
            InvalidValue: the name is none, or no scope is given.
            UnknownName: a scope is none.
            Refused: a key of that name is in force.
        """
        key = AccessKey(name, sha256(secret.encode()), _scopes(name, scopes), to_us(at), _until(at, expires))
        id = f"{name}/{short(key.digest)}"
        with self._journal.begin(at=at, actor=actor) as unit:
            if self._in_force(name):  # read inside the unit: nobody else can add one until it ends
                raise Refused(
                    f"adding key '{name}'",
                    because="a key of that name is in force",
                    allowed="one key for each name",
                    do=f"choose another name, or end the old one first: trimtab keys revoke {name}",
                )
            unit.append("key.created", name, _told(key))
            unit.put(KIND, id, key.body())
            unit.point(_pointer(name), id)
        self.publish()
        return key

    def revoke(self, name: str, *, at: datetime, actor: str) -> AccessKey:
        """End a key: workers refuse it within a second.

        Raises:
            NotFound: no key of that name is in force.
        """
        with self._journal.begin(at=at, actor=actor) as unit:
            found = [one for one in self.all() if one.name == name]
            if not found:
                known = listed(one.name for one in self.all())
                raise NotFound("key", name, allowed=known, do="list them with: trimtab keys ls")
            unit.append("key.revoked", name, _told(found[0]))
            unit.point(_pointer(name), "")
        self.publish()
        return found[0]

    def publish(self) -> None:
        """Have workers know what the journal says; where they do already, nothing is written."""
        self._board.publish(self.all())

    def _in_force(self, name: str) -> str:
        pointer = self._reader.pointer(_pointer(name))
        return "" if pointer is None else pointer.value


def _pointer(name: str) -> str:
    return f"{KIND}/{name}"


def _scopes(name: str, scopes: Sequence[str]) -> tuple[Scope, ...]:
    if not _NAME.fullmatch(name):
        raise InvalidValue(
            "the key's name", name, allowed="1 to 64 letters, digits, dots, dashes and underscores, e.g. web-shop"
        )
    for one in scopes:
        if one not in SCOPES:
            raise UnknownName("scope", one, SCOPES, do="use one or several of them")
    if not scopes:
        raise InvalidValue("--scope", "nothing", allowed=listed(SCOPES))
    return tuple(one for one in SCOPES if one in scopes)


def _until(at: datetime, expires: timedelta | None) -> int | None:
    return None if expires is None else to_us(at) + duration_us(expires)


def _told(key: AccessKey) -> dict[str, Json]:
    """For the ledger: the first characters of the digest name the key, and lead nobody to its secret."""
    return {
        "key": short(key.digest),
        "scopes": list(key.scopes),
        "expires_at": None if key.expires_us is None else from_us(key.expires_us).isoformat(),
    }
