"""A contract to begin with: what a source's rows are like today, as a pandera schema for somebody to review."""

from __future__ import annotations

import math
import re

import polars as pl
from polars._typing import PolarsDataType

from trimtab.data.profile import Column, column_of, number, profile
from trimtab.kernel.counted import counted
from trimtab.kernel.source import Source

_MARGIN = 0.25  # of the range seen, on either side
_MOST_CATEGORIES = 12
_ROWS_EACH = 10  # rows for each category, at least: fewer and the next value is likely to be a new one
_COMMENT = 104


def file_name(source: Source) -> str:
    """Of the module that the contract is written to: 'contracts_weather.py'."""
    return f"contracts_{source.name.replace('-', '_')}.py"


def contract_name(source: Source) -> str:
    """Of the schema in it: 'WeatherContract'."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[_-]+", source.name)) + "Contract"


def infer(source: Source, rows: pl.DataFrame) -> str:
    """A module with the contract that all of `rows` keep.

    Args:
        source: its name, times and key.
        rows: as the source offers them.
    """
    found = profile(rows)
    columns = [_column(source, rows[name], column_of(found, name)) for name in rows.columns]
    unique, seen = "", counted(rows.height, "row")
    if len(source.keys) > 1 and rows.height and not rows.select(source.keys).is_duplicated().any():
        unique = f"    unique={_quoted(source.keys)},  # together they name a fact\n"
    return (
        f'"""What source {_quoted(source.name)} promises, as far as {seen} can tell: a draft to review.\n\n'
        "Rows that break it go into quarantine; another action by column or by check, e.g. metadata="
        '{"action": "warn"}.\n"""\n\n'
        "from __future__ import annotations\n\n"
        "import pandera.polars as pa\n"
        "import polars as pl\n\n"
        f"{contract_name(source)} = pa.DataFrameSchema(\n"
        "    {\n" + "".join(columns) + "    },\n" + unique + ")\n"
    )


def _column(source: Source, cells: pl.Series, column: Column) -> str:
    checks, seen = _checks(cells, column)
    arguments = [_type(cells.dtype), *checks]
    missing = cells.null_count() + (int(cells.is_nan().sum()) if cells.dtype.is_float() else 0)
    needed = cells.name in (source.event_time, source.known)
    if not needed and (missing or not cells.len()):
        arguments.append("nullable=True")
        if missing:
            seen.append(f"{missing / cells.len():.2%} are missing")
    if source.keys == (cells.name,) and cells.len() and not missing and cells.n_unique() == cells.len():
        arguments.append("unique=True")
    name = _quoted(cells.name)
    comment = "; ".join(seen)
    comment = comment if len(comment) <= _COMMENT else f"{comment[: _COMMENT - 1]}…"
    told = f"        # {comment}\n" if comment else ""
    return f"{told}        {name}: pa.Column({', '.join(arguments)}),\n"


def _checks(cells: pl.Series, column: Column) -> tuple[list[str], list[str]]:
    """Checks as code, and in words what was seen."""
    if cells.dtype in (pl.String, pl.Categorical, pl.Enum):
        return _words(cells)
    low, high = number(column, "min"), number(column, "max")
    # Quoted, since whatever ends a line would end the comment.
    seen = [f"from {_quoted(column['min'])} to {_quoted(column['max'])}"] if "min" in column else []
    if low is None or high is None or cells.dtype.is_decimal():
        return [], seen
    if cells.dtype.is_float() and not cells.drop_nulls().is_finite().all():
        return [], [*seen, "some are no finite numbers, so that no range can be asked for"]
    if cells.dtype.is_integer() and cells.len() > _MOST_CATEGORIES and column["distinct"] == cells.len():
        return [], [*seen, "all different"]
    least, most = _range(low, high)
    if cells.dtype.is_integer():
        return [f"pa.Check.in_range({math.floor(least)}, {math.ceil(most)})"], seen
    return [f"pa.Check.in_range({least!r}, {most!r})"], seen


def _range(low: float, high: float) -> tuple[float, float]:
    """With a margin, in round numbers; what was never below zero stays there."""
    margin = (high - low) * _MARGIN or abs(high) * _MARGIN or 1.0
    if not all(map(math.isfinite, (margin, low - margin, high + margin))):
        return low, high
    step = 10.0 ** math.floor(math.log10(margin))
    least, most = math.floor((low - margin) / step) * step, math.ceil((high + margin) / step) * step
    # Less than all digits, for 0.1 + 0.2; never inside the range that was seen.
    least, most = float(f"{least:.12g}"), float(f"{most:.12g}")
    least = 0.0 if low >= 0 > least else least
    most = 0.0 if high <= 0 < most else most
    ends = min(least, low), max(most, high)
    return ends if all(map(math.isfinite, ends)) else (low, high)


def _words(cells: pl.Series) -> tuple[list[str], list[str]]:
    values = cells.drop_nulls().cast(pl.String)
    kinds = values.unique().sort()
    if not values.len():
        return [], []
    if kinds.len() <= _MOST_CATEGORIES and values.len() >= _ROWS_EACH * kinds.len():
        return [f"pa.Check.isin({_quoted(kinds.to_list())})"], [f"{kinds.len():,} values"]
    long = values.str.len_chars()
    shortest, longest = int(long.sort()[0]), int(long.sort()[-1])
    characters = shortest if shortest == longest else f"{shortest} to {longest}"
    seen = [f"{kinds.len():,} values of {characters} characters"]
    if cells.dtype == pl.String and shortest == longest and values.len() >= _ROWS_EACH:
        return [f"pa.Check.str_length({shortest}, {longest})"], seen
    return [], seen


def _type(kind: PolarsDataType) -> str:
    """As code; None, which promises nothing, for a type that a contract cannot name."""
    if isinstance(kind, pl.Datetime):
        return f"pl.Datetime({_quoted(kind.time_unit)}, {_quoted(kind.time_zone)})"
    if isinstance(kind, pl.DataType) and not kind.is_nested() and type(kind) in _PLAIN:
        return f"pl.{type(kind).__name__}"
    return "None"


_PLAIN = (
    *(pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64),
    *(pl.Float32, pl.Float64, pl.Boolean, pl.String, pl.Date),
)


def _quoted(value: object) -> str:
    """As Python writes it, with the double quotes of this project."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(_quoted(one) for one in value)}]"
    if isinstance(value, str):
        plain = value.isprintable() and '"' not in value and "\\" not in value
        return f'"{value}"' if plain else repr(value)
    return repr(value)
