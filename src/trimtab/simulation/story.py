"""What happens around a system while it is lived through: upstream, and by the hands of people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from trimtab.house.house import House
from trimtab.kernel.happening import Happening


class Story(Protocol):
    """Both follow from the instant and the stores alone, so that a killed life goes on as it would have."""

    def deliver(self, now: datetime) -> None:
        """Upstream, as it is at `now`: before the step's data are ingested."""
        ...

    def act(self, house: House, now: datetime) -> Iterator[Happening]:
        """What people do at `now`: after the tick."""
        ...


class Uneventful:
    """Nothing happens."""

    def deliver(self, now: datetime) -> None:
        """Upstream stays as it is."""

    def act(self, house: House, now: datetime) -> Iterator[Happening]:  # noqa: ARG002 - nobody acts
        """Nobody does anything."""
        yield from ()
