"""Appending to streams: rows are held to the declaration, and stored before anybody is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

import polars as pl

from trimtab.data.content import content_digest
from trimtab.data.readers.frame import is_frame, lazy
from trimtab.data.readers.stream_declared import Stream
from trimtab.data.readers.stream_inbox import Batch, Inbox
from trimtab.data.readers.stream_rows import Row, StreamRows
from trimtab.data.stream_file import Declarations, Declared
from trimtab.kernel.errors import (
    Conflict,
    InboxUnwritable,
    NotAStream,
    RequestInvalid,
    RowsRefused,
    TrimtabError,
    UnknownName,
)
from trimtab.kernel.source import Source
from trimtab.ports.clock import Clock
from trimtab.ports.streams import Accepted, Append

MOST_ROWS = 10_000  # of one request over HTTP
_KEY_LETTERS = 255


@dataclass(frozen=True)
class _Open:
    """One stream, ready to take rows."""

    rows: StreamRows
    inbox: Inbox


class InboxStreams:
    """The streams of one project: `trimtab.ports.streams.Streams`, and the same for rows in Python."""

    def __init__(self, project: Path, found: Declarations, clock: Clock) -> None:
        self._clock = clock
        self._others = found.others
        self._streams = {name: _open(project, one) for name, one in found.streams.items()}

    def append(self, requests: Sequence[Append]) -> list[Accepted | TrimtabError]:
        """Accept each request whole or not at all; those of one stream together, by one write."""
        done: dict[int, Accepted | TrimtabError] = {}
        sent: dict[str, dict[int, list[Row]]] = {}
        for number, one in enumerate(requests):
            try:
                rows = self._stream(one.source).rows.from_json(one.body, most=MOST_ROWS)
                sent.setdefault(one.source, {})[number] = rows
            except TrimtabError as error:
                done[number] = error
        for source, group in sent.items():
            stream = self._streams[source]
            batches: dict[int, Batch] = {}
            for number, frame in self._frames(stream.rows, group).items():
                try:
                    if isinstance(frame, TrimtabError):
                        raise frame
                    batches[number] = _batch(frame, requests[number].key)
                except TrimtabError as error:
                    done[number] = error
            done.update(zip(batches, self._store(stream, list(batches.values())), strict=True))
        return [done[number] for number in range(len(requests))]

    def append_rows(self, source: Source, rows: object, key: str = "") -> Accepted:
        """Rows in Python: a Polars, pandas or Arrow frame, or dictionaries.

        Raises:
            UnknownName, NotAStream, RequestInvalid, RowsRefused, Conflict, InboxUnwritable: none was accepted.
        """
        stream, now = self._stream(source.name), self._clock.now()
        if is_frame(rows):
            frame = stream.rows.from_frame(lazy(source, rows).collect(), now=now)
        else:
            frame = stream.rows.frame(stream.rows.from_python(_dictionaries(rows)), now=now)
        [found] = self._store(stream, [_batch(frame, key)])
        if isinstance(found, TrimtabError):
            raise found
        stream.inbox.tidy()
        return found

    def tidy(self) -> None:
        """Merge what many small requests have left."""
        for stream in self._streams.values():
            stream.inbox.tidy()

    def close(self) -> None:
        """Close all inboxes."""
        for stream in self._streams.values():
            stream.inbox.close()

    def _stream(self, source: str) -> _Open:
        if source in self._streams:
            return self._streams[source]
        if source in self._others:
            raise NotAStream(source, self._streams)
        raise UnknownName("stream", source, self._streams)

    def _frames(self, rows: StreamRows, group: Mapping[int, list[Row]]) -> dict[int, pl.DataFrame | TrimtabError]:
        """Each request's rows as a frame: a frame for each alone costs more than to write all of them."""
        now = self._clock.now()
        try:
            whole = rows.frame(chain.from_iterable(group.values()), now=now)
        except RowsRefused as error:
            if len(group) == 1:
                return dict.fromkeys(group, error)
            return {number: self._frames(rows, {number: one})[number] for number, one in group.items()}
        ends = accumulate(map(len, group.values()))
        return {
            number: whole.slice(end - len(one), len(one))
            for (number, one), end in zip(group.items(), ends, strict=True)
        }

    def _store(self, stream: _Open, group: list[Batch]) -> Sequence[Accepted | Conflict | InboxUnwritable]:
        try:
            return stream.inbox.append(group, stream.rows.known, self._clock) if group else []
        except InboxUnwritable as error:
            if len(group) == 1:
                return [error]
            # What does not fit together may fit alone.
            return [found for one in group for found in self._store(stream, [one])]


def _batch(rows: pl.DataFrame, key: str) -> Batch:
    if len(key) > _KEY_LETTERS or not key.isprintable():
        raise RequestInvalid(
            "the idempotency key cannot be kept",
            where="Idempotency-Key",
            allowed=f"1 to {_KEY_LETTERS} letters that can be printed",
            got=f"{len(key)} letters",
            do="send a shorter name of the request, e.g. a UUID",
        )
    return Batch(rows, key, content_digest(rows) if key else "")


def _open(project: Path, one: Declared) -> _Open:
    rows = StreamRows(one.name, one.schema, required=one.required, known=one.known)
    return _Open(rows, Inbox(project, one.name))


def _dictionaries(rows: object) -> Sequence[Mapping[str, Any]]:
    if isinstance(rows, Sequence) and not isinstance(rows, str | bytes):
        return rows
    raise RequestInvalid(
        "these are no rows",
        where="rows",
        allowed="a list of dictionaries, or a Polars, pandas or Arrow frame",
        got=type(rows).__name__,
        do="give one of these",
    )


def inbox_of(source: Source, project: Path) -> Inbox | None:
    """The inbox of a source; None if it is no stream."""
    return Inbox(project, source.name) if isinstance(source.read, Stream) else None
