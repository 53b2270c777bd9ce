"""Checks and their actions: what warns lets rows in and tells, what quarantines keeps them, what blocks blocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandera.polars as pa
import polars as pl
import pytest
from tests.data.room import Feed, Room

import trimtab as tt
from trimtab.data.check import check_source
from trimtab.data.check_checks import check_checks
from trimtab.data.explain import told_of
from trimtab.kernel.errors import ContractBreach, InvalidValue
from trimtab.kernel.source import Source

START = datetime(2013, 4, 1, tzinfo=UTC)


def hour(number: float) -> datetime:
    return START + timedelta(hours=number)


def flights(*rows: tuple[str, float, str | None], seats: int = 100) -> pl.DataFrame:
    made = [(id, hour(at), plane, seats) for id, at, plane in rows]
    schema = {"id": pl.String(), "at": pl.Datetime("us", "UTC"), "plane": pl.String(), "seats": pl.Int64()}
    return pl.DataFrame(made, schema=schema, orient="row")


def source_of(feed: Feed, *checks: object, contract: object = None, name: str = "flights") -> Source:
    return Source(name, feed, event_time="at", key="id", checks=checks, contract=contract)


PLANES = flights(("N1", 0, None), ("N2", 0, None))


def referring(room: Room, action: str) -> tuple[Feed, Source, Source]:
    planes = source_of(Feed(PLANES), name="planes")
    feed = Feed(flights(("a", 1, "N1"), ("b", 1, "N9"), ("c", 1, None)))
    return feed, planes, source_of(feed, tt.checks.refers_to(planes, "plane", key="id", action=action))


def test_a_row_that_refers_to_nothing_is_quarantined(room: Room) -> None:
    _, planes, source = referring(room, "quarantine")
    [_, made] = [version for _, versions in room.ingest.each([planes, source], hour(2)) for version in versions]
    assert (made.rows, made.quarantined, made.warned) == (2, 1, ())
    [(id, reason)] = room.quarantine(source).select("id", "_reason").rows()
    assert id == "b" and reason == "refers_to(planes, plane, key=id): not there, e.g. N9"
    assert room.look(source, hour(3)) is None


def test_a_row_that_refers_to_nothing_is_let_in_and_told(room: Room) -> None:
    _, planes, source = referring(room, "warn")
    room.look(planes, hour(2))
    made = room.look(source, hour(2))
    assert made is not None
    assert (made.rows, made.quarantined) == (3, 0)
    assert made.warned == (("refers_to(planes, plane, key=id): not there, e.g. N9", 1),)
    assert room.versions.version("flights", 1) == made
    assert any("only warns" in one.text and one.mark == "unsure" for one in told_of(made))
    entry = next(room.reader.entries(subject=made.id))
    assert entry.body["warned"] == dict(made.warned)


def test_a_row_that_refers_to_nothing_blocks(room: Room) -> None:
    _, planes, source = referring(room, "block")
    room.look(planes, hour(2))
    with pytest.raises(ContractBreach) as breach:
        room.look(source, hour(2))
    assert "not there, e.g. N9 (1 of 3 rows)" in breach.value.got


def test_a_source_that_is_declared_first_sees_the_other_as_of_the_turn_before(room: Room) -> None:
    feed, planes, source = referring(room, "quarantine")
    taken = [version for _, versions in room.ingest.each([source, planes], hour(2)) for version in versions]
    assert [one.id for one in taken] == ["flights@000001", "planes@000001"]
    assert taken[0].rows == 3
    assert room.ingest.warnings(source) == (
        "refers_to(planes, plane, key=id): cannot be checked before planes has its first version",
    )
    feed.frame = pl.concat([feed.frame, flights(("d", 3, "N9"), ("e", 3, "N2"))])
    made = room.look(source, hour(4))
    assert made is not None and (made.rows, made.quarantined) == (1, 1)
    assert room.ingest.warnings(source) == ()


def test_freshness_is_judged_whether_rows_come_or_not(room: Room) -> None:
    feed = Feed(flights(("a", 1, None)))
    blocking, warning = (
        source_of(feed, tt.checks.freshness("6h", action=one), name=one) for one in ("block", "warn")
    )
    for source in (blocking, warning):
        assert room.look(source, hour(6.9)) is not None
        assert room.look(source, hour(7)) is None and not room.ingest.warnings(source)
    with pytest.raises(ContractBreach) as breach:
        room.look(blocking, hour(7.1))
    assert "freshness(6h): the newest row became known 2013-04-01 01:00 UTC, more than 6h ago" in breach.value.got
    assert room.look(warning, hour(7.1)) is None
    assert room.ingest.warnings(warning) == (breach.value.got,)
    feed.frame = flights(("a", 1, None), ("b", 7.5, None))
    for source in (blocking, warning):
        assert room.look(source, hour(8)) is not None
        assert room.ingest.warnings(source) == ()


def test_nothing_at_all_is_not_fresh(room: Room) -> None:
    source = source_of(Feed(flights()), tt.checks.freshness("6h"))
    with pytest.raises(ContractBreach, match="broke its contract") as breach:
        room.look(source, hour(1))
    assert breach.value.got == "freshness(6h): nothing has ever come"


def rows(count: int, at: float) -> list[tuple[str, float, str | None]]:
    return [(f"{at}-{one}", at, None) for one in range(count)]


def test_volume_against_bounds(room: Room) -> None:
    feed = Feed(flights(*rows(3, 1)))
    source = source_of(feed, tt.checks.volume(at_least=2, at_most=4))
    assert room.look(source, hour(1)) is not None
    assert room.look(source, hour(2)) is None
    feed.frame = flights(*rows(3, 1), *rows(5, 3))
    with pytest.raises(ContractBreach) as breach:
        room.look(source, hour(3))
    assert breach.value.got == "volume(at_least=2, at_most=4): 5 rows came, at least 2 and at most 4 are allowed"


def test_volume_against_what_is_usual(room: Room) -> None:
    feed = Feed()
    source = source_of(feed, tt.checks.volume())
    offered = rows(500, 0)
    for look in range(1, 12):
        offered += rows(10 + look % 3, look)
        feed.frame = flights(*offered)
        assert room.look(source, hour(look)) is not None
    # Three hours at once may bring three times as much.
    offered += [*rows(12, 12), *rows(12, 13), *rows(12, 14)]
    feed.frame = flights(*offered)
    assert room.look(source, hour(14)) is not None
    for count, bound in ((2, "at least 3"), (400, "at most")):
        feed.frame = flights(*offered, *rows(count, 15))
        with pytest.raises(ContractBreach) as breach:
            room.look(source, hour(15))
        assert f"{count} rows came" in breach.value.got and bound in breach.value.got
    feed.frame = flights(*offered, *rows(9, 15))
    assert room.look(source, hour(15)) is not None


def temperatures(day: int, *, celsius: bool) -> pl.DataFrame:
    values = [60.0 + one % 24 + day % 5 for one in range(72)]
    at = [START + timedelta(days=day, minutes=one * 20) for one in range(72)]
    table = pl.DataFrame({"id": [f"{day}-{one}" for one in range(72)], "at": at, "temp_f": values})
    return table.with_columns((pl.col("temp_f") - 32) / 1.8) if celsius else table


@pytest.mark.parametrize("action", ["", "warn", "block"])
def test_a_changed_unit_is_told_and_blocks_where_the_source_says_so(room: Room, action: str) -> None:
    feed = Feed(pl.concat([temperatures(day, celsius=False) for day in range(30)]))
    source = source_of(feed, *([tt.checks.units(action=action)] if action else []))
    for day in range(30):
        assert room.look(source, START + timedelta(days=day, hours=23, minutes=59)) is not None
    feed.frame = pl.concat([feed.frame, temperatures(30, celsius=True)])
    later = START + timedelta(days=30, hours=23, minutes=59)
    told = "the unit of column 'temp_f' has changed: °F → °C?"
    if action != "block":
        made = room.look(source, later)
        assert made is not None and told in made.warned[0][0] and made.rows == 72
    else:
        with pytest.raises(ContractBreach) as breach:
            room.look(source, later)
        assert told in breach.value.got


def test_actions_of_a_contract(room: Room) -> None:
    contract = pa.DataFrameSchema(
        {
            "seats": pa.Column(
                pl.Int64, [pa.Check.ge(1), pa.Check.le(500)], metadata={"action": {"less_than_or_equal_to": "warn"}}
            ),
            "plane": pa.Column(
                pl.String, pa.Check.str_startswith("N"), nullable=False, metadata={"action": "warn"}
            ),
        }
    )
    frame = pl.concat(
        [
            flights(("a", 1, "X"), ("b", 1, None)),
            flights(("c", 1, "N1"), seats=0),
            flights(("d", 1, "N1"), seats=900),
        ]
    )
    made = room.look(source_of(Feed(frame), contract=contract), hour(2))
    assert made is not None and (made.rows, made.quarantined) == (3, 1)
    assert dict(made.warned) == {
        "plane: not_nullable": 1,
        "plane: str_startswith('N')": 1,
        "seats: less_than_or_equal_to(500)": 1,
    }


def test_pandera_s_own_warnings_are_told(room: Room) -> None:
    contract = pa.DataFrameSchema({"seats": pa.Column(pl.Int64, pa.Check.le(50, raise_warning=True))})
    made = room.look(source_of(Feed(flights(("a", 1, "X"))), contract=contract), hour(2))
    assert made is not None and made.warned == (("seats: less_than_or_equal_to(50)", 1),)


def problems(source: Source, *others: Source) -> list[str]:
    schemas = {"planes": PLANES.schema}
    found = [*check_source(source, Path(), schemas), *check_checks([source, *others], schemas)]
    return [str(one) for one in found]


def test_settings_are_looked_at_before_anything_runs() -> None:
    planes, feed = source_of(Feed(PLANES), name="planes"), Feed(flights(("a", 1, "N1")))
    wrong = [
        (tt.checks.freshness("soon"), "freshness(soon)"),
        (tt.checks.freshness("6h", action="quarantine"), "warn, block"),
        (tt.checks.volume(at_least=5, at_most=1), "0 ≤ at_least ≤ at_most"),
        (tt.checks.volume(times=0.5), "1 or more"),
        (tt.checks.refers_to(planes, "tail", key="id"), "columns of source 'flights': at, id, plane, seats"),
        (tt.checks.refers_to(planes, "plane", key="tail"), "columns of source 'planes'"),
        (tt.checks.units(action="quarantine"), "warn, block"),
        (tt.checks.freshness, "a list of trimtab.checks.freshness"),
    ]
    for check, told in wrong:
        [problem] = problems(source_of(feed, check), planes)
        assert told in problem
    assert problems(source_of(feed, tt.checks.freshness("6h"), tt.checks.volume(at_least=1))) == []
    contract = pa.DataFrameSchema({"seats": pa.Column(pl.Int64, metadata={"action": "drop"})})
    [problem] = problems(source_of(feed, contract=contract))
    assert "action of seats" in problem and "warn, quarantine, block" in problem
    with pytest.raises(InvalidValue):
        tt.checks.freshness("soon").find(None)  # type: ignore[arg-type]


def test_a_check_refers_to_a_listed_source_and_to_values_of_its_kind() -> None:
    planes, feed = source_of(Feed(PLANES), name="planes"), Feed(flights(("a", 1, "N1")))
    source = source_of(feed, tt.checks.refers_to(planes, "plane", key="id"))
    assert problems(source, planes) == []
    [problem] = problems(source)
    assert "uses a source that the system does not list" in problem and "add it to System(sources=…)" in problem
    unlike = source_of(feed, tt.checks.refers_to(planes, "plane", key="seats"))
    [problem] = problems(unlike, planes)
    assert "compares columns of unlike types" in problem
    assert "plane: String, seats of 'planes': Int64" in problem


def test_what_cannot_be_looked_up_blocks_with_its_cause(room: Room) -> None:
    """A feed's function may change a column's type after the system was checked."""
    planes = source_of(Feed(PLANES), name="planes")
    feed = Feed(flights(("a", 1, "N1")).with_columns(pl.lit(7).alias("plane")))
    source = source_of(feed, tt.checks.refers_to(planes, "plane", key="id", action="warn"))
    room.look(planes, hour(2))
    with pytest.raises(ContractBreach, match="it cannot be checked") as caught:
        room.look(source, hour(2))
    assert "mend the feed, or change the check" in str(caught.value)


def test_a_row_refused_after_the_contract_changed_it_lies_in_quarantine_as_it_came(room: Room) -> None:
    columns = {"seats": pa.Column(pl.Int64), "class": pa.Column(pl.String, default="economy")}
    contract = pa.DataFrameSchema(columns, add_missing_columns=True, coerce=True)
    planes = source_of(Feed(PLANES), name="planes")
    rows = flights(("a", 1, "N1"), ("b", 1, "N9"))
    check = tt.checks.refers_to(planes, "plane", key="id")
    source = source_of(Feed(rows), check, contract=contract)
    room.look(planes, hour(2))
    made = room.look(source, hour(2))
    assert made is not None and (made.rows, made.quarantined) == (1, 1)
    assert room.rows(source)["class"].to_list() == ["economy"]
    refused = room.quarantine(source)
    assert "class" not in refused.columns
    assert refused["id"].to_list() == ["b"]
