"""The Open Inference Protocol v2 over REST, as clients of KServe, Triton and Seldon speak it.

    GET  /v2, /v2/health/live, /v2/health/ready, /v2/models/{system}, /v2/models/{system}/ready
    POST /v2/models/{system}/infer

Standard: github.com/kserve/open-inference-protocol, inference_rest.md; with Triton's extension binary_tensor_data
(extension_binary_data.md): values as bytes behind the JSON, whose length is in Inference-Header-Content-Length.

A request field is a tensor of shape [rows] or [rows, 1]; null, or NaN, is what is not known. Answered are the
tensors "score", "id", "key", "release" and "details": of each row a JSON object with what it was answered
without, and with the fallback that has answered it, if one has.
There are no versions: which release answers is the route's to say. A parameter that cannot be obeyed is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from trimtab.kernel.errors import listed, shown
from trimtab.serving.answer import Answer, Answered, details
from trimtab.serving.nan_json import without_nan
from trimtab.serving.openapi import JSON, STRING, WHOLE, body, get, many, post, record, trimtab_version
from trimtab.serving.problem import Problem, not_ready
from trimtab.serving.released import Serving
from trimtab.serving.rows import AS_OF, check_number, place
from trimtab.serving.tensor import (
    BYTES,
    DATATYPES,
    Tensor,
    checked,
    columns_of,
    datatype_of,
    refuse,
    rows_of,
    to_bytes,
    where_of,
)
from trimtab.serving.wire import Asked, Content, Fields, Get, Headers, Schema

_BINARY = "binary_tensor_data"
_LENGTH = b"inference-header-content-length"
_OCTETS = "application/octet-stream"
_OUTPUTS = {"score": "FP64", "id": BYTES, "key": BYTES, "release": BYTES, "details": BYTES}
_SHAPE = '{"inputs": [{"name", "shape", "datatype", "data"}, …]}'


class _Output(Struct):
    name: str
    parameters: dict[str, Any] = {}


class _Request(Struct, forbid_unknown_fields=True):
    inputs: list[Tensor]
    id: str | UnsetType = UNSET
    parameters: dict[str, Any] = {}
    outputs: list[_Output] = []
    model_name: str | UnsetType = UNSET


class _Response(Struct, omit_defaults=True):
    model_name: str
    outputs: list[Tensor]
    parameters: dict[str, int]
    id: str | UnsetType = UNSET


@dataclass(frozen=True)
class _Echo:
    """What the answer needs again."""

    id: str | UnsetType
    outputs: Mapping[str, bool]  # asked for, in this order; whether as bytes


_decode = msgspec.json.Decoder(_Request).decode


class OpenInference:
    """Implements Wire."""

    prefix = "/v2/"

    def __init__(self, system: str) -> None:
        self._system = system
        self._model = f"/v2/models/{system}"
        server = msgspec.json.encode({"name": "trimtab", "version": trimtab_version(), "extensions": [_BINARY]})
        self.predicts: Sequence[str] = (f"{self._model}/infer",)
        self.gets: Mapping[str, Get] = {
            "/v2": lambda _path, _serving: server,
            "/v2/": lambda _path, _serving: server,  # the standard writes it both ways
            "/v2/health/live": lambda _path, _serving: b'{"live":true}',
            "/v2/health/ready": self._ready,
            self._model: self._metadata,
            f"{self._model}/ready": self._ready,
        }

    def decode(self, body: bytes, headers: Headers, *, max_rows: int, fields: Fields) -> Asked:
        """Rows of columns."""
        head, tail = _split(body, headers)
        try:
            request = _decode(without_nan(head))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            refuse("the body is not an inference request", "body", _SHAPE, str(error) or type(error).__name__)
        if request.model_name not in (UNSET, self._system):
            refuse("the model's name is another one", "model_name", self._system, str(request.model_name))
        outputs = _outputs(request)
        _check_names([one.name for one in request.inputs], [name for name, _ in fields])
        counts = {rows_of(one) for one in request.inputs}
        if len(counts) != 1:
            refuse("the inputs have different numbers of rows", "inputs", "one number", listed(sorted(counts)))
        check_number(rows := counts.pop(), "inputs", max_rows)
        values = columns_of(request.inputs, rows, tail)
        names = [one.name for one in request.inputs]
        asked = [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
        return Asked(asked, _Echo(request.id, outputs))

    def encode(self, answer: Answer, asked: Asked) -> bytes:
        """The outputs that were asked for, as JSON or as bytes behind it."""
        echo: _Echo = asked.echo
        rows = answer.predictions
        tensors: list[Tensor] = []
        raw: list[bytes] = []
        for name, binary in echo.outputs.items():
            tensor = Tensor(name, [len(rows)], _OUTPUTS[name])
            values = _values(name, rows)
            if binary:
                raw.append(to_bytes(tensor.datatype, values))
                tensor.parameters = {"binary_data_size": len(raw[-1])}
            else:
                tensor.data = values
            tensors.append(tensor)
        response = _Response(self._system, tensors, {"generation": answer.generation}, echo.id)
        head = msgspec.json.encode(response)
        if not raw:
            return head
        return Content(b"".join([head, *raw]), _OCTETS.encode(), [(_LENGTH, str(len(head)).encode())])

    def refuse(self, problem: Problem) -> bytes:
        """All parts as one text, as the standard wants it; rows are named by their tensor."""
        found = place(problem.where)
        if found is not None:
            row, field = found
            where = f"{where_of(field)}, row {row}" if field else f"inputs, row {row}"
            problem = replace(problem, where=where)
        return msgspec.json.encode({"error": problem.line()})

    def paths(self, row: Schema) -> Mapping[str, Schema]:
        """All of its addresses."""
        error = record({"error": STRING})
        tensor = record({"name": STRING, "datatype": STRING, "shape": many(WHOLE)})
        server = get(
            "Server metadata", {JSON: record({"name": STRING, "version": STRING, "extensions": many(STRING)})}
        )
        model = {"name": STRING, "platform": STRING, "inputs": many(tensor), "outputs": many(tensor)}
        live, ready = {"live": {"type": "boolean"}}, {"name": STRING, "ready": {"type": "boolean"}}
        return {
            "/v2": server,
            "/v2/health/live": get("Whether the server is alive", {JSON: record(live)}),
            "/v2/health/ready": get("Whether a release is loaded", {JSON: record(ready)}, error=error),
            self._model: get("Model metadata", {JSON: record(model)}, error=error),
            f"{self._model}/ready": get("Whether a release is loaded", {JSON: record(ready)}, error=error),
            self.predicts[0]: _described(row, error),
        }

    def _ready(self, path: str, serving: Serving | None) -> Problem | bytes:
        if serving is None:
            return not_ready(path, self._system)
        return msgspec.json.encode({"name": self._system, "ready": True, "live": True})

    def _metadata(self, path: str, serving: Serving | None) -> Problem | bytes:
        if serving is None:
            return not_ready(path, self._system)
        inputs = [(name, datatype_of(kind)) for name, kind in serving.releases[0].request]
        told = {
            "name": self._system,
            "platform": "trimtab",
            "inputs": [Tensor(name, [-1], datatype) for name, datatype in inputs],
            "outputs": [Tensor(name, [-1], datatype) for name, datatype in _OUTPUTS.items()],
        }
        return msgspec.json.encode(told)


def _split(body: bytes, headers: Headers) -> tuple[bytes, bytes]:
    """The JSON, and the bytes behind it."""
    length = next((value for name, value in headers if name == _LENGTH), None)
    if length is None:
        return body, b""
    if not (length.isdigit() and len(length) < 12 and 0 < int(length) <= len(body)):
        got = length[:40].decode("latin-1")
        refuse("the JSON's length is not within the body", _LENGTH.decode(), f"1 to {len(body)}", got)
    return body[: int(length)], body[int(length) :]


def _outputs(request: _Request) -> Mapping[str, bool]:
    """The outputs that are asked for; all of them if none is named."""
    binary = _flag("parameters", request.parameters, "binary_data_output", default=False)
    if not request.outputs:
        return dict.fromkeys(_OUTPUTS, binary)
    names = [one.name for one in request.outputs]
    if not set(names) <= _OUTPUTS.keys() or len(set(names)) < len(names):
        refuse("an output is unknown or named twice", "outputs", listed(_OUTPUTS), listed(names))
    return {
        one.name: _flag(f"outputs '{one.name}'", one.parameters, "binary_data", default=binary)
        for one in request.outputs
    }


def _check_names(got: Sequence[str], fields: Sequence[str]) -> None:
    missing = [name for name in fields if name not in got]
    unknown = [name for name in got if name not in fields and name != AS_OF]
    if missing or unknown or len(set(got)) < len(got):
        told = f"missing {listed(missing)}; unknown {listed(unknown)}; {len(got)} inputs"
        refuse("the inputs are not the fields of the request, each once", "inputs", listed(fields), told)


def _flag(where: str, parameters: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = checked(where, parameters, name)
    if value is None:
        return default
    if not isinstance(value, bool):
        refuse(f"'{name}' is neither true nor false", where, "true, false", shown(value))
    return value


def _values(name: str, rows: Sequence[Answered]) -> list[Any]:
    if name == "details":
        return [msgspec.json.encode(details(one)).decode() for one in rows]
    return [getattr(one, name) for one in rows]


def _described(row: Schema, error: Schema) -> Schema:
    taken = {"type": "array", "items": {"type": ["number", "string", "boolean", "null", "array"]}}
    given = {
        "name": {"enum": list(row["properties"])} if "properties" in row else STRING,
        "shape": many(WHOLE),
        "datatype": {"enum": list(DATATYPES)},
    }
    parameters: Schema = {"type": "object"}
    output = record({"name": {"enum": list(_OUTPUTS)}}, {"parameters": parameters})
    asked = body(
        {"inputs": many(record(given, {"data": taken, "parameters": parameters}))},
        {"id": STRING, "model_name": STRING, "parameters": parameters, "outputs": many(output)},
    )
    tensor = record(
        {"name": STRING, "shape": many(WHOLE), "datatype": STRING}, {"data": taken, "parameters": parameters}
    )
    answer = record({"model_name": STRING, "outputs": many(tensor)}, {"id": STRING, "parameters": parameters})
    return post(
        "Inference: a tensor for each request field in, scores and prediction ids out",
        {JSON: asked, _OCTETS: {"type": "string", "format": "binary"}},
        {JSON: answer, _OCTETS: {"type": "string", "format": "binary"}},
        error=error,
        parameters=[{"name": _LENGTH.decode(), "in": "header", "required": False, "schema": WHOLE}],
    )
