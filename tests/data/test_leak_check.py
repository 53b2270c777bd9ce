"""Leaks are refused by what the tables hold, whatever the sources are called; what is no leak is left alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trimtab as tt
from trimtab.data.leak_check import check_leaks
from trimtab.data.reading import open_source
from trimtab.kernel.errors import TrimtabError

START = datetime(2013, 1, 1, tzinfo=UTC)
ROWS = 400


def outcomes(rows: int = ROWS, delay: timedelta = timedelta(hours=2, minutes=45)) -> pl.DataFrame:
    """Departures a minute apart, every fourth late, known after a delay."""
    number = pl.int_range(rows)
    departs = pl.lit(START) + pl.duration(minutes=number)
    return pl.select(
        id=pl.format("f{}", number),
        departs=departs,
        landed=departs + delay,
        late=number % 4 == 0,
        seats=number % 3 * 100,
    )


def truth(folder: Path, table: pl.DataFrame | None = None, **changed: Any) -> tt.Source:
    (outcomes() if table is None else table).write_parquet(folder / "outcomes.parquet")
    given = {"event_time": "departs", "known_time": "landed", "key": "id", **changed}
    return tt.Source("outcomes", "outcomes.parquet", **given)


def copied(folder: Path, table: pl.DataFrame, **changed: Any) -> tt.Source:
    table.write_parquet(folder / "copied.parquet")
    return tt.Source("copied", "copied.parquet", **{"event_time": "departs", "key": "id", **changed})


def found(folder: Path, sources: Sequence[tt.Source], label: tt.Label) -> list[TrimtabError]:
    schemas: dict[str, pl.Schema] = {}
    for one in sources:
        schemas.setdefault(one.name, open_source(one, folder).collect_schema())
    return list(check_leaks(sources, label, folder, schemas))


@pytest.mark.parametrize("first", [True, False])
def test_one_table_with_two_known_times(first: bool, tmp_path: Path) -> None:
    late = truth(tmp_path)
    early = tt.Source("again", "./outcomes.parquet", event_time="departs", key="id")
    (problem,) = found(tmp_path, [early, late] if first else [late, early], tt.Label(late, "late"))
    assert problem.what == (
        "source 'again': says that rows are known earlier than source 'outcomes' says, which reads the same table"
    )
    assert problem.where == early.place
    assert problem.allowed == f"one known time for one table: 'landed', as at {late.place}"
    assert problem.got == ("no known_time, so 'departs', which is earlier in all 400 rows, by 2h45m in the median")
    assert "known_time='landed'" in problem.do


def test_one_table_whose_label_is_declared_too_early(tmp_path: Path) -> None:
    label = truth(tmp_path, known_time="")
    right = tt.Source("right", "outcomes.parquet", event_time="departs", known_time="landed", key="id")
    (problem,) = found(tmp_path, [label, right], tt.Label(label, "late"))
    assert problem.where == label.place


def test_one_function_is_one_table(tmp_path: Path) -> None:
    right = tt.Source("right", outcomes, event_time="departs", known_time="landed", key="id")
    early = tt.Source("early", outcomes, event_time="departs", key="id")
    (problem,) = found(tmp_path, [right, early], tt.Label(right, "late"))
    assert problem.where == early.place


def test_one_earlier_row_is_enough_in_one_table(tmp_path: Path) -> None:
    table = outcomes(delay=timedelta()).with_columns(
        landed=pl.when(pl.col("id") == "f7").then(pl.col("landed") + timedelta(seconds=30)).otherwise("landed")
    )
    late = truth(tmp_path, table)
    early = tt.Source("again", "outcomes.parquet", event_time="departs", key="id")
    (problem,) = found(tmp_path, [late, early], tt.Label(late, "late"))
    assert "earlier in 0.2 % of 400 rows, by 30s in the median" in problem.got


def test_times_that_agree_are_no_leak(tmp_path: Path) -> None:
    label = truth(tmp_path, outcomes(delay=timedelta()))
    again = tt.Source("again", "outcomes.parquet", event_time="departs", key="id")
    same = tt.Source("same", "outcomes.parquet", event_time="departs", known_time="landed", key="id")
    assert found(tmp_path, [label, again, same], tt.Label(label, "late")) == []


NAMES = {"id": "flight", "late": "was_delayed", "departs": "at"}


@pytest.mark.parametrize("kind", [pl.Boolean, pl.Int8, pl.Float64])
def test_a_copy_of_the_label_under_other_names(kind: type[pl.DataType], tmp_path: Path) -> None:
    label = truth(tmp_path)
    table = (
        outcomes().with_columns(pl.col("late").cast(kind)).drop("landed").rename(NAMES).sample(fraction=1, seed=3)
    )
    copy = copied(tmp_path, table, event_time="at", key="flight")
    (problem,) = found(tmp_path, [label, copy], tt.Label(label, "late"))
    assert problem.what == (
        "source 'copied': 'was_delayed' is the label 'late', and known earlier than source 'outcomes' says"
    )
    assert problem.where == copy.place
    assert problem.allowed == f"known no earlier than 'landed' of source 'outcomes', at {label.place}"
    assert problem.got == "no known_time, so 'at', which is earlier in all 400 rows, by 2h45m in the median"
    assert problem.do


def test_a_known_time_that_is_given_may_be_wrong_too(tmp_path: Path) -> None:
    label = truth(tmp_path)
    table = outcomes().with_columns(said=pl.col("landed") - timedelta(minutes=1))
    (problem,) = found(tmp_path, [label, copied(tmp_path, table, known_time="said")], tt.Label(label, "late"))
    assert problem.got == "known_time 'said', which is earlier in all 400 rows, by 1m in the median"


def test_the_key_is_found_by_its_name_beside_others(tmp_path: Path) -> None:
    """A source of several rows an entity, which carries the label's key as an ordinary column."""
    label = truth(tmp_path)
    table = outcomes().select("id", "departs", "late", leg=pl.lit("one"))
    (problem,) = found(tmp_path, [label, copied(tmp_path, table, key=("leg", "departs"))], tt.Label(label, "late"))
    assert "'late' is the label" in problem.what


