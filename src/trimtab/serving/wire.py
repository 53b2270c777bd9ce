"""What a wire protocol is: bytes to rows, answers to bytes. One protocol, one file in `protocols/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from trimtab.kernel.canonical import Json
from trimtab.serving.answer import Answer
from trimtab.serving.problem import Problem
from trimtab.serving.released import Serving

Row: TypeAlias = dict[str, Json]
Headers: TypeAlias = Sequence[tuple[bytes, bytes]]  # names in lower case
Get: TypeAlias = Callable[[str, Serving | None], Problem | bytes]  # of a path, under the route in force


@dataclass(frozen=True)
class Asked:
    """A request's rows, and what its protocol needs again for the answer."""

    rows: Sequence[Row]
    echo: Any = None


class Wire(Protocol):
    """One protocol, as one system speaks it. It knows neither sockets nor releases."""

    predicts: Sequence[str]  # addresses that take rows by POST
    gets: Mapping[str, Get]  # addresses that answer GET

    def decode(self, body: bytes, headers: Headers, *, max_rows: int) -> Asked:
        """The rows of a request.

        Raises:
            RequestInvalid: the body is not one of this protocol's, or holds no rows, or too many.
        """
        ...

    def encode(self, answer: Answer, asked: Asked) -> bytes:
        """The body of the answer, in the order of the rows."""
        ...

    def refuse(self, problem: Problem) -> bytes:
        """The body of an error, as this protocol's clients read it."""
        ...
