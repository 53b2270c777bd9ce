"""Each month is measured once: not twice after a crash, not again when labels come late."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from tests.stores import Stores

from trimtab.kernel.canonical import JsonMap
from trimtab.kernel.evidence import Evidence
from trimtab.kernel.label import Label
from trimtab.kernel.moment import from_us, to_us
from trimtab.kernel.source import Source
from trimtab.monitoring.measure import PREDICTIONS, TABLE, Measure
from trimtab.monitoring.monitors import performance
from trimtab.ports.journal import Unit
from trimtab.ports.tables import Appended
from trimtab.serving.log_reader import FRAME_SCHEMA

SYSTEM = "flight-delay"
ARRIVALS = Source("arrivals", "arrivals.parquet", event_time="sched_dep", known_time="arrived_at", key="flight_id")
LATE = Label(ARRIVALS, "late")
TIME = pl.Datetime("us", "UTC")
MONITORS = [performance("log_loss", settle="12h")]
APRIL, MAY, JUNE = (datetime(2013, month, 1, tzinfo=UTC) for month in (4, 5, 6))
SETTLED = timedelta(hours=12)


class Killed(BaseException):
    """The process dies here."""


class BrokenJournal:
    """The process dies as it is about to commit."""

    @contextmanager
    def begin(self, *, at: datetime, actor: str) -> Iterator[Unit]:
        raise Killed(at, actor)
        yield


class CountingTables:
    """The real tables, and what was appended to them."""

    def __init__(self, stores: Stores) -> None:
        self._tables = stores.tables
        self.numbers: list[int] = []

    def append(
        self,
        table: str,
        frame: pl.DataFrame,
        *,
        writer: str,
        number: int,
        note: JsonMap,
        partition_by: Sequence[str] = (),
        widen: bool = False,
    ) -> Appended:
        self.numbers.append(number)
        return self._tables.append(
            table, frame, writer=writer, number=number, note=note, partition_by=partition_by, widen=widen
        )

    def last(self, table: str, writer: str) -> Appended | None:
        return self._tables.last(table, writer)


def measure_of(stores: Stores) -> Measure:
    return Measure(journal=stores.journal, reader=stores.reader, tables=stores.tables, writer=stores.tables)


def ask(stores: Stores, first: datetime, days: int, *, system: str = SYSTEM, known_after_h: int = 2) -> None:
    """Three questions a day, each answered by the truth some hours later."""
    ats = [first + timedelta(days=day, hours=6 * one) for day in range(days) for one in range(3)]
    keys = [f"{system} {at.isoformat()}" for at in ats]
    number = to_us(first)
    answers = pl.DataFrame(
        {
            "system": [system] * len(ats),
            "id": keys,
            "key": keys,
            "at": ats,
            "release": ["aaa"] * len(ats),
            "generation": [1] * len(ats),
            "score": [0.2 + 0.6 * ((7 * n) % 10) / 10 for n in range(len(ats))],
            "others": [[] for _ in ats],
            "date": [at.date() for at in ats],
        },
        schema_overrides={"at": TIME, "others": FRAME_SCHEMA["others"]},
    )
    stores.tables.append(PREDICTIONS, answers, writer=system, number=number, note={})
    truth = pl.DataFrame(
        {
            "flight_id": keys,
            "late": [n % 3 == 0 for n in range(len(ats))],
            "sched_dep": ats,
            "arrived_at": [at + timedelta(hours=known_after_h) for at in ats],
        },
        schema_overrides={"sched_dep": TIME, "arrived_at": TIME},
    )
    stores.tables.append(ARRIVALS.table, truth, writer=system, number=number, note={})


def stored(stores: Stores) -> list[tuple[str, int, float]]:
    """What the table of evidence holds, month by month."""
    if not stores.tables.exists(TABLE):
        return []
    rows = stores.tables.scan(TABLE).sort("since_us").collect()
    return list(zip(rows["metric"], rows["since_us"], rows["value"], strict=True))


def months(evidence: list[Evidence]) -> list[datetime]:
    return [from_us(one.since_us) for one in evidence]


def test_a_month_is_measured_when_it_has_settled_and_only_then(stores: Stores) -> None:
    ask(stores, APRIL, 30)
    measure = measure_of(stores)
    first = measure(SYSTEM, MONITORS, LATE, MAY + SETTLED - timedelta(microseconds=1))
    assert first == []
    (april,) = measure(SYSTEM, MONITORS, LATE, MAY + SETTLED)
    assert (april.since_us, april.until_us, april.rows, april.blocks) == (to_us(APRIL), to_us(MAY), 90, 30)
    assert measure.evidence(SYSTEM) == [april]
    assert stored(stores) == [("log_loss", to_us(APRIL), april.value)]


def test_measuring_again_does_nothing(stores: Stores) -> None:
    ask(stores, APRIL, 30)
    measure = measure_of(stores)
    measure(SYSTEM, MONITORS, LATE, MAY + SETTLED)
    kinds = stores.kinds()
    for later in (timedelta(), timedelta(hours=1), timedelta(days=29)):
        assert measure.due(SYSTEM, MONITORS, MAY + SETTLED + later) == []
        assert measure(SYSTEM, MONITORS, LATE, MAY + SETTLED + later) == []
    assert stores.kinds() == kinds
    assert len(stored(stores)) == 1


def test_every_month_once_however_seldom_somebody_looks(stores: Stores) -> None:
    ask(stores, APRIL - timedelta(days=10), 90)
    often, seldom = measure_of(stores), measure_of(stores)
    for day in range(0, 100, 9):
        often(SYSTEM, MONITORS, LATE, APRIL + timedelta(days=day))
    at_once = seldom("copy", MONITORS, LATE, APRIL + timedelta(days=99))
    assert at_once == []  # another system has no predictions
    kept = often.evidence(SYSTEM)
    assert months(kept) == [datetime(2013, 3, 1, tzinfo=UTC), APRIL, MAY, JUNE]
    assert [one.rows for one in kept] == [30, 90, 93, 57]
    assert [one[1] for one in stored(stores)] == [one.since_us for one in kept]


def test_several_months_at_once_are_as_many_entries(stores: Stores) -> None:
    ask(stores, APRIL, 61)
    found = measure_of(stores)(SYSTEM, MONITORS, LATE, JUNE + SETTLED)
    assert months(found) == [APRIL, MAY]
    entries = [entry for entry in stores.reader.entries() if entry.kind == "evidence.measured"]
    assert [entry.body["evidence"] for entry in entries] == [[one.body()] for one in found]
    assert measure_of(stores).evidence(SYSTEM) == found


def test_killed_between_the_table_and_the_journal(stores: Stores) -> None:
    """Also if the next one looks a month later: what was written before is not written twice."""
    ask(stores, APRIL, 61)
    tables = CountingTables(stores)
    dying = Measure(journal=BrokenJournal(), reader=stores.reader, tables=stores.tables, writer=tables)
    with pytest.raises(Killed):
        dying(SYSTEM, MONITORS, LATE, MAY + SETTLED)
    assert tables.numbers == [to_us(MAY)]
    assert (len(stored(stores)), measure_of(stores).evidence(SYSTEM)) == (1, [])
    found = measure_of(stores)(SYSTEM, MONITORS, LATE, JUNE + SETTLED)
    assert months(found) == [APRIL, MAY]
    assert stored(stores) == [("log_loss", one.since_us, one.value) for one in found]


def test_after_a_death_table_and_journal_say_the_same(stores: Stores) -> None:
    """A label that came in between would make another number of the month."""
    ask(stores, APRIL, 30)
    dying = Measure(journal=BrokenJournal(), reader=stores.reader, tables=stores.tables, writer=stores.tables)
    with pytest.raises(Killed):
        dying(SYSTEM, MONITORS, LATE, MAY + SETTLED)
    corrected = (
        stores.tables.scan(ARRIVALS.table)
        .collect()
        .with_columns(~pl.col("late"), pl.lit(MAY + timedelta(hours=13), TIME).alias("arrived_at"))
    )
    stores.tables.append(ARRIVALS.table, corrected, writer="late", number=1, note={})
    (april,) = measure_of(stores)(SYSTEM, MONITORS, LATE, MAY + timedelta(hours=14))
    assert stored(stores) == [("log_loss", to_us(APRIL), april.value)]
    assert measure_of(stores).evidence(SYSTEM) == [april]


def test_labels_that_come_after_the_month_has_settled_change_nothing(stores: Stores) -> None:
    ask(stores, APRIL, 20)
    ask(stores, APRIL + timedelta(days=20), 10, known_after_h=24 * 20)
    measure = measure_of(stores)
    (april,) = measure(SYSTEM, MONITORS, LATE, MAY + SETTLED)
    assert april.rows == 60
    assert measure(SYSTEM, MONITORS, LATE, JUNE + SETTLED) == []
    assert measure.evidence(SYSTEM) == [april]
    assert measure.labelled(SYSTEM, LATE, JUNE).height == 90


def test_a_month_that_cannot_be_bounded_is_kept_as_it_is(stores: Stores) -> None:
    """A system that starts on a month's last day has a single block, and an endless interval."""
    ask(stores, MAY - timedelta(days=1), 1)
    auc = [performance("roc_auc"), performance("log_loss")]
    found = measure_of(stores)(SYSTEM, auc, LATE, MAY + SETTLED)
    assert [(one.low, one.high) for one in found] == [(-math.inf, math.inf)] * 2
    assert measure_of(stores).evidence(SYSTEM) == found
    assert len(stored(stores)) == 2


