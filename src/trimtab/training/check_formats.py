"""Whether what a system says of model formats can be meant."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.kernel.errors import Misdeclared, TrimtabError, listed
from trimtab.kernel.model_formats import RUN_CODE


def check_formats(given: object, system: str, place: str) -> Iterator[TrimtabError]:
    """Everything that is wrong with `allow_formats`."""
    strange = [one for one in given if one not in RUN_CODE] if isinstance(given, list | tuple) else [given]
    for one in strange:
        yield Misdeclared(
            "system",
            system,
            "allows a model format that is none, or that needs no leave",
            where=place,
            allowed=f"a list of {listed(RUN_CODE)}",
            got=repr(one),
            do='declare allow_formats=["pickle"], or leave it out',
        )
