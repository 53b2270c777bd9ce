"""Features computed from the request itself."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cached_property

from trimtab.features.code import code_digest
from trimtab.features.view import FrameFunction
from trimtab.kernel.canonical import digest
from trimtab.kernel.place import caller


@dataclass(frozen=True, eq=False)
class RequestFeatures:
    """A function from the request's rows to features; one row out for each row in, in the same order."""

    name: str
    function: FrameFunction
    description: str
    place: str

    @cached_property
    def version(self) -> str:
        """Digest of everything that decides its values."""
        return digest(["request", self.name, code_digest(self.function)])


def request_features(function: FrameFunction) -> RequestFeatures:
    """Declare features that are computed from the fields of the request."""
    return RequestFeatures(function.__name__, function, inspect.getdoc(function) or "", caller())
