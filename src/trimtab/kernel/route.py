"""What answers users: one immutable route, named by one pointer."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from trimtab.kernel.canonical import Json, JsonMap, digest

BUCKETS = 10_000  # of keys: the finest share is a hundredth of a per cent


@dataclass(frozen=True)
class Canary:
    """A release that answers a share of the traffic, while the champion answers the rest."""

    release: str  # digest
    buckets: int  # of BUCKETS, that it answers
    salt: str  # names the rollout: each one draws its keys anew

    def answers(self, key: str) -> bool:
        """Whether it answers a key: a pure function, so that every worker, and a replay, agree."""
        drawn = blake2b(f"{self.salt}/{key}".encode(), digest_size=8).digest()
        return int.from_bytes(drawn, "big") % BUCKETS < self.buckets

    @property
    def share(self) -> float:
        """Of the traffic, 0 to 1."""
        return self.buckets / BUCKETS


@dataclass(frozen=True)
class Route:
    """Which release answers, which one answers a share, which only score, and which are kept warm."""

    system: str
    champion: str  # digest of the release that answers
    warm: tuple[str, ...]  # digests of releases kept loaded, the previous champion first: a rollback loads nothing
    generation: int  # the pointer's generation; workers acknowledge this number
    canary: Canary | None = None
    shadows: tuple[str, ...] = ()  # digests of releases that score each row, and answer none

    def body(self) -> dict[str, Json]:
        """As stored and as written to the route file."""
        return {
            "schema": 2,
            "system": self.system,
            "champion": self.champion,
            "warm": list(self.warm),
            "generation": self.generation,
            "canary": None if self.canary is None else {**self.canary.__dict__},
            "shadows": list(self.shadows),
        }

    def scoring(self) -> tuple[str, ...]:
        """The releases that score every row, the champion first."""
        canary = () if self.canary is None else (self.canary.release,)
        return tuple(dict.fromkeys((self.champion, *canary, *self.shadows)))

    def releases(self) -> tuple[str, ...]:
        """All releases that a worker must hold, the champion first."""
        return tuple(dict.fromkeys((*self.scoring(), *self.warm)))

    def answering(self, key: str) -> str:
        """The release that answers a row with this key."""
        if self.canary is not None and self.canary.answers(key):
            return self.canary.release
        return self.champion

    @property
    def id(self) -> str:
        """Content address, without the generation: the same route can be in force twice."""
        return digest({**self.body(), "generation": 0})


def route_from(body: JsonMap) -> Route:
    """Read back what `Route.body` wrote; one of schema 1 had neither canary nor shadows."""
    warm, shadows, canary = body["warm"], body.get("shadows", []), body.get("canary")
    assert isinstance(warm, list) and isinstance(shadows, list) and isinstance(body["generation"], int)
    return Route(
        str(body["system"]),
        str(body["champion"]),
        tuple(map(str, warm)),
        body["generation"],
        Canary(**canary) if isinstance(canary, dict) else None,  # type: ignore[arg-type]
        tuple(map(str, shadows)),
    )