def test_a_month_of_one_class_is_kept_as_it_is(stores: Stores) -> None:
    ask(stores, APRIL, 1)
    ask(stores, APRIL + timedelta(days=1), 2)
    only = (
        stores.tables.scan(ARRIVALS.table)
        .collect()
        .with_columns(late=pl.lit(value=True), arrived_at=pl.col("arrived_at") + timedelta(hours=1))
    )
    stores.tables.append(ARRIVALS.table, only, writer="again", number=1, note={})
    (april,) = measure_of(stores)(SYSTEM, [performance("roc_auc")], LATE, MAY + SETTLED)
    assert math.isnan(april.value)
    (read,) = measure_of(stores).evidence(SYSTEM)
    assert math.isnan(read.value) and read.rows == april.rows == 9


def test_two_systems_are_measured_apart(stores: Stores) -> None:
    ask(stores, APRIL, 5)
    ask(stores, APRIL, 7, system="flight-delay-2")
    measure = measure_of(stores)
    (one,) = measure(SYSTEM, MONITORS, LATE, MAY + SETTLED)
    (two,) = measure("flight-delay-2", MONITORS, LATE, MAY + SETTLED)
    assert (one.rows, two.rows) == (15, 21)
    assert measure.evidence(SYSTEM) == [one]


def test_before_there_is_anything_nothing_is_found(stores: Stores) -> None:
    measure = measure_of(stores)
    assert measure(SYSTEM, MONITORS, LATE, MAY + SETTLED) == []
    assert measure.labelled(SYSTEM, LATE, MAY).is_empty()
    assert measure.evidence(SYSTEM) == []
    ask(stores, MAY, 31)
    assert months(measure(SYSTEM, MONITORS, LATE, JUNE + SETTLED)) == [MAY]


