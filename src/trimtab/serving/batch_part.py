"""A part of a batch as a segment of the prediction log: written whole beside the log, then entered into it once.

A segment's number is claimed before it is written, and its name is known by that. It is entered unless the folder
or the journal knows the name: whoever was killed when, its records are in the log once.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import cast

import polars as pl

from trimtab.kernel.errors import NotFound
from trimtab.kernel.prediction import Prediction
from trimtab.kernel.prediction_id import BATCH_WORKER, parse_prediction_id, prediction_id
from trimtab.ports.journal import JournalReader
from trimtab.ports.tables import TableReader
from trimtab.serving.frames import frame
from trimtab.serving.log_reader import TABLE, prediction_of_row
from trimtab.serving.log_writer import Then
from trimtab.serving.record import Record, encode_record
from trimtab.serving.segment import SEALED, SET_ASIDE, Header, decode_header, footer, parse_segment, read_segment
from trimtab.serving.segment_folder import SegmentFolder
from trimtab.serving.whereabouts import SEGMENT, Whereabouts


class PartWriter:
    """Takes records as a log writer does, into memory; belongs to one event loop."""

    def __init__(self, system: str) -> None:
        self._system = system
        self._header = Header(BATCH_WORKER, 0, system)
        self._data = bytearray()
        self._count = 0

    def begin(self, number: int) -> None:
        """A new segment."""
        self._header = Header(BATCH_WORKER, number, self._system)
        self._data = bytearray(self._header.encode())
        self._count = 0

    def take(self, records: Sequence[Record], then: Then) -> list[str]:
        """Take records, and tell `then` in the next turn of the event loop that they are written: their ids."""
        ids = []
        for record in records:
            ids.append(prediction_id(record[4] // 1000, BATCH_WORKER, self._header.number, len(self._data)))
            self._data += frame(encode_record(record))
        self._count += len(records)
        asyncio.get_running_loop().call_soon(then, None)
        return ids

    def commit(self) -> None:
        """Memory has it."""

    def sealed(self) -> bytes:
        """The whole segment."""
        data = bytes(self._data)
        return data + footer(self._count, sha256(data).digest())


class BatchLog:
    """The prediction log as batches see it."""

    def __init__(self, folder: SegmentFolder, *, tables: TableReader, journal: JournalReader) -> None:
        self._folder = folder
        self._tables = tables
        self._journal = journal

    def claim(self) -> int:
        """A number for the next part's segment."""
        return self._folder.claim()

    def enter(self, part: bytes) -> str:
        """Enter a sealed segment into the log, unless it is there; its name."""
        head = decode_header(part, "a part of a batch")
        assert head is not None
        name = head[0].name
        if not self._holds(name):
            half = self._folder.path / f".{name}.half"
            write_durably(half, part)
            half.rename(self._folder.path / f"{name}{SEALED}")
            self._folder.sync()
        return name

    def _holds(self, name: str) -> bool:
        """The file first: compacted, it is removed only when its record is there."""
        here = any((self._folder.path / f"{name}{ending}").exists() for ending in (SEALED, SET_ASIDE))
        return here or self._journal.record(SEGMENT, name) is not None

    def read(self, name: str) -> list[Prediction]:
        """The records of a segment that was entered, in the order in which they were written.

        Raises:
            NotFound: the log does not have them any more.
        """
        try:
            segment = read_segment(self._folder.path / f"{name}{SEALED}")
            assert segment is not None
            return list(segment.predictions())
        except FileNotFoundError:
            record = self._journal.record(SEGMENT, name)
        if record is None:
            raise NotFound("segment", name, do="score the file again, with --no-log")
        files = Whereabouts(self._journal).files(record)
        if len(files) < len(cast("list[str]", record["files"])):  # a day of it has expired
            raise NotFound("segment", name, do="score the file again, with --no-log")
        rows = self._tables.scan(TABLE, files).filter(pl.col("segment") == name).collect().to_dicts()
        return sorted(map(prediction_of_row, rows), key=lambda one: parse_prediction_id(one.id).offset)


def predictions_of(part: bytes, where: str) -> list[Prediction]:
    """The records of a sealed segment, in the order in which they were written."""
    segment = parse_segment(part, where, sealed=True)
    assert segment is not None
    return list(segment.predictions())


def write_durably(path: Path, data: bytes) -> None:
    """A file that has reached the disk when this returns."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
