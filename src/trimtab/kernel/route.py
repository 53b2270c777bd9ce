"""What answers users: one immutable route, named by one pointer."""

from __future__ import annotations

from dataclasses import dataclass

from trimtab.kernel.canonical import Json, JsonMap, digest


@dataclass(frozen=True)
class Route:
    """Which release answers, and which others are kept warm so that a rollback needs no loading."""

    system: str
    champion: str  # digest of the release that answers
    warm: tuple[str, ...]  # digests of releases kept loaded, the previous champion first
    generation: int  # the pointer's generation; workers acknowledge this number

    def body(self) -> dict[str, Json]:
        """As stored and as written to the route file."""
        return {
            "schema": 1,
            "system": self.system,
            "champion": self.champion,
            "warm": list(self.warm),
            "generation": self.generation,
        }

    def releases(self) -> tuple[str, ...]:
        """All releases that a worker must hold, the champion first."""
        return (self.champion, *(one for one in self.warm if one != self.champion))

    @property
    def id(self) -> str:
        """Content address, without the generation: the same route can be in force twice."""
        return digest({**self.body(), "generation": 0})


def route_from(body: JsonMap) -> Route:
    """Read back what `Route.body` wrote."""
    warm = body["warm"]
    assert isinstance(warm, list) and isinstance(body["generation"], int)
    return Route(str(body["system"]), str(body["champion"]), tuple(map(str, warm)), body["generation"])