NO_LEAKS = {
    "known with the label": outcomes().with_columns(departs="landed"),
    "known later": outcomes().with_columns(departs=pl.col("landed") + timedelta(days=1)),
    "a rare flag that resembles a rare label": outcomes().with_columns(late=pl.lit(False)),
    "a forecast": outcomes().with_columns(late=(pl.int_range(ROWS) % 4 == 0) ^ (pl.int_range(ROWS) % 20 == 0)),
    "the opposite": outcomes().with_columns(late=~pl.col("late")),
    "other keys": outcomes().with_columns(id=pl.col("id") + "x"),
    "keys of another type": outcomes().with_columns(id=pl.int_range(ROWS)),
    "no numbers": outcomes().select("id", "departs"),
    "no rows": outcomes(0),
    "nothing but nulls": outcomes().with_columns(late=pl.lit(None, pl.Boolean)),
    "no time in any row": outcomes().with_columns(departs=pl.lit(None, pl.Datetime("us", "UTC"))),
    "too few rows": outcomes(60),
    "two clocks": outcomes().with_columns(
        departs=pl.when(pl.int_range(ROWS) % 200 == 0).then("departs").otherwise("landed")
    ),
}


@pytest.mark.parametrize("name", NO_LEAKS)
def test_what_is_no_leak(name: str, tmp_path: Path) -> None:
    label = truth(tmp_path)
    assert found(tmp_path, [label, copied(tmp_path, NO_LEAKS[name])], tt.Label(label, "late")) == []


def test_what_cannot_be_judged_is_left_to_other_checks(tmp_path: Path) -> None:
    label = truth(tmp_path)
    copy = copied(tmp_path, outcomes())
    schemas = {one.name: open_source(one, tmp_path).collect_schema() for one in (label, copy)}
    assert list(check_leaks([label, copy], tt.Label(label, "late"), tmp_path, schemas))
    naive = {**schemas, "copied": pl.Schema({**schemas["copied"], "departs": pl.Datetime("us")})}
    assert list(check_leaks([label, copy], tt.Label(label, "late"), tmp_path, naive)) == []
    assert list(check_leaks([label, copy], tt.Label(label, "delayed"), tmp_path, schemas)) == []
    assert list(check_leaks([label, copy], tt.Label(label, "late"), tmp_path, {"copied": schemas["copied"]})) == []
    for name in ("copied.parquet", "outcomes.parquet"):
        (tmp_path / name).write_bytes(b"")
        assert list(check_leaks([label, copy], tt.Label(label, "late"), tmp_path, schemas)) == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("leaks")


@settings(max_examples=60, deadline=None)
@given(data=st.data(), rows=st.integers(80, 200), flips=st.integers(0, 6), early=st.integers(0, 6))
def test_judged_as_row_by_row(folder: Path, data: st.DataObject, rows: int, flips: int, early: int) -> None:
    """A leak: at most 1 % of the rarer class differ, and more than 1 % of the rows are known earlier."""
    table = outcomes(rows)
    place = st.integers(0, rows - 1)
    flipped = data.draw(st.sets(place, min_size=flips, max_size=flips))
    earlier = data.draw(st.sets(place, min_size=early, max_size=early))
    number = pl.int_range(rows)
    copy = table.with_columns(
        late=pl.col("late") ^ number.is_in(flipped),
        departs=pl.when(number.is_in(earlier)).then(pl.col("landed") - timedelta(hours=1)).otherwise("landed"),
    )
    label = truth(folder, table)
    ones = sum(1 for one in range(rows) if one % 4 == 0)
    expected = ones >= 20 and len(flipped) <= 0.01 * ones and len(earlier) > 0.01 * rows
    assert bool(found(folder, [label, copied(folder, copy)], tt.Label(label, "late"))) == expected
