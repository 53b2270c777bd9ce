"""What a worker inherits from its supervisor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Seat:
    """A worker's slot and the file descriptors that come with it.

    >>> Seat.parse(Seat(slot=1, listen_fd=5, lifeline_fd=6).arguments())
    Seat(slot=1, listen_fd=5, lifeline_fd=6)
    """

    slot: int
    listen_fd: int  # the listening socket that all workers share
    lifeline_fd: int  # a pipe that ends when the supervisor does

    def arguments(self) -> list[str]:
        """As they stand on the worker's command line."""
        return [str(self.slot), str(self.listen_fd), str(self.lifeline_fd)]

    @staticmethod
    def parse(arguments: Sequence[str]) -> Seat:
        """Read back what `arguments` wrote."""
        slot, listen_fd, lifeline_fd = map(int, arguments)
        return Seat(slot, listen_fd, lifeline_fd)
