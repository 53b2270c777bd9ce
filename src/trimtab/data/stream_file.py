"""What workers know of the streams: written down when the server starts, so that no worker runs the user's code."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import polars as pl

from trimtab.data.readers.stream_declared import Stream
from trimtab.kernel.source import Source

_FILE = Path(".trimtab", "inbox", "streams.json")


@dataclass(frozen=True)
class Declared:
    """One stream."""

    name: str
    schema: pl.Schema
    known: str
    required: tuple[str, ...]  # columns that must have a value


@dataclass(frozen=True)
class Declarations:
    """Of one system."""

    streams: dict[str, Declared] = field(default_factory=dict)
    others: tuple[str, ...] = ()  # sources that take no rows


def declarations(sources: Iterable[Source]) -> Declarations:
    """Those of a system's sources."""
    every = list(sources)
    streams = {one.name: declared(one, one.read) for one in every if isinstance(one.read, Stream)}
    return Declarations(streams, tuple(one.name for one in every if one.name not in streams))


def declared(source: Source, stream: Stream) -> Declared:
    """What one source declares of its stream; the known time may be left to the server."""
    left_out = (source.known, *stream.completed)
    required = [one for one in dict.fromkeys((source.event_time, *source.keys)) if one not in left_out]
    return Declared(source.name, stream.schema, source.known, tuple(required))


def write_streams(project: Path, found: Declarations) -> None:
    """Put them where workers look; the file is whole at every moment."""
    path = project / _FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    streams = [
        {"name": one.name, "schema": _text(one.schema), "known": one.known, "required": one.required}
        for one in found.streams.values()
    ]
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".", delete=False) as half:
        json.dump({"streams": streams, "others": found.others}, half)
    os.replace(half.name, path)


def read_streams(project: Path) -> Declarations:
    """What was written last; nothing if nobody has."""
    try:
        held = json.loads((project / _FILE).read_text())
    except FileNotFoundError:
        return Declarations()
    streams = {
        one["name"]: Declared(one["name"], _schema(one["schema"]), one["known"], tuple(one["required"]))
        for one in held["streams"]
    }
    return Declarations(streams, tuple(held["others"]))


def _text(schema: pl.Schema) -> str:
    """As Arrow keeps it: a type's name alone would not say the categories of an Enum."""
    buffer = BytesIO()
    pl.DataFrame(schema=schema).write_ipc_stream(buffer)
    return base64.b64encode(buffer.getvalue()).decode()


def _schema(text: str) -> pl.Schema:
    return pl.read_ipc_stream(base64.b64decode(text)).schema