def test_each_metric_is_measured_for_itself(stores: Stores) -> None:
    ask(stores, APRIL, 30)
    both = [performance("roc_auc"), performance("log_loss")]
    measure = measure_of(stores)
    measure(SYSTEM, both[:1], LATE, MAY + SETTLED)
    assert measure.due(SYSTEM, both, MAY + SETTLED) == both[1:]
    (loss,) = measure(SYSTEM, both, LATE, MAY + SETTLED)
    assert loss.metric == "log_loss"


def test_what_was_asked_before_an_instant_is_left_out_by_day_and_hour(stores: Stores) -> None:
    ask(stores, APRIL, 30)
    measure = measure_of(stores)
    for since in (APRIL, APRIL + timedelta(days=9, hours=6), APRIL + timedelta(days=9, hours=6, microseconds=1)):
        found = measure.labelled(SYSTEM, LATE, MAY, since=since)
        assert found.equals(measure.labelled(SYSTEM, LATE, MAY).filter(pl.col("at") >= since))
    assert measure.labelled(SYSTEM, LATE, MAY, since=MAY).is_empty()


def test_zones_move_the_edges(stores: Stores) -> None:
    ask(stores, APRIL - timedelta(days=2), 40)
    york = [performance("log_loss", zone="America/New_York")]
    found = measure_of(stores)(SYSTEM, york, LATE, MAY + timedelta(days=1))
    assert [one.until_us for one in found] == [to_us(APRIL + timedelta(hours=4)), to_us(MAY + timedelta(hours=4))]
    assert [one.rows for one in found] == [7, 90]
