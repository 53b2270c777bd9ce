"""The record of one answer as bytes: what the prediction log keeps, and what a Merkle tree is made of.

A msgpack array of a Prediction's fields in their order, without the id, which follows from the record's place. The
last two, `fallback` and `cause`, stand there only in the record of a fallback's answer; the log's format 1 does not
have them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from trimtab.kernel.canonical import Json, JsonMap

# A Prediction's fields without the id, in their order.
Plain: TypeAlias = tuple[
    str, str, int, str, int, JsonMap, Sequence[Json], Sequence[int | None], float, Sequence[tuple[str, float]], int
]  # system, release, generation, key, at_us, request, features, ages_us, score, others, latency_us
Marked: TypeAlias = tuple[
    str,
    str,
    int,
    str,
    int,
    JsonMap,
    Sequence[Json],
    Sequence[int | None],
    float,
    Sequence[tuple[str, float]],
    int,
    str,
    str,
]  # the same, fallback, cause
Record: TypeAlias = Plain | Marked


class _Stored(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """A record of any format of the log."""

    system: str
    release: str
    generation: int
    key: str
    at_us: int
    request: dict[str, Any]
    features: tuple[Any, ...]
    ages_us: tuple[int | None, ...]
    score: float
    others: tuple[tuple[str, float], ...]
    latency_us: int
    fallback: str = ""
    cause: str = ""


encode_record = msgspec.msgpack.Encoder().encode
decode_record = msgspec.msgpack.Decoder(_Stored).decode
