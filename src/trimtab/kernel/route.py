"""What answers users: one immutable route, named by one pointer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import cast

from trimtab.kernel.audience import Audience, audience_from
from trimtab.kernel.canonical import Json, JsonMap, digest
from trimtab.kernel.errors import Corrupt

BUCKETS = 10_000  # of keys: the finest share is a hundredth of a per cent
_SCHEMA, _WITH_AUDIENCE = 2, 3  # a route without an audience stays as it was: its content is its name


@dataclass(frozen=True)
class Canary:
    """A release that answers a share of the traffic, or of a segment of it, while the champion answers the rest."""

    release: str  # digest
    buckets: int  # of BUCKETS, that it answers
    salt: str  # names the rollout: each one draws its keys anew
    audience: Audience | None = None  # whose rows it answers and scores; None: everybody's

    def draws(self, key: str) -> bool:
        """Whether it answers a key of its audience: a pure function, so that every worker, and a replay, agree."""
        return self.draws_each([key])[0]

    def draws_each(self, keys: Sequence[str]) -> list[bool]:
        """`draws` of several keys."""
        # What the hashes of all keys begin with: to copy it takes half the time of beginning anew.
        begun = blake2b(f"{self.salt}/".encode(), digest_size=8)
        found: list[bool] = []
        for key in keys:
            hashed = begun.copy()
            hashed.update(key.encode())
            found.append(int.from_bytes(hashed.digest(), "big") % BUCKETS < self.buckets)
        return found

    @property
    def share(self) -> float:
        """Of its audience, 0 to 1."""
        return self.buckets / BUCKETS

    def body(self) -> dict[str, Json]:
        """As stored."""
        body: dict[str, Json] = {"release": self.release, "buckets": self.buckets, "salt": self.salt}
        return body if self.audience is None else {**body, "audience": self.audience.body()}


@dataclass(frozen=True)
class Route:
    """Which release answers, which one answers a share, which only score, and which are kept warm."""

    system: str
    champion: str  # digest of the release that answers
    warm: tuple[str, ...]  # digests of releases kept loaded, the previous champion first: a rollback loads nothing
    generation: int  # the pointer's generation; workers acknowledge this number
    canary: Canary | None = None
    shadows: tuple[str, ...] = ()  # digests of releases that score each row, and answer none
    previous: str = ""  # digest of the warm release that the champion has replaced; "" after a rollback: see decide

    def body(self) -> dict[str, Json]:
        """As stored and as written to the route file."""
        narrow = self.canary is not None and self.canary.audience is not None
        # A route that names nobody stays as it was: its content is its name.
        previous: dict[str, Json] = {"previous": self.previous} if self.previous else {}
        return previous | {
            # A worker of before audiences must refuse a route that has one: it would answer everybody.
            "schema": _WITH_AUDIENCE if narrow else _SCHEMA,
            "system": self.system,
            "champion": self.champion,
            "warm": list(self.warm),
            "generation": self.generation,
            "canary": None if self.canary is None else self.canary.body(),
            "shadows": list(self.shadows),
        }

    def scoring(self) -> tuple[str, ...]:
        """The releases that score rows, the champion first: every row, but for what `only` says."""
        canary = () if self.canary is None else (self.canary.release,)
        return tuple(dict.fromkeys((self.champion, *canary, *self.shadows)))

    def releases(self) -> tuple[str, ...]:
        """All releases that a worker must hold, the champion first."""
        return tuple(dict.fromkeys((*self.scoring(), *self.warm)))

    def only(self, rows: Sequence[JsonMap]) -> dict[str, list[int]]:
        """The canary with an audience → the numbers of the rows that it scores; nothing if all score every row."""
        canary = self.canary
        if canary is None or canary.audience is None or canary.release in (self.champion, *self.shadows):
            return {}
        return {canary.release: canary.audience.among(rows)}

    def answering(self, key: str, row: JsonMap) -> str:
        """The release that answers a row, which has this key."""
        return self.answering_each([key], [row])[0]

    def answering_each(self, keys: Sequence[str], rows: Sequence[JsonMap]) -> list[str]:
        """`answering` of several rows."""
        canary, champion = self.canary, self.champion
        if canary is None:
            return [champion] * len(keys)
        drawn = [canary.release if one else champion for one in canary.draws_each(keys)]
        if canary.audience is None:
            return drawn
        inside = set(canary.audience.among(rows))
        return [one if place in inside else champion for place, one in enumerate(drawn)]

    @property
    def id(self) -> str:
        """Content address, without the generation: the same route can be in force twice."""
        return digest({**self.body(), "generation": 0})


def route_from(body: JsonMap) -> Route:
    """Read back what `Route.body` wrote, or the ledger's entry of a move; schema 1 had neither canary nor shadows.

    Raises:
        Corrupt: another schema.
    """
    warm, shadows, canary = body["warm"], body.get("shadows", []), body.get("canary")
    if body.get("schema", _SCHEMA) not in (1, _SCHEMA, _WITH_AUDIENCE):  # the ledger's entry names none
        raise Corrupt(
            "the route",
            where="its schema",
            allowed=f"1 to {_WITH_AUDIENCE}; a newer Trimtab may have written it",
            got=str(body["schema"]),
            do="use the Trimtab that wrote it, everywhere",
        )
    assert isinstance(warm, list) and isinstance(shadows, list) and isinstance(body["generation"], int)
    return Route(
        str(body["system"]),
        str(body["champion"]),
        tuple(map(str, warm)),
        body["generation"],
        _canary_from(canary) if isinstance(canary, dict) else None,
        tuple(map(str, shadows)),
        str(body.get("previous", "")),
    )


def _canary_from(body: JsonMap) -> Canary:
    audience = body.get("audience")
    buckets = body["buckets"]
    assert isinstance(buckets, int)
    return Canary(
        str(body["release"]),
        buckets,
        str(body["salt"]),
        None if audience is None else audience_from(cast("JsonMap", audience)),
    )
