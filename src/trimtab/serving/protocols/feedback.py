"""Feedback over HTTP: `POST /v1/feedback`.

    request   {"feedback": [{"id": prediction id, …}, {"key": key, "system": system, …}, …]}, and perhaps a header
              Idempotency-Key
    answer    {"source": "feedback", "accepted": items, "known_at": instant}

Each item names an answer by its id, or whatever was asked about by its key ("system" may be left out), and brings
at least one of "label" (the truth, or a correction of it), "value" (a number) and "comment" (text). It may bring
"name" (what the feedback is about, e.g. "thumbs") and "at" (when it was true; when it was accepted, if left out).
`known_at` is when all of it became known. All items are accepted, and on the disk before the answer leaves, or none
is. An id of the right form is taken even if no answer has it: `trimtab tick` and `trimtab status` say how many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from trimtab.kernel.access_key import Scope
from trimtab.kernel.errors import InvalidValue, NotAStream, RequestInvalid, TrimtabError, UnknownName, listed, shown
from trimtab.kernel.label import FEEDBACK
from trimtab.kernel.prediction_id import parse_prediction_id
from trimtab.serving.openapi import body, many
from trimtab.serving.problem import Problem
from trimtab.serving.protocols.source_rows import SourceRows, described
from trimtab.serving.wire import Schema

ADDRESS = "/v1/feedback"
_SAYS = ("label", "value", "comment")
_FIELDS = ("id", "key", "system", *_SAYS, "name", "at")
_SHAPE = '{"feedback": [{"id" or "key": …, "label" or "value" or "comment": …}, …]}'


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    feedback: list[dict[str, Any]]


_decode = msgspec.json.Decoder(_Request).decode


class Feedback(SourceRows):
    """Implements RowsWire for one system."""

    address = ADDRESS
    scope: Scope = "feedback"

    def __init__(self, system: str) -> None:
        self._system = system

    def described(self) -> Schema:
        """What OpenAPI says to the address."""
        told: dict[str, Schema] = {name: {} for name in _FIELDS}
        asked = body({"feedback": many(body({}, told), at_least=1)})
        return described("Labels, corrections and comments to answers, by prediction id or by key", asked)

    def source_of(self, path: str) -> str:
        """The stream that the address names; nothing if it is another address."""
        return FEEDBACK if path == ADDRESS else ""

    def rows(self, body: bytes) -> bytes:
        """A request's items as rows of the stream, which holds their values to its types.

        Raises:
            RequestInvalid: not of this protocol.
        """
        try:
            items = _decode(body).feedback
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise RequestInvalid(
                "the body holds no feedback",
                where="body",
                allowed=_SHAPE,
                got=str(error) or type(error).__name__,
                do="send JSON of that shape",
            ) from error
        return msgspec.json.encode({"rows": rows_of(items, self._system)})

    def problem(self, error: Exception, path: str) -> Problem:
        """The answer to a request that was not accepted."""
        if isinstance(error, UnknownName | NotAStream):
            return Problem(
                409,
                f"system '{self._system}' takes no feedback",
                path,
                "a system that lists a source of feedback",
                "none is listed" if isinstance(error, UnknownName) else error.got,
                "declare feedback = trimtab.feedback(), list it in System(sources=…), and start the server again",
            )
        found = super().problem(error, path)
        return replace(found, where=where(found.where))


def where(place: str) -> str:
    """A place among the rows of the stream, as the sender sees it.

    >>> where("rows[3].label")
    'feedback[3].label'
    """
    return FEEDBACK + place.removeprefix("rows") if place.startswith("rows") else place


def rows_of(items: Sequence[Mapping[str, Any]], system: str) -> list[dict[str, Any]]:
    """Items as rows of the stream, their ids in the form in which answers carry them.

    Raises:
        RequestInvalid: an item that names nothing, or that says nothing.
    """
    return [_row(item, f"{FEEDBACK}[{number}]", system) for number, item in enumerate(items)]


def _row(item: Mapping[str, Any], place: str, system: str) -> dict[str, Any]:
    unknown = [name for name in item if name not in _FIELDS]
    if unknown:
        raise _wrong("an unknown field", f"{place}.{unknown[0]}", listed(_FIELDS), str(unknown[0]))
    if item.get("system", system) != system:
        got = shown(item["system"])
        raise _wrong("feedback for another system", f"{place}.system", f"'{system}', or nothing", got)
    if (item.get("id") is None) == (item.get("key") is None):
        got = "neither" if item.get("id") is None else "both"
        raise _wrong("it does not say what it is about", place, "one of id (of an answer) and key", got)
    if all(item.get(name) is None for name in _SAYS):
        raise _wrong("it says nothing", place, f"at least one of {listed(_SAYS)}", "none of them")
    row = {name: value for name, value in item.items() if name != "system" and value is not None}
    if "id" in row:
        row["id"] = _id(row["id"], f"{place}.id")
    else:
        row["key"] = _key(row["key"], f"{place}.key")
    return row


def _id(id: object, place: str) -> str:
    try:
        if not isinstance(id, str):
            raise InvalidValue("prediction id", id, allowed="text")
        return str(parse_prediction_id(id))
    except TrimtabError as error:
        raise _wrong("this is no prediction's id", place, error.allowed, shown(id)) from None


def _key(key: object, place: str) -> str:
    if (isinstance(key, str) and key) or (isinstance(key, int) and not isinstance(key, bool)):
        return str(key)
    raise _wrong("this is no key", place, "text that is not empty, or an integer", shown(key))


def _wrong(what: str, where: str, allowed: str, got: str) -> RequestInvalid:
    do = "mend the item and send all of them again: none was accepted"
    return RequestInvalid(what, where=where, allowed=allowed, got=got, do=do)
