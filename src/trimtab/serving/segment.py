"""The file format of prediction log segments.

A segment is a header, frames, and once sealed a footer; integers are little-endian:

    header  magic "TRIMTABL", u16 format, u16 worker slot, u64 segment number, u16 length of the system's name,
            the name in UTF-8, u32 CRC-32 of all that
    frame   u32 length of the payload, u32 CRC-32 of the payload, payload
    footer  u32 zero, u32 CRC-32 of the rest, u64 number of records, 32 bytes SHA-256 of all that stands before it

A payload is a record (record.py), or since format 4 a block that stands for several (block.py). A record's id
follows from the header, its offset and its instant: the offset is the frame's, of a block's second record one more,
and so on; a block has more bytes than records. The footer counts records. Up to format 2 it holds the Merkle root
over them: a worker that hashes record by record has a tenth less time to answer, and the ledger gets the root from
the compactor, which reads them all. A reader of this code reads every format up to FORMAT.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from zlib import crc32

import msgspec

from trimtab.kernel.prediction import Prediction
from trimtab.kernel.prediction_id import PredictionId, segment_name
from trimtab.serving.frames import FRAME, FRAME_BYTES, corrupt_segment, read_frame, records_in
from trimtab.serving.record import decode_record
from trimtab.stats.merkle import merkle_root

FORMAT = 4
_WITH_ROOT = 2  # and before: what the footer holds is a Merkle root
LIVE, SEALED, SET_ASIDE = ".live", ".sealed", ".corrupt"
_MAGIC = b"TRIMTABL"
_HEADER = struct.Struct("<8sHHQH")
_CRC = struct.Struct("<I")
_FOOTER = struct.Struct("<Q32s")


@dataclass(frozen=True)
class Header:
    """What a segment says about itself."""

    worker: int
    number: int
    system: str
    format: int = FORMAT

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return segment_name(self.worker, self.number)

    def encode(self) -> bytes:
        """As written at the start of the file."""
        system = self.system.encode()
        body = _HEADER.pack(_MAGIC, self.format, self.worker, self.number, len(system)) + system
        return body + _CRC.pack(crc32(body))


@dataclass(frozen=True)
class Segment:
    """What was found in a segment's file."""

    header: Header
    records: tuple[tuple[int, bytes], ...]  # (offset that its id names, the record's bytes), in order
    end: int  # the byte behind the last whole frame
    torn_bytes: int  # bytes behind `end` that are no whole frame and no footer
    sealed: bool  # whether a footer that holds stands behind them

    def predictions(self) -> Iterator[Prediction]:
        """The records, in the order in which they were written."""
        for offset, record in self.records:
            yield prediction(self.header, offset, record)

    @property
    def record_bytes(self) -> int:
        """Of all records, each by itself: those of blocks take more than their file does."""
        return sum(len(record) for _, record in self.records)

    def merkle_root(self) -> bytes:
        """The root over the records that are there."""
        return merkle_root(record for _, record in self.records)

    def footer_digest(self, data: bytes) -> bytes:
        """What its footer is to hold; `data`: the bytes before the footer."""
        return self.merkle_root() if self.header.format <= _WITH_ROOT else sha256(data).digest()


def footer(count: int, digest: bytes) -> bytes:
    """What seals a segment of `count` records; `digest`: the SHA-256 of all bytes before it."""
    body = _FOOTER.pack(count, digest)
    return FRAME.pack(0, crc32(body)) + body


def prediction(header: Header, offset: int, record: bytes) -> Prediction:
    """What a record says."""
    fields = decode_record(record)
    place = PredictionId(fields.at_us // 1000, header.worker, header.number, offset)
    return Prediction(str(place), *msgspec.structs.astuple(fields))


def decode_header(data: bytes, where: str) -> tuple[Header, int] | None:
    """The header and the offset of the first frame; None if the file ends within the header.

    Raises:
        Corrupt: these bytes never were a segment's header, or no longer are.
    """
    if not data.startswith(_MAGIC[: len(data)]):
        raise corrupt_segment(where, 0, f"it starts with {data[:8]!r}", "a segment's magic bytes")
    if len(data) < _HEADER.size:
        return None
    _, version, worker, number, length = _HEADER.unpack_from(data)
    end = _HEADER.size + length
    if len(data) < end + _CRC.size:
        return None
    if _CRC.unpack_from(data, end)[0] != crc32(data[:end]):
        raise corrupt_segment(where, 0, "the header's checksum does not hold")
    if version > FORMAT:
        raise corrupt_segment(
            where, 0, f"format {version}", f"formats up to {FORMAT}; a newer Trimtab may have written it"
        )
    return Header(worker, number, data[_HEADER.size : end].decode(), version), end + _CRC.size


def read_segment(path: Path) -> Segment | None:
    """Read a segment whole; None if its writer died before the header was complete.

    A live segment may end in a torn tail, which is reported. A sealed one may not.

    Raises:
        Corrupt: a checksum, the count or the footer's hash does not hold, or a sealed segment is not whole.
        FileNotFoundError: no such file.
    """
    return parse_segment(path.read_bytes(), str(path), sealed=path.suffix == SEALED)


def parse_segment(data: bytes, where: str, *, sealed: bool) -> Segment | None:
    """`read_segment` on bytes."""
    head = decode_header(data, where)
    if head is None:
        if sealed:
            raise corrupt_segment(where, len(data), "the file ends within its header")
        return None
    header, offset = head
    records: list[tuple[int, bytes]] = []
    while (payload := read_frame(data, offset, where)) is not None:
        records += enumerate(records_in(payload, offset, where), offset)
        offset += FRAME_BYTES + len(payload)
    digest = _footer_digest(data, offset, len(records), where)
    torn = 0 if digest is not None else len(data) - offset
    found = Segment(header, tuple(records), offset, torn, digest is not None)
    if sealed and digest is None:
        raise corrupt_segment(
            where, offset, f"{torn} bytes that are no whole record", "a footer at the end of a sealed segment"
        )
    if digest is None:
        return found
    if digest != found.footer_digest(data[:offset]):
        raise corrupt_segment(where, offset, "the hash of the records is another one than the footer's")
    return found


def _footer_digest(data: bytes, offset: int, count: int, where: str) -> bytes | None:
    """The hash in a whole footer at `offset`; None where the file ends before or within one."""
    whole = FRAME_BYTES + _FOOTER.size
    tail = data[offset:]
    if len(tail) >= FRAME_BYTES and FRAME.unpack_from(tail)[0] == 0:
        if len(tail) == whole and FRAME.unpack_from(tail)[1] == crc32(tail[FRAME_BYTES:]):
            stored, digest = _FOOTER.unpack_from(tail, FRAME_BYTES)
            if stored != count:
                raise corrupt_segment(where, offset, f"{count} records", f"{stored} records, as the footer says")
            return bytes(digest)
        # Blocks that never reached the disk before a power loss read as zeros.
        if len(tail) > whole and tail.strip(b"\0"):
            raise corrupt_segment(where, offset, "a frame of length zero")
    return None
