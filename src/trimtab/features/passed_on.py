"""Which features of the request are its fields as they are: those need no frame, which costs more than all else."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl
from polars.testing import assert_frame_equal

from trimtab.features.request_frame import TYPES
from trimtab.features.view import FrameFunction

_KINDS = ("String", "Int64", "Float64", "Boolean")  # whose cells a frame gives back as they were
_COLUMN = r'col\("[^"\\]+"\)'
# A plan that Polars has not optimised: columns chosen, once or several times, of the frame that was given.
_CHOOSES = re.compile(rf"(?:\s*SELECT \[{_COLUMN}(?:, {_COLUMN})*\]\n)*\s*DF \[[^\n]*\]; PROJECT \*/\d+ COLUMNS\s*")


def passed_on(
    function: FrameFunction, request: Sequence[tuple[str, str]], features: Sequence[str]
) -> tuple[str, ...] | None:
    """The fields that the features are, in their order; None if anything is done with them.

    >>> passed_on(lambda rows: rows.select("b", "a"), [("a", "Int64"), ("b", "String")], ["b", "a"])
    ('b', 'a')
    >>> passed_on(lambda rows: rows.select(a=pl.col("a") + 1), [("a", "Int64")], ["a"]) is None
    True
    """
    kinds = dict(request)
    if any(kinds.get(name) not in _KINDS for name in features):
        return None
    asked = pl.DataFrame([pl.Series(name, [None, None], TYPES[kind]) for name, kind in request])
    if not _CHOOSES.fullmatch(function(asked.lazy()).explain(optimized=False)):
        return None
    # The plan does not say which frame it stands on: a function may bring its own.
    told = asked.with_columns(*(_some(name, TYPES[kind]) for name, kind in request))
    try:
        assert_frame_equal(function(told.lazy()).select(features).collect(), told.select(features))
    except AssertionError:
        return None
    return tuple(features)


def _some(name: str, kind: pl.DataType) -> pl.Series:
    """Two cells that no function would think of."""
    if kind == pl.Boolean():
        return pl.Series(name, [True, False])
    numbers = pl.Series(name, [hash(name) % 1_000_003, hash(name) % 998_244_353])
    return numbers.cast(pl.Int64).cast(kind)
