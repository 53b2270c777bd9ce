"""Frames of a prediction log's segment: what stands in them, and how it is found by the offset that an id names."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import chain
from zlib import crc32

import msgspec

from trimtab.kernel.errors import Corrupt
from trimtab.serving.block import is_block, records_of
from trimtab.serving.record import encode_record

FRAME = struct.Struct("<II")  # length and CRC-32 of the payload that follows
FRAME_BYTES = FRAME.size


def frame(payload: bytes) -> bytes:
    """A payload as it stands in the file."""
    return b"".join(framed([payload]))


def framed(payloads: Sequence[bytes]) -> Iterator[bytes]:
    """What payloads are in the file, piece by piece: before each one its length and its checksum."""
    heads = map(FRAME.pack, map(len, payloads), map(crc32, payloads))
    return chain.from_iterable(zip(heads, payloads, strict=True))


def read_frame(data: bytes, offset: int, where: str) -> bytes | None:
    """The payload of the frame at `offset`; None at the footer, or where the file ends within the frame.

    Raises:
        Corrupt: the checksum does not hold although more bytes follow: no crash of a writer leaves that behind.
    """
    start = offset + FRAME_BYTES
    if start > len(data):
        return None
    length, checksum = FRAME.unpack_from(data, offset)
    end = start + length
    if length == 0 or end > len(data):
        return None
    payload = data[start:end]
    if crc32(payload) == checksum:
        return payload
    if end == len(data):
        return None
    raise corrupt_segment(where, offset, "the record's checksum does not hold")


class Frames:
    """Looks records up by the offsets that their ids name. The frame of the last one is kept: ask in order.

    Args:
        data: of a segment.
        first: where its first frame starts.
        where: the segment is.
    """

    def __init__(self, data: bytes, first: int, where: str) -> None:
        self._data, self._where = data, where
        self._starts = list(_frame_starts(data, first))
        self._last: tuple[int, list[bytes]] = (-1, [])

    def record(self, offset: int) -> bytes | None:
        """The record that is there; None if there is none.

        Raises:
            Corrupt: the checksum of its frame does not hold.
        """
        place = bisect_right(self._starts, offset) - 1
        if place < 0:
            return None
        start = self._starts[place]
        try:
            records = self._of(start)
        except Corrupt:
            # Behind a damaged length all frames seem to start elsewhere. Only then may bytes that look like a
            # frame, which a client can send, be taken for one.
            try:
                records, start = self._of(offset), offset
            except Corrupt:
                records = []
            if not records:
                raise
        return records[offset - start] if offset - start < len(records) else None

    def _of(self, start: int) -> list[bytes]:
        """The records of a frame; none where the file ends within it."""
        if self._last[0] != start:
            payload = read_frame(self._data, start, self._where)
            self._last = (start, [] if payload is None else records_in(payload, start, self._where))
        return self._last[1]


def _frame_starts(data: bytes, first: int) -> Iterator[int]:
    """As the lengths of frames say, up to the footer."""
    offset = first
    while offset + FRAME_BYTES <= len(data) and (length := int(FRAME.unpack_from(data, offset)[0])):
        yield offset
        offset += FRAME_BYTES + length


def records_in(payload: bytes, offset: int, where: str) -> list[bytes]:
    """The records that a frame holds."""
    if not is_block(payload):
        return [payload]
    try:
        return list(map(encode_record, records_of(payload)))
    except (msgspec.MsgspecError, ValueError, IndexError) as error:
        raise corrupt_segment(where, offset, f"a block of records that is none: {error}") from error


def corrupt_segment(where: str, offset: int, got: str, allowed: str = "the bytes that were written") -> Corrupt:
    """What a damaged segment is told with."""
    return Corrupt(
        "a prediction log segment",
        where=f"{where}, byte {offset}",
        allowed=allowed,
        got=got,
        do="keep the file for inspection, and restore it from a backup if there is one",
    )
