"""The file of a batch's answers: key, id, release, score, missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from trimtab.house.whole_file import write_whole
from trimtab.kernel.errors import InvalidValue
from trimtab.kernel.prediction import Prediction

SCHEMA = pl.Schema(
    {
        "key": pl.String(),
        "id": pl.String(),  # null: it is not in the log
        "release": pl.String(),
        "score": pl.Float64(),
        "missing": pl.List(pl.String()),  # feature views that had no fact, or too old a one
    }
)
ENDINGS = (".parquet", ".csv")
_PLAIN = ("key", "id", "release", "score")


@dataclass(frozen=True)
class Row:
    """One answer."""

    key: str
    id: str | None
    release: str
    score: float
    missing: tuple[str, ...]


class Answers:
    """Records as people read them."""

    def __init__(self, views: Mapping[str, Sequence[str]]) -> None:
        """
        Args:
            views: the names of each release's views, in the order of a record's ages.
        """
        self._views = views

    def of(self, one: Prediction, *, with_id: bool) -> Row:
        """What a record answers."""
        missing: tuple[str, ...] = ()
        if None in one.ages_us:
            views = self._views[one.release]
            missing = tuple(view for view, age_us in zip(views, one.ages_us, strict=True) if age_us is None)
        return Row(one.key, one.id if with_id else None, one.release, one.score, missing)


def refuse_ending(file: Path) -> None:
    """That answers can be written so.

    Raises:
        InvalidValue: neither Parquet nor CSV.
    """
    if file.suffix not in ENDINGS:
        raise InvalidValue("--out", str(file), allowed=f"a file that ends in {' or '.join(ENDINGS)}")


def write_answers(parts: Iterable[Sequence[Row]], file: Path, *, force: bool) -> None:
    """Write the answers as they come; the file appears whole or not at all.

    Raises:
        Refused: the file is there.
        ProjectInvalid: it cannot be written.
    """
    write = _csv if file.suffix == ".csv" else _parquet
    do = "name a place where you may write; the same command goes on from here"

    def whole(half: Path) -> None:
        try:
            write(parts, half)
        except BaseException:
            half.unlink(missing_ok=True)
            raise

    write_whole(file, whole, what="the answers", do=do, force=force)


def _parquet(parts: Iterable[Sequence[Row]], half: Path) -> None:
    arrow = pl.DataFrame(schema=SCHEMA).to_arrow(compat_level=pl.CompatLevel.oldest())
    with pq.ParquetWriter(half, arrow.schema) as writer:
        for rows in parts:
            writer.write_table(_frame(rows).to_arrow(compat_level=pl.CompatLevel.oldest()))


def _csv(parts: Iterable[Sequence[Row]], half: Path) -> None:
    """CSV has no lists: views stand beside each other."""
    with half.open("wb") as file:
        for number, rows in enumerate(parts):
            flat = _frame(rows).with_columns(pl.col("missing").list.join(" "))
            flat.write_csv(file, include_header=not number)


def _frame(rows: Sequence[Row]) -> pl.DataFrame:
    columns = [pl.Series(name, [getattr(row, name) for row in rows], SCHEMA[name]) for name in _PLAIN]
    # Few rows lack other views than the rows beside them, and a list for each takes longer than all else together.
    places = {missing: place for place, missing in enumerate(dict.fromkeys(row.missing for row in rows))}
    missing = pl.Series("missing", list(map(list, places)), SCHEMA["missing"])
    return pl.DataFrame([*columns, missing.gather([places[row.missing] for row in rows])])
