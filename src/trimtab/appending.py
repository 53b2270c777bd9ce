"""Appending rows to a stream of a project, and giving feedback, in Python: without a server, or beside one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from trimtab.data.stream_file import declarations
from trimtab.data.streams import InboxStreams
from trimtab.kernel.errors import RowsRefused, UnknownName
from trimtab.kernel.label import FEEDBACK
from trimtab.kernel.moment import from_us
from trimtab.kernel.source import Source
from trimtab.project import open_project
from trimtab.serving.protocols.feedback import rows_of, where
from trimtab.wiring.stores import system_clock


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
    streams, sources, _ = _opened(Path(folder or Path.cwd()).absolute(), os.getpid())
    declared = sources.get(source) or Source(source, None, event_time="", key="")  # refused by name
    return from_us(streams.append_rows(declared, rows, key).known_at_us)


def give_feedback(feedback: Sequence[Mapping[str, Any]], *, key: str = "", folder: str | Path = "") -> datetime:
    """Say what answers were worth; all of it is on the disk when this returns, or none.

    Args:
        feedback: dictionaries. Each names an answer by its `id`, or what was asked about by its `key`; and brings
            at least one of `label` (the truth, or a correction of it), `value` and `comment`. It may bring `name`
            (what it is about) and `at` (when it was true; when it was accepted, if left out).
        key: names this call: the same key and feedback are accepted once, however often they are sent.
        folder: the project's, or one below it; the working folder by default.

    Returns:
        When it became known.

    Raises:
        NotAProject: there is no project.
        UnknownName: the system lists no source of feedback.
        RequestInvalid, RowsRefused: an item that names nothing, says nothing, or holds a value of another type.
        Conflict: the key came with other feedback before.
        InboxUnwritable: the disk does not take it.
    """
    streams, sources, system = _opened(Path(folder or Path.cwd()).absolute(), os.getpid())
    if FEEDBACK not in sources:
        do = "declare feedback = trimtab.feedback(), and list it in System(sources=…)"
        raise UnknownName("source", FEEDBACK, sources, where=f"system {system}", do=do)
    try:
        return from_us(streams.append_rows(sources[FEEDBACK], rows_of(feedback, system), key).known_at_us)
    except RowsRefused as error:
        raise error.at(where(error.where)) from None


@cache
def _opened(folder: Path, process: int) -> tuple[InboxStreams, dict[str, Source], str]:  # noqa: ARG001 - a fork's own
    project = open_project(folder)
    system = project.system()
    streams = InboxStreams(project.folder, declarations(system.sources), system_clock())
    return streams, {one.name: one for one in system.sources}, system.name
