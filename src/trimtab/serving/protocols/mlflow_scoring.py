"""MLflow's scoring protocol, as `mlflow models serve` 3.17 speaks it; SageMaker's container contract is part of it.

    POST /invocations      GET /ping, /health, /version

    request   application/json: {"dataframe_split": {"columns", "data"}}, {"dataframe_records": [{…}, …]},
              {"instances": [{…}, …]} or {"inputs": {column: [value, …]}, or a list of records};
              text/csv: a line of names, then one line a row; an empty cell is null
    answer    {"predictions": [score, …], "metadata": {"system", "generation", "rows": [{"id", "key", …}, …]}}
    error     {"error_code", "message"}

`metadata` stands where MLflow's own server puts its own, and tells of each row what the native protocol tells:
SageMaker passes on no headers. NaN is null. `params` are refused, since a release's configuration is part of it,
and so are columns without names. Unlike MLflow, a column that the system does not know is refused.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NoReturn

import msgspec
from msgspec import UNSET, Struct, UnsetType

from trimtab.kernel.canonical import Json
from trimtab.kernel.errors import RequestInvalid, listed, shown
from trimtab.serving.answer import Answer, details
from trimtab.serving.nan_json import without_nan
from trimtab.serving.openapi import FALLBACK, JSON, NUMBER, STRING, TEXT, WHOLE, body, get, many, post, record
from trimtab.serving.problem import Problem, Refused, not_ready, unsupported_content
from trimtab.serving.released import Serving
from trimtab.serving.rows import check_number, place
from trimtab.serving.wire import Asked, Content, Fields, Get, Headers, Row, Schema

MLFLOW = "3.17.2"  # whose protocol this is
_INVOCATIONS = "/invocations"
_CSV = "text/csv"
_CODES = {  # of mlflow.exceptions.ERROR_CODE_TO_HTTP_STATUS
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "ENDPOINT_NOT_FOUND",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_TRUTH = {"true": True, "false": False}


class _Split(Struct, forbid_unknown_fields=True):
    columns: list[str]
    data: list[list[Any]]
    index: list[Any] | None = None  # says nothing about the rows


class _Request(Struct, forbid_unknown_fields=True):
    dataframe_split: _Split | UnsetType = UNSET
    dataframe_records: list[dict[str, Any]] | UnsetType = UNSET
    instances: list[dict[str, Any]] | UnsetType = UNSET
    inputs: dict[str, Any] | list[dict[str, Any]] | UnsetType = UNSET
    params: dict[str, Any] | None = None


_FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_decode = msgspec.json.Decoder(_Request).decode


class MlflowScoring:
    """Implements Wire."""

    prefix = ""

    def __init__(self, system: str) -> None:
        self._system = system
        self.predicts: Sequence[str] = (_INVOCATIONS,)
        self.gets: Mapping[str, Get] = {
            "/ping": self._ping,
            "/health": self._ping,
            "/version": lambda _path, _serving: Content(MLFLOW.encode(), TEXT.encode()),
        }

    def decode(self, body: bytes, headers: Headers, *, max_rows: int, fields: Fields) -> Asked:
        """The rows of a frame."""
        return Asked(
            _of_csv(body, fields, max_rows) if _content_type(headers) == _CSV else _of_json(body, max_rows)
        )

    def encode(self, answer: Answer, asked: Asked) -> bytes:  # noqa: ARG002 - Wire's
        """The scores, and beside them what is told of each row."""
        told = [
            {"id": one.id, "key": one.key, "release": one.release, **details(one)} for one in answer.predictions
        ]
        metadata = {"system": answer.system, "generation": answer.generation, "rows": told}
        return msgspec.json.encode({"predictions": [one.score for one in answer.predictions], "metadata": metadata})

    def refuse(self, problem: Problem) -> bytes:
        """MLflow's code for the status, and all parts as one text."""
        code = _CODES.get(problem.status, "BAD_REQUEST" if problem.status < 500 else "INTERNAL_ERROR")
        found = place(problem.where)
        if found is not None:
            number, field = found
            problem = replace(problem, where=f"row {number}" + (f", column '{field}'" if field else ""))
        return msgspec.json.encode({"error_code": code, "message": problem.line()})

    def paths(self, row: Schema) -> Mapping[str, Schema]:
        """All of its addresses."""
        error = record({"error_code": STRING, "message": STRING})
        ping = get("Whether a release is loaded", {TEXT: STRING}, error=error)
        records = many(row, at_least=1)
        forms = {
            "dataframe_split": body({"columns": many(STRING), "data": many(many({}))}, {"index": many({})}),
            "dataframe_records": records,
            "instances": records,
            "inputs": {"anyOf": [{"type": "object"}, records]},
        }
        asked = {"oneOf": [body({name: schema}) for name, schema in forms.items()]}
        told = record(
            {"id": STRING, "key": STRING, "release": STRING, "missing": many(STRING)}, {"fallback": FALLBACK}
        )
        metadata = record({"system": STRING, "generation": WHOLE, "rows": many(told)})
        answer = record({"predictions": many(NUMBER), "metadata": metadata})
        return {
            "/ping": ping,
            "/health": ping,
            "/version": get("The version of MLflow whose protocol this is", {TEXT: STRING}),
            _INVOCATIONS: post("Scores of a frame", {JSON: asked, _CSV: STRING}, {JSON: answer}, error=error),
        }

    def _ping(self, path: str, serving: Serving | None) -> Problem | bytes:
        return not_ready(path, self._system) if serving is None else Content(b"\n", TEXT.encode())


