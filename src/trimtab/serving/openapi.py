"""What the data plane says of itself: `GET /openapi.json`, OpenAPI 3.1, put together from its protocols."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version

import msgspec

from trimtab.serving.wire import Fields, Schema

ADDRESS = "/openapi.json"
JSON, TEXT = "application/json", "text/plain"
STRING: Schema = {"type": "string"}
NUMBER: Schema = {"type": ["number", "null"]}  # null: a model's NaN
WHOLE: Schema = {"type": "integer"}
FALLBACK: Schema = {
    "type": "string",
    "description": "the kind of fallback that has answered, because the release could not; absent: the release has",
}
_OF_FIELDS: dict[str, Schema] = {
    "String": {"type": ["string", "null"]},
    "Int64": {"type": ["integer", "null"], "minimum": -(2**63), "maximum": 2**63 - 1},
    "Float64": {"type": ["number", "null"]},
    "Boolean": {"type": ["boolean", "null"]},
}
_KEYS: dict[str, Schema] = {
    "String": {"type": "string", "minLength": 1},
    "Int64": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
}
_TIME: Schema = {
    "type": ["string", "integer", "null"],
    "description": "ISO 8601 with a zone, or microseconds since 1970 UTC",
}


_SECURED: dict[str, object] = {
    "components": {
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer"},
            "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
        }
    },
    "security": [{"bearer": []}, {"key": []}],
}


def record(needed: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """An object of these properties; others are left open."""
    return {"type": "object", "properties": {**needed, **(optional or {})}, "required": list(needed)}


def body(needed: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """An object of these properties and no others, as requests are."""
    return {**record(needed, optional), "additionalProperties": False}


def many(items: Schema, *, at_least: int = 0) -> Schema:
    """A list."""
    return {"type": "array", "items": items, "minItems": at_least}


PROBLEM = record({"error": record(dict.fromkeys(("what", "where", "allowed", "got", "do"), STRING))})


@cache
def trimtab_version() -> str:
    """Of the distribution that is installed."""
    return version("trimtab")


def row(fields: Fields, key: str) -> Schema:
    """One row of a request: its fields by their Polars types, of which the key, if there is one, is never null."""
    columns = {name: _OF_FIELDS.get(kind, _TIME) for name, kind in fields}
    return record(columns | {name: _KEYS.get(kind, columns[name]) for name, kind in fields if name == key})


def get(summary: str, answer: Mapping[str, Schema], *, error: Schema | None = None) -> Schema:
    """An address that answers GET.

    Args:
        summary: one line.
        answer: schemas by content type.
        error: what a server that is not ready says; None: the address answers always.
    """
    answers = {"200": {"description": "the answer", "content": _content(answer)}}
    if error is not None:
        answers["503"] = {"description": "not ready", "content": _content({JSON: error})}
    return {"get": {"summary": summary, "responses": answers}}


def post(
    summary: str,
    asked: Mapping[str, Schema],
    answer: Mapping[str, Schema],
    *,
    error: Schema,
    parameters: Iterable[Schema] = (),
) -> Schema:
    """An address that takes rows; schemas by content type."""
    refused = {"content": _content({JSON: error})}
    told = {
        "summary": summary,
        "parameters": list(parameters),
        "requestBody": {"required": True, "content": _content(asked)},
        "responses": {
            "200": {"description": "the answer", "content": _content(answer)},
            "4XX": {"description": "the request was refused; nothing was recorded", **refused},
            "5XX": {"description": "no answer, for now or by a fault of the release", **refused},
        },
    }
    return {"post": told}


def own_paths() -> Mapping[str, Schema]:
    """Addresses of no protocol."""
    ready = {"status": STRING, "generation": WHOLE, "system": STRING, "release": STRING}
    return {
        "/healthz": get("Whether the worker is alive", {JSON: record({"status": STRING})}),
        "/readyz": get("Whether a release is loaded", {JSON: record(ready)}, error=PROBLEM),
        "/metrics": get("Prometheus metrics", {TEXT: STRING}),
        ADDRESS: get("This description", {JSON: record({"openapi": STRING})}),
    }


def document(system: str, parts: Iterable[Mapping[str, Schema]], *, keys: bool) -> bytes:
    """The description of all the addresses that the parts tell of; `keys`: whether requests need one."""
    paths = {address: told for part in parts for address, told in part.items()}
    info = {"title": f"Trimtab, system {system}", "version": trimtab_version()}
    told = {"openapi": "3.1.0", "info": info, "paths": dict(sorted(paths.items()))}
    return msgspec.json.encode(told | _SECURED if keys else told)


def _content(schemas: Mapping[str, Schema]) -> Schema:
    return {kind: {"schema": schema} for kind, schema in schemas.items()}
