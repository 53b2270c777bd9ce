"""The records of rows that were answered together in one, column by column: for a third of their bytes.

A block stands for its records and nothing else: whoever reads the log gets these, each under an id of its own and
in the bytes that a Merkle tree is made of. It is a msgpack array of

    rows                        how many
    system, generation, at_us   of all of them
    releases, answered          digests; of each row, in one byte, the place of the one that answered it
    key                         place of the field that it is, or of each row its key
    fields, columns             names; of each field the number of its column in `numbers`, or of each row its value
    numbers                     float64, little-endian, row by row; these columns, in their order, are the features
    scores                      float64, little-endian, of each row
    latency_us                  of each row

Rows that need more have records of their own: those of features that are read from views, or are no numbers, and
those with what several releases said, or with a fallback's answer.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, overload

import msgspec

from trimtab.ports.feature_reader import FeatureBlock
from trimtab.ports.typed_rows import SentNumbers, TypedRows
from trimtab.serving.record import Record

_FIXED_ARRAY = 0x90  # msgpack's first byte of an array of up to 15


class _Stored(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    rows: int
    system: str
    generation: int
    at_us: int
    releases: list[str]
    answered: bytes
    key: int | list[str]
    fields: list[str]
    columns: list[int | list[str | int | float | bool | None]]
    numbers: bytes
    scores: bytes
    latency_us: list[int]


_MARK = _FIXED_ARRAY | len(_Stored.__struct_fields__)  # no record has as many fields: see record.py
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Stored).decode


class Block(Sequence[Record]):
    """Rows, and how they were answered. As a sequence it is their records.

    Args:
        system: that answers.
        generation: of the route in force.
        at_us: the instant of all rows.
        sent: the rows.
        keys: of the rows.
        features: of the rows: `numbers` which are some of their fields, `sent`, as they are.
        releases: digests of who answers each row.
        scores: of each row.
        latency_us: of each row's request.
    """

    def __init__(
        self,
        system: str,
        generation: int,
        at_us: int,
        *,
        sent: TypedRows,
        keys: Sequence[str],
        features: FeatureBlock,
        releases: Sequence[str],
        scores: Sequence[float],
        latency_us: Sequence[int],
    ) -> None:
        self.system, self.generation, self.at_us = system, generation, at_us
        self.keys, self.releases, self.scores = keys, releases, scores
        self._sent, self._features, self._latency_us = sent, features, latency_us
        self._records: list[Record] | None = None

    def encode(self) -> bytes:
        """As it is written.

        Raises:
            struct.error: a score is no number.
        """
        numbers, sent = self._features.numbers, self._features.sent
        assert numbers is not None and sent is not None
        places = {digest: place for place, digest in enumerate(dict.fromkeys(self.releases))}
        names, columns, others = _form(sent)
        key: Any = self.keys
        columns = columns.copy()
        for place in others:
            columns[place] = column = self._sent.column(sent.fields[place][0])
            if column == key:
                key = place
        return _encode(
            (
                len(self.keys),
                self.system,
                self.generation,
                self.at_us,
                list(places),
                bytes(map(places.__getitem__, self.releases)),
                key,
                names,
                columns,
                numbers.astype("<f8", copy=False).tobytes(),
                struct.pack(f"<{len(self.scores)}d", *self.scores),
                self._latency_us,
            )
        )

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, index: int) -> Record: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Record]: ...

    def __getitem__(self, index: int | slice) -> Record | Sequence[Record]:
        if self._records is None:
            self._records = list(records_of(self.encode()))
        return self._records[index]


@lru_cache(maxsize=64)
def _form(sent: SentNumbers) -> tuple[msgspec.Raw, list[Any], list[int]]:
    """What all blocks of a release share: names, columns as far as they are numbers, places of the others."""
    first, end, count = sent.places.start, sent.places.stop, len(sent.fields)
    names = _encode([name for name, _ in sent.fields])
    return msgspec.Raw(names), list(range(-first, count - first)), [*range(first), *range(end, count)]


def is_block(payload: bytes) -> bool:
    """Whether a frame's payload is a block; else it is a record."""
    return payload[0] == _MARK


def records_of(payload: bytes) -> Iterator[Record]:
    """The records that a block stands for, in the order of its rows.

    Raises:
        ValueError: it is none.
    """
    block = _decode(payload)
    rows = block.rows
    width = len(block.numbers) // 8 // rows if rows else 0
    numbers = _floats(block.numbers, rows * width)
    columns = [one if isinstance(one, list) else numbers[one::width] for one in block.columns]
    keys: Sequence[Any] = columns[block.key] if isinstance(block.key, int) else block.key
    names, requests = block.fields, zip(*columns, strict=True)
    each = zip(block.answered, keys, requests, _floats(block.scores, rows), block.latency_us, strict=True)
    for row, (place, key, values, score, latency_us) in enumerate(each):
        request = dict(zip(names, values, strict=True))
        features = numbers[row * width : (row + 1) * width]
        release = block.releases[place]
        yield (
            block.system, release, block.generation, key, block.at_us, request, features, (), score, (), latency_us
        )  # fmt: skip


def _floats(data: bytes, count: int) -> tuple[float, ...]:
    if len(data) != 8 * count:
        raise ValueError(f"{len(data)} bytes for {count} numbers")
    return struct.unpack(f"<{count}d", data)
