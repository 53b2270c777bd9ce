"""The tensors of the Open Inference Protocol: each a column of values, as JSON or as bytes behind it.

Bytes are little-endian and without padding; text is a length of four bytes, then UTF-8; true is 1. The standard has
no null: null in JSON, and NaN in floating point, is what is not known.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NoReturn

from msgspec import UNSET, Meta, Struct, UnsetType

from trimtab.kernel.canonical import Json
from trimtab.kernel.errors import RequestInvalid, listed, shown

BYTES = "BYTES"
_CODES = {  # of the module struct
    "BOOL": "?",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
}
DATATYPES = (*_CODES, BYTES)
_CODECS = ("np", "pd", "str", "datetime")  # MLServer's hints that change nothing
_LENGTH = struct.Struct("<I")
_OF_FIELDS = {"Int64": "INT64", "Float64": "FP64", "Boolean": "BOOL"}


class Tensor(Struct, omit_defaults=True):
    """As the JSON of a request or of an answer names it."""

    name: str
    shape: Annotated[list[int], Meta(max_length=8)]
    datatype: str
    parameters: dict[str, Any] = {}
    data: list[Any] | UnsetType = UNSET


def datatype_of(kind: str) -> str:
    """What a request field of a Polars type is described as; text and times are BYTES."""
    return _OF_FIELDS.get(kind, BYTES)


def where_of(name: str) -> str:
    """How an error names an input."""
    return f"input '{name}'"


def rows_of(tensor: Tensor) -> int:
    """How many rows a tensor has.

    Raises:
        RequestInvalid: an unknown datatype, or more than one value a row.
    """
    where, shape = where_of(tensor.name), tensor.shape
    if tensor.datatype not in DATATYPES:
        refuse("the datatype is unknown", where, listed(DATATYPES, most=20), tensor.datatype)
    if len(shape) not in (1, 2) or shape[1:] not in ([], [1]) or shape[0] < 0:
        refuse("the shape is not one value a row", where, "[rows] or [rows, 1]", str(shape)[:100])
    return shape[0]


def columns_of(inputs: Sequence[Tensor], rows: int, tail: bytes) -> list[list[Json]]:
    """The values of inputs that `rows_of` has seen: from their data, or from the next bytes behind the JSON.

    Raises:
        RequestInvalid: an input without values, or bytes that are not as said.
    """
    columns: list[list[Json]] = []
    start = 0
    for one in inputs:
        where = where_of(one.name)
        size = checked(where, one.parameters, "binary_data_size")
        if (size is None) == (one.data is UNSET):
            refuse(
                "an input has no values, or two kinds of them",
                where,
                "either data, or the parameter binary_data_size",
                "none" if size is None else "both",
            )
        if size is None:
            assert one.data is not UNSET
            columns.append(from_json(where, one.datatype, one.shape, one.data))
            continue
        if type(size) is not int or not 0 <= size <= len(tail) - start:
            refuse("binary_data_size is wrong", where, f"0 to {len(tail) - start}, the bytes left", shown(size))
        columns.append(from_bytes(where, one.datatype, rows, tail[start : start + size]))
        start += size
    if start != len(tail):
        refuse("bytes behind the JSON are of no input", "body", f"{start} bytes", f"{len(tail)} bytes")
    return columns


def checked(where: str, parameters: Mapping[str, Any], known: str) -> Any:
    """The value of the one parameter that is known here, or None.

    Raises:
        RequestInvalid: there is another one: it might change what is meant.
    """
    for name, value in parameters.items():
        if name != known and not (name == "content_type" and value in _CODECS):
            allowed = f"{known}; content_type, one of {listed(_CODECS)}"
            refuse("a parameter is not taken", where, allowed, f"{name[:80]}: {shown(value)}")
    return parameters.get(known)


def from_json(where: str, datatype: str, shape: Sequence[int], data: Sequence[Any]) -> list[Json]:
    """The values of a tensor whose shape and datatype `rows_of` has seen; flat, or nested as the shape says.

    Floating point is rounded to its datatype, so that JSON and bytes say the same.

    Raises:
        RequestInvalid: not as many as the shape says, or not of the datatype.
    """
    if len(shape) == 2 and all(type(one) is list and len(one) == 1 for one in data):
        data = [one[0] for one in data]
    if len(data) != shape[0]:
        refuse("the shape and the data do not agree", where, f"{shape[0]} values", f"{len(data)} values")
    known = [one for one in data if one is not None]
    for value in known:
        if type(value) not in _TYPES[datatype]:
            refuse("a value is not of the datatype", where, datatype, shown(value))
    values: list[Json] = known if datatype == BYTES else _rounded(where, datatype, known)
    if len(known) == len(data):
        return values
    following = iter(values)
    return [None if one is None else next(following) for one in data]


def from_bytes(where: str, datatype: str, rows: int, raw: bytes) -> list[Json]:
    """The values of a tensor of so many rows.

    Raises:
        RequestInvalid: too many bytes or too few, or not of the datatype.
    """
    if datatype == BYTES:
        return _texts(where, rows, raw)
    code = _CODES[datatype]
    size_bytes = rows * struct.calcsize(f"<{code}")
    if len(raw) != size_bytes:
        refuse("the shape and the data do not agree", where, f"{size_bytes} bytes", f"{len(raw)} bytes")
    if datatype == "BOOL" and raw.translate(None, b"\0\1"):
        refuse("a value is not of the datatype", where, "bytes 0 and 1", "another byte")
    values = struct.unpack(f"<{rows}{code}", raw)
    if code not in "efd":
        return list(values)
    if any(map(math.isinf, values)):
        refuse("a value is not finite", where, "finite numbers, or NaN for what is not known", "infinity")
    return [None if value != value else value for value in values]  # noqa: PLR0124 - NaN


def to_bytes(datatype: str, values: Sequence[Any]) -> bytes:
    """The bytes of values that are of the datatype."""
    if datatype == BYTES:
        texts = [str(value).encode() for value in values]
        return b"".join(_LENGTH.pack(len(text)) + text for text in texts)
    return struct.pack(f"<{len(values)}{_CODES[datatype]}", *values)


_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(_CODES, (int,)),
    **dict.fromkeys(("FP16", "FP32", "FP64"), (float, int)),
    "BOOL": (bool,),
    BYTES: (str,),
}


def _rounded(where: str, datatype: str, values: Sequence[Any]) -> list[Json]:
    form = f"<{len(values)}{_CODES[datatype]}"
    try:
        return list(struct.unpack(form, struct.pack(form, *values)))
    except (struct.error, OverflowError) as error:
        refuse("a value is out of the datatype's range", where, datatype, str(error))


def _texts(where: str, rows: int, raw: bytes) -> list[Json]:
    texts: list[Json] = []
    start = 0
    try:
        for _ in range(rows):
            (length,) = _LENGTH.unpack_from(raw, start)
            start += _LENGTH.size + length
            if start > len(raw):
                raise struct.error(f"text of {length} bytes is cut off")
            texts.append(raw[start - length : start].decode())
    except struct.error as error:
        refuse("the shape and the data do not agree", where, f"{rows} texts, each after its length", str(error))
    except UnicodeDecodeError as error:
        refuse("a text is not UTF-8", where, "UTF-8", str(error))
    if start != len(raw):
        refuse("the shape and the data do not agree", where, f"{start} bytes", f"{len(raw)} bytes")
    return texts


def refuse(what: str, where: str, allowed: str, got: str) -> NoReturn:
    """Raises RequestInvalid."""
    raise RequestInvalid(what, where=where, allowed=allowed, got=got, do="correct the request and send it again")
