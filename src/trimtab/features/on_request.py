"""Features computed from the request itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

from trimtab.features.code import code_digest
from trimtab.features.tags import NONE, Tags, declared_tags
from trimtab.features.view import FrameFunction
from trimtab.kernel.canonical import digest
from trimtab.kernel.errors import TrimtabError
from trimtab.kernel.place import caller


@dataclass(frozen=True, eq=False)
class RequestFeatures:
    """A function from the request's rows to features; one row out for each row in, in the same order."""

    name: str
    function: FrameFunction
    description: str
    place: str
    tags: Tags = NONE
    problems: tuple[TrimtabError, ...] = ()  # reported with all others when the system is applied

    @cached_property
    def version(self) -> str:
        """Digest of everything that decides its values."""
        return digest(["request", self.name, code_digest(self.function)])


@overload
def request_features(function: FrameFunction) -> RequestFeatures: ...


@overload
def request_features(
    *, owner: str = "", units: Mapping[str, str] | None = None, personal: str | Sequence[str] | None = None
) -> Callable[[FrameFunction], RequestFeatures]: ...


def request_features(
    function: FrameFunction | None = None,
    *,
    owner: str = "",
    units: Mapping[str, str] | None = None,
    personal: str | Sequence[str] | None = None,
) -> RequestFeatures | Callable[[FrameFunction], RequestFeatures]:
    """Declare features that are computed from the fields of the request; with tags or without.

    Args:
        function: from the request's lazy frame to features.
        owner: who answers for them: a team or a person; the owner of the question's source if not given.
        units: of features; those not named have the unit that their name ends with.
        personal: features that hold personal data; () says that none does; None: nobody has said.
    """
    place = caller()
    tags, problems = declared_tags(owner, units, personal, place=place)

    def declare(function: FrameFunction) -> RequestFeatures:
        return RequestFeatures(function.__name__, function, inspect.getdoc(function) or "", place, tags, problems)

    return declare if function is None else declare(function)
