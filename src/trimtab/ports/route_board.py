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
        """Wait for every live worker that takes requests to acknowledge `generation`; process ids of the others.

        A worker that is still starting takes no requests, and begins with the newest route.
        """
        ...

    def workers(self) -> list[int]:
        """Process ids of live workers that take requests; one that is still starting does not."""
        ...

    def stuck(self, *, after_s: float) -> list[int]:
        """Process ids of live workers, starting or not, whose event loop has not turned for `after_s`."""
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
        """Say that every further answer follows this generation; 0: takes requests, and follows no route yet."""
        ...

    def beat(self) -> None:
        """Say that the event loop turns."""
        ...

    def leave(self) -> None:
        """Give the worker's place on the board back."""
        ...


class SealBoard(Protocol):
    """The control side: have the segments that are being written sealed, so that they can be compacted."""

    def request_seal(self) -> int:
        """Raise the seal epoch; returns it."""
        ...

    def unsealed(self, epoch: int, *, within_s: float) -> list[int]:
        """Wait until every live worker has sealed what it wrote before `epoch`; process ids of the others."""
        ...


class SealFollower(Protocol):
    """The worker's side."""

    def seal_epoch(self) -> int:
        """The epoch that is asked for; costs a memory read."""
        ...

    def acknowledge_seal(self, epoch: int) -> None:
        """Say that everything written before `epoch` was asked for stands in sealed segments."""
        ...
