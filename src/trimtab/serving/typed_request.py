"""Decoding rows by the types of their fields: in half the time of decoding whatever there is and checking it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

import msgspec

from trimtab.ports.typed_rows import Fields, TypedRows

Decode: TypeAlias = Callable[[bytes], TypedRows]

# As `request_columns` of the features takes them: msgspec lets neither NaN nor half a surrogate pair pass, takes
# whole numbers where a Float64 is asked for, and nothing else for anything else.
_KINDS: dict[str, Any] = {
    "String": str | None,
    "Int64": Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None,
    "Float64": float | None,
    "Boolean": bool | None,
}


def typed_request(fields: Fields, under: str) -> Decode | None:
    """What decodes a body {under: [row, …]}; None where a field's values must be read before they are of its type.

    A body that does not fit makes it raise msgspec.MsgspecError or UnicodeDecodeError: it may hold rows that carry
    more or less, or be none; it is to be decoded once more by what can tell.

    >>> decode = typed_request((("key", "String"), ("x", "Float64")), "rows")
    >>> decode(b'{"rows": [{"x": 1, "key": "a"}]}')[0]
    {'key': 'a', 'x': 1.0}
    """
    if not fields or any(kind not in _KINDS for _, kind in fields):
        return None
    # Names of fields may be any text, those of a Struct may not.
    names = {f"field_{number}": name for number, (name, _) in enumerate(fields)}
    typed = [(given, _KINDS[kind]) for given, (_, kind) in zip(names, fields, strict=True)]
    # Rows hold nothing that could hold them: the garbage collector need not know them.
    row = msgspec.defstruct("Row", typed, rename=names, forbid_unknown_fields=True, gc=False)
    rows: Any = list[row]  # type: ignore[valid-type]
    request = msgspec.defstruct("Request", [("rows", rows)], rename={"rows": under}, forbid_unknown_fields=True)
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(request).decode
    return lambda body: TypedRows(fields, decode(body).rows)
