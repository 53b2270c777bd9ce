"""Appending rows to a stream of a project, in Python: without a server, or beside one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from trimtab.data.stream_file import declarations
from trimtab.data.streams import InboxStreams
from trimtab.kernel.moment import from_us
from trimtab.kernel.source import Source
from trimtab.project import open_project
from trimtab.wiring import system_clock


def append_rows(
    source: str, rows: Sequence[Mapping[str, Any]] | object, *, key: str = "", folder: str | Path = ""
) -> datetime:
    """Append rows to a stream; they are on the disk when this returns, all or none.

    Args:
        source: the stream's name, as the project's system declares it when this process appends first.
        rows: dictionaries, or a Polars, pandas or Arrow frame, of the columns that are declared. A column that is
            left out is null; the known time is then the machine's clock.
        key: names this append: the same key and rows are accepted once, however often they are sent.
        folder: the project's, or one below it; the working folder by default.

    Returns:
        The known time of rows that brought none.

    Raises:
        NotAProject: there is no project.
        UnknownName, NotAStream: no such stream.
        RequestInvalid, RowsRefused: no rows, or a row that the stream does not take.
        Conflict: the key came with other rows before.
        InboxUnwritable: the disk does not take them.
    """
    streams, sources = _opened(Path(folder or Path.cwd()).absolute(), os.getpid())
    declared = sources.get(source) or Source(source, None, event_time="", key="")  # refused by name
    return from_us(streams.append_rows(declared, rows, key).known_at_us)


@cache
def _opened(folder: Path, process: int) -> tuple[InboxStreams, dict[str, Source]]:  # noqa: ARG001 - a fork's own
    project = open_project(folder)
    system = project.system()
    streams = InboxStreams(project.folder, declarations(system.sources), system_clock())
    return streams, {one.name: one for one in system.sources}
