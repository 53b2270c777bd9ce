"""Previous release: the champion before, which is kept warm, with its own features and its own model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trimtab.kernel.errors import TrimtabError
from trimtab.kernel.place import caller
from trimtab.ports.fallback import Said, Unanswered


@dataclass(frozen=True)
class PreviousRelease:
    """Implements DeclaredFallback."""

    place: str = ""
    kind = "previous_release"
    name = "previous_release"
    last = False

    def problems(self, label: str) -> Iterator[TrimtabError]:  # noqa: ARG002 - all fallbacks are asked alike
        """It has no settings."""
        yield from ()

    def answer(self, asked: Unanswered) -> Sequence[Said | None]:
        """Whatever it says; nothing if there is none, or it is not loaded yet."""
        return asked.previous()


def previous_release() -> PreviousRelease:
    """Answer by the release that this one has replaced, if it is loaded and can.

    After a rollback nobody is the previous release: the one that was left must not answer again.
    """
    return PreviousRelease(caller())