def _content_type(headers: Headers) -> str:
    """The media type; only UTF-8 is read, as by MLflow."""
    told = next((value.decode("latin-1") for name, value in headers if name == b"content-type"), "")
    kind, *parameters = (part.strip().lower() for part in told.split(";"))
    if kind not in (JSON, _CSV) or any(one not in ("charset=utf-8", 'charset="utf-8"') for one in parameters):
        allowed = f"{JSON} or {_CSV}, with charset=utf-8 or without a charset"
        raise Refused(unsupported_content(_INVOCATIONS, "the content type is not supported", allowed, told[:80]))
    return kind


def _of_json(body: bytes, max_rows: int) -> list[Row]:
    try:
        request = _decode(without_nan(body))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        _refuse("the body is not a scoring request", "body", _one_of(), str(error) or type(error).__name__)
    forms = [name for name in _FORMS if getattr(request, name) is not UNSET]
    if len(forms) != 1:
        _refuse("the body is not a scoring request", "body", _one_of(), listed(forms))
    if request.params:
        got = f"{len(request.params)} params"
        _refuse("params are not taken", "params", "none: a release's configuration is part of the release", got)
    frame: _Split | dict[str, Any] | list[Row] = getattr(request, forms[0])
    if isinstance(frame, _Split):
        return _of_split(frame, max_rows)
    if isinstance(frame, dict):
        return _of_columns(frame, max_rows)
    check_number(len(frame), forms[0], max_rows)
    return frame


def _of_split(frame: _Split, max_rows: int) -> list[Row]:
    where = "dataframe_split"
    check_number(len(frame.data), f"{where}.data", max_rows)
    _check_columns(frame.columns, f"{where}.columns")
    for number, cells in enumerate(frame.data):
        if len(cells) != len(frame.columns):
            _refuse_width(f"{where}.data[{number}]", len(frame.columns), len(cells))
    if frame.index is not None and len(frame.index) != len(frame.data):
        allowed = f"as many as rows, {len(frame.data)}"
        _refuse("the index is of other rows", f"{where}.index", allowed, f"{len(frame.index)}")
    return [dict(zip(frame.columns, cells, strict=True)) for cells in frame.data]


def _of_columns(columns: Mapping[str, Any], max_rows: int) -> list[Row]:
    """Of equally long lists; of one row if there are no lists, as MLflow has it."""
    lists = [cells for cells in columns.values() if isinstance(cells, list)]
    if not lists:
        return [dict(columns)]
    lengths = {len(cells) for cells in lists}
    if len(lists) < len(columns) or len(lengths) > 1:
        got = listed(sorted(lengths)) + (", and no list" if len(lists) < len(columns) else "")
        _refuse("the columns are not equally long", "inputs", "lists of one length, or no list at all", got)
    check_number(len(lists[0]), "inputs", max_rows)
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*lists, strict=True)]


def _of_csv(body: bytes, fields: Fields, max_rows: int) -> list[Row]:
    try:
        reader = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        names = next(reader, [])
        lines = list(islice((line for line in reader if line), max_rows + 1))
    except (csv.Error, UnicodeDecodeError) as error:
        _refuse("the body is not CSV", "body", "CSV in UTF-8, a line of names first", str(error)[:100])
    _check_columns(names, "line 1")
    check_number(len(lines), "body", max_rows)
    kinds = dict(fields)
    rows: list[Row] = []
    for number, cells in enumerate(lines):
        if len(cells) != len(names):
            _refuse_width(f"row {number}", len(names), len(cells))
        told = zip(names, cells, strict=True)
        rows.append({name: _cell(cell, kinds.get(name, ""), number, name) for name, cell in told})
    return rows


def _cell(text: str, kind: str, number: int, name: str) -> Json:
    """Text as a value of a request field's type; times are read where the features are."""
    try:
        return _value(text, kind)
    except (ValueError, KeyError):
        _refuse("a value is not of its column's type", f"row {number}, column '{name}'", kind, shown(text))


def _value(text: str, kind: str) -> Json:
    if text == "" or (kind == "Float64" and text.lower() == "nan"):
        return None
    if kind in ("Int64", "Float64") and "_" in text:  # Python's own way to group digits
        raise ValueError
    match kind:
        case "Int64":
            return int(text)
        case "Boolean":
            return _TRUTH[text.lower()]
        case "Float64" if math.isfinite(number := float(text)):
            return number
        case "Float64":
            raise ValueError
    return text


def _check_columns(names: Sequence[str], where: str) -> None:
    if not names or "" in names or len(set(names)) < len(names):
        got = f"{len(names)} columns, {len(set(names))} names" + (", one of them empty" if "" in names else "")
        _refuse("a column has no name of its own", where, "each column named once, and no index column", got)


def _refuse_width(where: str, columns: int, cells: int) -> NoReturn:
    _refuse("a row has too few values, or too many", where, f"{columns} values", f"{cells} values")


def _one_of() -> str:
    return f"JSON with exactly one of {listed(_FORMS)}"


def _refuse(what: str, where: str, allowed: str, got: str) -> NoReturn:
    raise RequestInvalid(what, where=where, allowed=allowed, got=got, do="correct the request and send it again")
