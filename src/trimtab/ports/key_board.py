"""The board on which the keys in force are published: workers must know them while the database is gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from trimtab.kernel.access_key import AccessKey


class KeyBoard(Protocol):
    """The control side."""

    def publish(self, keys: Sequence[AccessKey]) -> None:
        """Put these keys in force, and no others. The same ones again change nothing."""
        ...


class KeyFollower(Protocol):
    """The worker's side."""

    def changed(self) -> bool:
        """Whether other keys were published than those last read; costs a look at a file's name."""
        ...

    def current(self) -> Sequence[AccessKey]:
        """The keys in force; none before the first were published.

        Raises:
            Corrupt: what was published cannot be read.
        """
        ...
