"""Contracts: rows that break one are refused with their reasons; what names no rows blocks the version."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pandera.polars as pa
import polars as pl
import pytest
from tests.data.room import Feed, Room

from trimtab.data.contract import REASON, hold_to_contract
from trimtab.kernel.errors import ContractBreach
from trimtab.kernel.source import Source

NOW = datetime(2013, 4, 1, tzinfo=UTC)
ROWS = pl.DataFrame(
    {
        "id": ["a", "b", "b", None],
        "index": [10, 11, 12, 13],
        "temp": [1.0, -5.0, float("nan"), None],
        "count": [1, 2, 3, 4],
        "at": [NOW] * 4,
    }
)


def source_of(contract: object) -> Source:
    return Source("weather", Feed(ROWS), event_time="at", key="id", contract=contract)


def refused(contract: object, frame: pl.DataFrame = ROWS) -> dict[int, str]:
    """`index` and reason of the refused rows; the others must have been accepted as they were."""
    held = hold_to_contract(source_of(contract), frame)
    reasons = dict(held.quarantined.select("index", REASON).iter_rows())
    assert held.accepted.equals(frame.filter(~pl.col("index").is_in(list(reasons))), null_equal=True)
    kept = held.quarantined.drop(REASON).sort("index")
    assert kept.equals(frame.filter(pl.col("index").is_in(list(reasons))), null_equal=True)
    return reasons


def column(name: str, *checks: pa.Check, kind: object = None, nullable: bool = True, **named: object) -> object:
    return pa.DataFrameSchema({name: pa.Column(kind, list(checks), nullable=nullable, **named)})  # type: ignore[arg-type]


def rows_where(condition: pl.Expr) -> Callable[[pa.PolarsData], pl.LazyFrame]:
    return lambda data: data.lazyframe.select(condition)


class Model(pa.DataFrameModel):
    """A contract as a class."""

    id: str = pa.Field(nullable=True)
    count: int = pa.Field(ge=2)


KINDS: dict[str, tuple[object, dict[int, str]]] = {
    "nullable": (column("id", nullable=False), {13: "id: not_nullable"}),
    "NaN is null": (column("temp", nullable=False), {12: "temp: not_nullable", 13: "temp: not_nullable"}),
    "isin": (column("id", pa.Check.isin(["a"])), {11: "id: isin(['a'])", 12: "id: isin(['a'])"}),
    "ge": (column("temp", pa.Check.ge(0)), {11: "temp: greater_than_or_equal_to(0)"}),
    "le": (
        column("temp", pa.Check.le(0)),
        {10: "temp: less_than_or_equal_to(0)", 12: "temp: less_than_or_equal_to(0)"},
    ),
    "in_range": (
        column("count", pa.Check.in_range(2, 3)),
        {10: "count: in_range(2, 3)", 13: "count: in_range(2, 3)"},
    ),
    "str_matches": (column("id", pa.Check.str_matches("a")), dict.fromkeys((11, 12), "id: str_matches('a')")),
    "unique": (column("id", unique=True), {11: "id: field_uniqueness", 12: "id: field_uniqueness"}),
    "element-wise": (column("count", pa.Check(lambda x: x < 4, element_wise=True, name="few")), {13: "count: few"}),
    "custom on a column": (
        column("count", pa.Check(rows_where(pl.col("count") != 2), name="odd")),
        {11: "count: odd"},
    ),
    "across columns": (
        pa.DataFrameSchema(checks=pa.Check(rows_where(pl.col("count") + 9 == pl.col("index")), name="nine more")),
        {},
    ),
    "across columns, in words": (
        pa.DataFrameSchema(checks=pa.Check(rows_where(pl.col("index") < 12), error="index before 12")),
        {12: "row: index before 12", 13: "row: index before 12"},
    ),
    "several columns by pattern": (
        pa.DataFrameSchema({"^(index|count)$": pa.Column(checks=pa.Check.ge(3), regex=True)}),
        {10: "count: greater_than_or_equal_to(3)", 11: "count: greater_than_or_equal_to(3)"},
    ),
    "reports capped": (
        column("count", pa.Check.ge(9, n_failure_cases=1)),
        dict.fromkeys((10, 11, 12, 13), "count: greater_than_or_equal_to(9)"),
    ),
    "several at once": (
        pa.DataFrameSchema(
            {
                "count": pa.Column(int, [pa.Check.ge(2), pa.Check.le(3)], unique=True),
                "id": pa.Column(str, unique=True),
            }
        ),
        {
            10: "count: greater_than_or_equal_to(2)",
            11: "id: field_uniqueness",
            12: "id: field_uniqueness",
            13: "count: less_than_or_equal_to(3); id: not_nullable",
        },
    ),
    "told to drop": (
        pa.DataFrameSchema({"count": pa.Column(int, pa.Check.ge(2))}, drop_invalid_rows=True),
        {10: "count: greater_than_or_equal_to(2)"},
    ),
    "a model": (Model, {10: "count: greater_than_or_equal_to(2)"}),
    "nothing wrong": (column("count", pa.Check.ge(0), unique=True), {}),
    "no contract": (None, {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_refused_with_their_reasons(kind: str) -> None:
    contract, expected = KINDS[kind]
    assert refused(contract) == expected


def test_keys_of_several_columns_are_unique_together() -> None:
    frame = ROWS.drop("index")
    held = hold_to_contract(source_of(pa.DataFrameSchema(unique=["id", "at"])), frame)
    assert held.accepted["count"].to_list() == [1, 4]
    assert held.quarantined.select("count", REASON).rows() == [
        (2, "row: multiple_fields_uniqueness"),
        (3, "row: multiple_fields_uniqueness"),
    ]


def test_a_table_that_pandera_cannot_check_blocks_the_version() -> None:
    with pytest.raises(ContractBreach) as breach:
        hold_to_contract(source_of(pa.DataFrameSchema(unique=["id", "at"])), ROWS)
    assert "'index' has more than one occurrence" in breach.value.got


@pytest.mark.parametrize("variable", ["PANDERA_VALIDATION_ENABLED", "PANDERA_VALIDATION_DEPTH"])
def test_the_environment_cannot_switch_contracts_off(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "SCHEMA_ONLY" if variable.endswith("DEPTH") else "False")
    with pa.config.config_context(validation_enabled=False):  # type: ignore[attr-defined]
        assert refused(column("count", pa.Check.ge(2))) == {10: "count: greater_than_or_equal_to(2)"}


def test_rows_without_a_time_are_refused_before_the_contract_is_asked() -> None:
    frame = ROWS.with_columns(pl.when(pl.col("index") > 11).then("at"))
    contract = pa.DataFrameSchema({"at": pa.Column(nullable=True), "count": pa.Column(int, pa.Check.ge(2))})
    expected = {10: "count: greater_than_or_equal_to(2)", 12: "at: null", 13: "at: null"}
    frame = ROWS.with_columns(pl.when(pl.col("index") < 12).then("at"))
    assert refused(contract, frame) == expected


def mean_is_positive(data: pa.PolarsData) -> pl.LazyFrame:
    return data.lazyframe.select(pl.col("count").mean() < 0)


BREACHES: dict[str, tuple[object, str]] = {
    "a column is gone": (pa.DataFrameSchema({"wind": pa.Column(float)}), "'wind'"),
    "a column has another type": (column("count", kind=str), "'count'"),
    "a column too many": (pa.DataFrameSchema({"id": pa.Column(str, nullable=True)}, strict=True), "'index'"),
    "a check fails for the whole column": (
        column("count", pa.Check(mean_is_positive, name="mean")),
        "check failed: count: mean",
    ),
    "a check fails for the whole table": (
        pa.DataFrameSchema(checks=pa.Check(mean_is_positive, error="mean below 0")),
        "check failed: mean below 0",
    ),
    "a check answers with one boolean": (
        column("count", pa.Check(lambda _: False, name="never")),
        "count: never",
    ),
    "a check raises": (column("count", pa.Check(lambda _: 1 / 0)), "ZeroDivisionError"),
    "a value that cannot be coerced": (column("id", kind=int, coerce=True), "'id'"),
}


@pytest.mark.parametrize("kind", BREACHES)
def test_what_names_no_rows_blocks_the_version(kind: str) -> None:
    contract, named = BREACHES[kind]
    source = source_of(contract)
    with pytest.raises(ContractBreach, match="source 'weather' broke its contract") as breach:
        hold_to_contract(source, ROWS)
    assert named in breach.value.got
    assert breach.value.allowed == f"what the contract at {source.place} says"
    assert "until then older data serve" in breach.value.do


def test_a_contract_that_coerces_gives_what_it_promises() -> None:
    contract = pa.DataFrameSchema({"count": pa.Column(float, pa.Check.ge(2), coerce=True)})
    held = hold_to_contract(source_of(contract), ROWS)
    assert held.accepted["count"].to_list() == [2.0, 3.0, 4.0]
    assert held.accepted.schema["count"] == pl.Float64
    assert held.quarantined["count"].to_list() == [1]


def test_refused_rows_are_counted_and_can_be_read(room: Room) -> None:
    feed = Feed(ROWS)
    source = Source("weather", feed, event_time="at", key="id", contract=column("count", pa.Check.in_range(2, 3)))
    version = room.look(source, NOW)
    assert version is not None
    assert (version.rows, version.quarantined) == (2, 2)
    assert room.rows(source)["index"].to_list() == [11, 12]
    rows = room.quarantine(source).select("index", "_reason", "_version").rows()
    assert sorted(rows) == [(10, "count: in_range(2, 3)", 1), (13, "count: in_range(2, 3)", 1)]
    assert room.reader.record("dataset_version", version.id) == version.body()


def test_a_breach_leaves_older_versions_in_force(room: Room) -> None:
    feed = Feed(ROWS)
    contract = pa.DataFrameSchema({"count": pa.Column(int), "temp": pa.Column(float, nullable=True)})
    source = Source("weather", feed, event_time="at", key="id", contract=contract)
    room.look(source, NOW)
    later = NOW.replace(day=2)
    feed.frame = pl.concat([ROWS, ROWS.with_columns(pl.lit(later).alias("at"))]).drop("temp")
    with pytest.raises(ContractBreach) as breach:
        room.look(source, later)
    assert "'temp'" in breach.value.got
    assert room.versions.current("weather") == 1
    assert room.rows(source).height == 4
    assert room.quarantine(source).is_empty()
