"""What a wire protocol is: bytes to rows, answers to bytes. One protocol, one file in `protocols/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

from trimtab.kernel.canonical import Json
from trimtab.serving.answer import Answer
from trimtab.serving.problem import Problem
from trimtab.serving.released import Serving

Row: TypeAlias = dict[str, Json]
Headers: TypeAlias = Sequence[tuple[bytes, bytes]]  # names in lower case
Fields: TypeAlias = Sequence[tuple[str, str]]  # what a row carries: (field, Polars type), as the champion declares
Schema: TypeAlias = Mapping[str, Any]  # a part of an OpenAPI document
Get: TypeAlias = Callable[[str, Serving | None], Problem | bytes]  # of a path, under the route in force


class Content(bytes):
    """The body of an answer that is not plain JSON, or brings headers of its own."""

    content_type: bytes
    headers: Headers

    def __new__(cls, body: bytes, content_type: bytes = b"application/json", headers: Headers = ()) -> Content:
        """A copy of the body."""
        self = super().__new__(cls, body)
        self.content_type, self.headers = content_type, headers
        return self


class Asked(NamedTuple):
    """A request's rows, and what its protocol needs again for the answer."""

    rows: Sequence[Row]
    echo: Any = None


class Wire(Protocol):
    """One protocol, as one system speaks it. It knows neither sockets nor releases."""

    predicts: Sequence[str]  # addresses that take rows by POST
    gets: Mapping[str, Get]  # addresses that answer GET
    prefix: str  # whatever else is asked below it is refused in this protocol's words; empty: nothing is

    def decode(self, body: bytes, headers: Headers, *, max_rows: int, fields: Fields) -> Asked:
        """The rows of a request.

        Raises:
            RequestInvalid: the body is not one of this protocol's, or holds no rows, or too many.
            Refused: with another status than 400.
        """
        ...

    def encode(self, answer: Answer, asked: Asked) -> bytes:
        """The body of the answer, in the order of the rows: JSON, unless it is Content. It raises nothing."""
        ...

    def refuse(self, problem: Problem) -> bytes:
        """The body of an error, as this protocol's clients read it."""
        ...

    def paths(self, row: Schema) -> Mapping[str, Schema]:
        """What OpenAPI 3.1 says to each of its addresses, where rows are such."""
        ...
