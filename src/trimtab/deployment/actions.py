"""What deployment can do: a closed set. Plans are lists of these; the ledger stores them as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from trimtab.kernel.canonical import Json


@dataclass(frozen=True)
class MoveRoute:
    """Put a route in force. The champion that is replaced stays warm, so that the way back needs no loading."""

    system: str
    champion: str
    warm: tuple[str, ...]
    replaces: str  # the champion that the plan was made against; "" if there was none
    because: str

    def body(self) -> dict[str, Json]:
        """As stored in the ledger."""
        return {"action": "move_route", **self.__dict__, "warm": list(self.warm)}


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
    """The release answers already."""

    system: str
    release: str

    def body(self) -> dict[str, Json]:
        """As stored in the ledger."""
        return {"action": "stay", **self.__dict__}


Action: TypeAlias = MoveRoute | Refuse | Stay
Plan: TypeAlias = list[Action]
