"""The native protocol: `POST /v1/systems/{system}/predict`.

    request   {"instances": [{field: value, …, "as_of": instant}, …]}
    answer    {"system", "generation", "predictions": [{"id", "key", "release", "score", "missing": [view, …]}, …]}

What a row was answered without is told with it: in "missing" the views that had no fact for it, seen by the model
as nulls; in "stale" those of them whose newest fact was too old, with its age in microseconds; in "null" features
without a value whose view did have a fact. "stale" and "null" are left out where there is nothing to tell.

A row that the release could not answer, and a fallback has, says so: "fallback" is its kind. Then "release" is the
one that has scored, of "previous_release", or else the one whose fallback it is.

A row may bring all features of the release itself: {key: …, "features": {"view.column": value, …}}. Then nothing is
looked up, and the other fields may be left out.

`as_of` (ISO 8601 with a zone, or microseconds since 1970 UTC) is taken only by a server that was started for
replay or simulation; elsewhere a client could choose what the features knew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from trimtab.kernel.errors import RequestInvalid
from trimtab.serving.answer import Answer
from trimtab.serving.openapi import FALLBACK, JSON, NUMBER, PROBLEM, STRING, WHOLE, body, many, post, record
from trimtab.serving.problem import Problem
from trimtab.serving.rows import AS_OF, check_number
from trimtab.serving.typed_request import Decode, typed_request
from trimtab.serving.wire import Asked, Fields, Get, Headers, Row, Schema

SYSTEMS, PREDICT = "/v1/systems/", "/predict"
_ROWS = "instances"
_SHAPE = '{"instances": [{field: value, …}, …]}'


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    instances: list[dict[str, Any]]


_decode = msgspec.json.Decoder(_Request).decode
_encode = msgspec.json.Encoder().encode


class NativeJson:
    """Implements Wire."""

    gets: Mapping[str, Get] = {}
    prefix = ""

    def __init__(self, system: str) -> None:
        self.predicts: Sequence[str] = (f"{SYSTEMS}{system}{PREDICT}",)
        self._fields: Fields = ()
        self._typed: Decode | None = None

    def decode(self, body: bytes, headers: Headers, *, max_rows: int, fields: Fields) -> Asked:  # noqa: ARG002 - Wire's
        """The list of instances."""
        if fields is not self._fields:  # another champion declares them
            # A row's `as_of` says when it is asked for, and is nothing that it is asked with.
            self._typed = None if AS_OF in dict(fields) else typed_request(fields, _ROWS)
            self._fields = fields
        if self._typed is None:
            return Asked(decode(body, max_rows=max_rows))
        try:
            rows = self._typed(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return Asked(decode(body, max_rows=max_rows))  # rows with more or less than the fields, or an error
        check_number(len(rows), _ROWS, max_rows)
        return Asked(rows)

    def encode(self, answer: Answer, asked: Asked) -> bytes:  # noqa: ARG002 - Wire's
        """The answer as it is."""
        return _encode(answer)

    def refuse(self, problem: Problem) -> bytes:
        """The five parts of the error."""
        return problem.encode()

    def paths(self, row: Schema) -> Mapping[str, Schema]:
        """Its one address."""
        told = {"id": STRING, "key": STRING, "release": STRING, "score": NUMBER, "missing": many(STRING)}
        answered = record(told, {"stale": {"type": "object"}, "null": many(STRING), "fallback": FALLBACK})
        answer = record({"system": STRING, "generation": WHOLE, "predictions": many(answered)})
        asked = body({"instances": many(row, at_least=1)})
        told_of = post("Answers to rows, each recorded", {JSON: asked}, {JSON: answer}, error=PROBLEM)
        return dict.fromkeys(self.predicts, told_of)


def decode(body: bytes, *, max_rows: int) -> list[Row]:
    """The rows of a request.

    Raises:
        RequestInvalid: not JSON, not of this shape, no rows, or too many.
    """
    try:
        rows = _decode(body).instances
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RequestInvalid(
            "the body is not a prediction request",
            where="body",
            allowed=_SHAPE,
            got=str(error) or type(error).__name__,
            do="send JSON of that shape",
        ) from error
    check_number(len(rows), _ROWS, max_rows)
    return rows
