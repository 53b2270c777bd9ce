"""What deployment can do: a closed set. Plans are lists of these; the ledger stores them as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from trimtab.kernel.audience import Audience
from trimtab.kernel.canonical import Json
from trimtab.kernel.route import Canary, Route

Stage: TypeAlias = Literal["started", "advanced", "promoted", "rolled_back"]


@dataclass(frozen=True)
class MoveRoute:
    """Put a route in force. The champion that is replaced stays warm, so that the way back needs no loading."""

    system: str
    champion: str
    warm: tuple[str, ...]
    replaces: str  # the champion that the plan was made against; "" if there was none
    because: str
    canary: Canary | None = None
    shadows: tuple[str, ...] = ()
    against: str = ""  # id of the route that the plan was made against; "" if there was none
    previous: str = ""  # the warm release that may answer in the champion's place; "": none may

    def route(self) -> Route:
        """The route, whose generation the journal gives."""
        return Route(self.system, self.champion, self.warm, 0, self.canary, self.shadows, self.previous)

    def body(self) -> dict[str, Json]:
        """As stored in the ledger."""
        return {
            "action": "move_route",
            "champion": self.champion,
            "warm": list(self.warm),
            "canary": None if self.canary is None else self.canary.body(),
            "shadows": list(self.shadows),
            "replaces": self.replaces,
            "against": self.against,
            "previous": self.previous,
            "because": self.because,
            "system": self.system,
        }


@dataclass(frozen=True)
class StepRollout:
    """A rollout begins, goes on or ends, and the route with it: one transaction."""

    rollout: str
    stage: Stage
    release: str  # the challenger
    move: MoveRoute
    ceiling: str = ""  # of its share from now on, in words
    facts: Mapping[str, Json] = field(default_factory=dict)  # the rollout at its start, later what was compared

    @property
    def audience(self) -> Audience | None:
        """Of the canary from now on; None: everybody, or it is one no longer."""
        return None if self.move.canary is None else self.move.canary.audience

    def body(self) -> dict[str, Json]:
        """As stored in the ledger."""
        return {
            "action": "step_rollout",
            "rollout": self.rollout,
            "stage": self.stage,
            "release": self.release,
            "ceiling": self.ceiling,
            "facts": dict(self.facts),
            "because": self.move.because,
            **({} if self.audience is None else {"audience": self.audience.body()}),
        }


@dataclass(frozen=True)
class Refuse:
    """Leave the route as it is."""

    system: str
    release: str
    because: str

    def body(self) -> dict[str, Json]:
        """As stored in the ledger."""
        return {"action": "refuse", **self.__dict__}


@dataclass(frozen=True)
class Stay:
    """Nothing to do: the release answers already, or a rollout goes on as it is."""

    system: str
    release: str
    because: str = ""

    def body(self) -> dict[str, Json]:
        """As stored in the ledger."""
        return {"action": "stay", **self.__dict__}


Action: TypeAlias = MoveRoute | StepRollout | Refuse | Stay
Plan: TypeAlias = list[Action]
