"""How facts and events lie in the online store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from trimtab.features.windows import Events
from trimtab.kernel.canonical import Json, canonical, sha256

_VERSION_LETTERS = 16
_LONGEST_KEY_BYTES = 511  # LMDB's limit


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

_facts = msgspec.msgpack.Decoder(list[Fact])
_projected = msgspec.msgpack.Decoder(Projected)
_encoder = msgspec.msgpack.Encoder()


def key(version: str, entity: Sequence[Json]) -> bytes:
    """The key of an entity's facts under one version of a view; versions live side by side."""
    full = canonical(list(entity))
    prefix = version[:_VERSION_LETTERS].encode() + b"|"
    return prefix + (full if len(prefix + full) <= _LONGEST_KEY_BYTES else sha256(full).encode())


def projected_key(version: str) -> bytes:
    """The key under which a view's progress stands."""
    return version[:_VERSION_LETTERS].encode() + b"#"


def encode_facts(facts: list[Fact]) -> bytes:
    """Facts in the order in which they became visible."""
    return _encoder.encode(facts)


def decode_facts(data: bytes | None) -> list[Fact]:
    """No bytes, no facts."""
    return [] if data is None else _facts.decode(data)


def encode_projected(progress: Projected) -> bytes:
    """A view's progress."""
    return _encoder.encode(progress)


def decode_projected(data: bytes | None) -> Projected | None:
    """None before the first projection."""
    return None if data is None else _projected.decode(data)


def encode_events(event_us: np.ndarray, known_us: np.ndarray, value: np.ndarray) -> bytes:
    """Three rows of eight-byte numbers."""
    return event_us.tobytes() + known_us.tobytes() + value.tobytes()


def decode_events(data: bytes | None) -> Events:
    """Events of one key, all of group 0."""
    whole = np.frombuffer(data or b"", dtype=np.int64).reshape(3, -1)
    group = np.zeros(whole.shape[1], np.int64)
    return Events(group, whole[0], whole[1], whole[2].view(np.float64))
