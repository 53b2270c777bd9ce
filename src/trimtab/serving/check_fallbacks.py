"""Whether a system's fallbacks can follow each other so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trimtab.kernel.errors import Misdeclared, TrimtabError
from trimtab.serving.fallbacks.declared import DeclaredFallback
from trimtab.serving.fallbacks.previous_release import PreviousRelease


def check_fallbacks(chain: Sequence[DeclaredFallback], label: str) -> Iterator[TrimtabError]:
    """Everything that is wrong with a chain; `label` is the kind of the system's label."""
    for place, one in enumerate(chain):
        yield from one.problems(label)
        before = chain[:place]
        final = next((other for other in before if other.last), None)
        if final is not None:
            allowed = f"{final.name} as the last one: it answers every row"
            yield _wrong(one, "would never be asked", allowed, f"it stands behind {final.name}")
        elif isinstance(one, PreviousRelease) and any(isinstance(other, PreviousRelease) for other in before):
            yield _wrong(one, "is declared more than once", "once: there is one previous release", one.name)


def _wrong(one: DeclaredFallback, what: str, allowed: str, got: str) -> TrimtabError:
    do = "take it out, or put it in its place"
    return Misdeclared("fallback", one.kind, what, where=one.place, allowed=allowed, got=got, do=do)
