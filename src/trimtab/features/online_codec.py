"""How facts and events lie in the online store."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from json.encoder import encode_basestring
from typing import Any, TypeAlias

import msgspec

from trimtab.kernel.canonical import Json, canonical, sha256

Bytes: TypeAlias = bytes | memoryview

_VERSION_LETTERS = 16
_LONGEST_KEY_BYTES = 511  # LMDB's limit
# How facts, events and what is remembered of them are written: in every key, so that of two Trimtabs each finds its
# own. Raise it with any change of what is stored.
_FORMAT = b"2"
_LONGEST_PART_BYTES = _LONGEST_KEY_BYTES - _VERSION_LETTERS - len(_FORMAT) - 1
_HEAD = struct.Struct("<IIqq")
_TIME, _END = struct.Struct("<q"), struct.Struct("<I")


class Fact(msgspec.Struct, array_like=True):
    """One fact about an entity."""

    visible_us: int  # max(event, known)
    event_us: int
    known_us: int
    values: list[Any]  # JSON


class Projected(msgspec.Struct, array_like=True):
    """How far a view has been projected."""

    number: int  # dataset version of its source
    known_until_us: int
    floor_us: int  # questions before this instant cannot be answered any more
    columns: list[str]


NOTHING = Projected(0, -(2**63), -(2**63), [])  # of a source without a version

_values = msgspec.msgpack.Decoder(list[Any])
_projected = msgspec.msgpack.Decoder(Projected)
_encoder = msgspec.msgpack.Encoder()


def key(version: str, entity: Sequence[Json]) -> bytes:
    """The key of an entity's facts under one version of a view; versions live side by side."""
    return key_prefix(version) + entity_part(entity)


def key_prefix(version: str) -> bytes:
    """What the keys of all entities under one version of a view begin with."""
    return stored_name(version) + b"|"


def entity_part(entity: Sequence[Json]) -> bytes:
    """What the keys of an entity end with, whatever the view: canonical JSON, or its digest if that is too long."""
    cells = _cell(entity[0]) if len(entity) == 1 else ",".join(map(_cell, entity))
    full = f"[{cells}]".encode()
    return full if len(full) <= _LONGEST_PART_BYTES else sha256(full).encode()


def _cell(cell: Json) -> str:
    # As `canonical` writes it, which takes ten times as long.
    kind = type(cell)
    if kind is str:
        return encode_basestring(cell)  # type: ignore[arg-type]
    return str(cell) if kind is int else canonical(cell).decode()


def projected_key(version: str) -> bytes:
    """The key under which a view's progress stands."""
    return stored_name(version) + b"#"


def stored_name(version: str) -> bytes:
    """What all keys of one version of a view begin with; a letter that says what follows stands behind it."""
    return version[:_VERSION_LETTERS].encode() + _FORMAT


def encode_facts(facts: list[Fact]) -> bytes:
    """Facts in the order in which they became visible.

    First all of the last fact, which is nearly always the one that is asked for: how many facts there are, how many
    bytes its values take, its visible and event times, its values as msgpack. Then its known time, and the
    rest: n visible times, n event times, n known times (8 bytes each), where the values of each end (4 bytes each),
    and the values of each: any one fact is read without the others.
    """
    if not facts:
        return _HEAD.pack(0, 0, 0, 0)
    *rest, last = facts
    newest = _encoder.encode(last.values)
    values = [_encoder.encode(fact.values) for fact in rest]
    times = [(fact.visible_us, fact.event_us, fact.known_us) for fact in rest]
    flat = [time for column in zip(*times, strict=True) for time in column]
    return b"".join(
        (
            _HEAD.pack(len(facts), len(newest), last.visible_us, last.event_us),
            newest,
            struct.pack(f"<{len(flat) + 1}q{len(values)}I", last.known_us, *flat, *accumulate(map(len, values))),
            *values,
        )
    )


def decode_facts(data: bytes | None) -> list[Fact]:
    """No bytes, no facts."""
    if data is None:
        return []
    count, length, visible_us, event_us = _HEAD.unpack_from(data)
    if not count:
        return []
    rest = count - 1
    place = _HEAD.size + length
    form = struct.Struct(f"<{3 * rest + 1}q{rest}I")
    known_us, *numbers = form.unpack_from(data, place)
    start = place + form.size
    visible, event, known, ends = (numbers[part * rest : (part + 1) * rest] for part in range(4))
    values = [_values.decode(data[start + a : start + b]) for a, b in zip((0, *ends), ends, strict=False)]
    older = [Fact(*one) for one in zip(visible, event, known, values, strict=True)]
    return [*older, Fact(visible_us, event_us, known_us, _values.decode(data[_HEAD.size : place]))]


def newest_fact(data: Bytes, at_us: int) -> tuple[int, list[Any]] | None:
    """The event time and the values of the last fact that is visible at an instant."""
    count, length, visible_us, event_us = _HEAD.unpack_from(data)
    place = _HEAD.size + length
    if visible_us <= at_us and count:
        return event_us, _values.decode(data[_HEAD.size : place])
    rest = count - 1
    times = place + 8  # behind the last fact's known time
    found = bisect_right(memoryview(data)[times : times + 8 * rest].cast("q"), at_us) if rest > 0 else 0
    if not found:
        return None
    ends = times + 24 * rest
    start = ends + 4 * rest
    first = _END.unpack_from(data, ends + 4 * found - 8)[0] if found > 1 else 0
    last = _END.unpack_from(data, ends + 4 * found - 4)[0]
    event_us = _TIME.unpack_from(data, times + 8 * (rest + found - 1))[0]
    return event_us, _values.decode(data[start + first : start + last])


def encode_projected(progress: Projected) -> bytes:
    """A view's progress."""
    return _encoder.encode(progress)


def decode_projected(data: Bytes | None) -> Projected | None:
    """None before the first projection."""
    return None if data is None else _projected.decode(data)
