"""The board on which the route in force is published, and on which workers acknowledge it."""

from __future__ import annotations

from typing import Protocol

from trimtab.kernel.route import Route


class RouteBoard(Protocol):
    """The control side: publish, and learn who has not followed."""

    def publish(self, route: Route) -> None:
        """Put a route in force. An older or equal generation changes nothing."""
        ...

    def current(self) -> Route | None:
        """The route in force; None before the first."""
        ...

    def silent(self, generation: int, *, within_s: float) -> list[int]:
        """Wait for every live worker to acknowledge `generation`; process ids of those that have not."""
        ...

    def workers(self) -> list[int]:
        """Process ids of live workers."""
        ...


class RouteFollower(Protocol):
    """The worker's side. `changed` is read at every request and costs a memory read."""

    def changed(self) -> bool:
        """Whether the board shows another generation than the last one acknowledged."""
        ...

    def current(self) -> Route | None:
        """The route in force."""
        ...

    def acknowledge(self, generation: int) -> None:
        """Say that every further answer follows this generation."""
        ...

    def leave(self) -> None:
        """Give the worker's place on the board back."""
        ...
