"""A Python function that returns a frame."""

from __future__ import annotations

from pathlib import Path

from trimtab.data.readers.frame import is_frame, lazy
from trimtab.data.readers.offer import Reader, Whole
from trimtab.data.readers.shown import shown
from trimtab.kernel.errors import SourceUnreadable
from trimtab.kernel.source import Source


def _takes(read: object, project: Path) -> bool:  # noqa: ARG001 - other kinds need the project
    return callable(read) and not is_frame(read)


def _open(source: Source, project: Path) -> Whole:  # noqa: ARG001
    assert callable(source.read)
    try:
        frame = source.read()
    except Exception as error:
        raise SourceUnreadable(
            source.name,
            where=source.place,
            allowed="a function without arguments that returns a frame",
            got=f"its function raised {type(error).__name__}: {shown(str(error))}",
            do="mend the function given as read=",
        ) from error
    if not is_frame(frame):
        raise SourceUnreadable(
            source.name,
            where=source.place,
            allowed="a Polars, pandas or Arrow frame",
            got=f"its function returned {type(frame).__name__}",
            do="return a Polars DataFrame or LazyFrame, an Arrow table or a pandas frame",
        )
    return Whole(lazy(source, frame))


FUNCTION = Reader(allowed="a function that returns a frame", takes=_takes, open=_open)
