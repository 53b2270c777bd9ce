"""Paired days against plain Python, in zones whose days have 23, 24 and 25 hours and begin at odd instants."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.monitoring.paired import PairedDays, paired_days

# In Asuncion and Havana clocks change at midnight: a day begins at one o'clock, or its first hour comes twice.
ZONES = ["UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Asuncion", "America/Havana"]
BEGIN = datetime(2017, 9, 29, tzinfo=UTC)  # Asuncion changes on October 1, Havana on November 5 at 1 o'clock
TIME = pl.Datetime("us", "UTC")
Row = tuple[datetime, bool | None, float | None, float | None]


def frame(rows: list[Row]) -> pl.DataFrame:
    schema = {"at": TIME, "label": pl.Boolean(), "challenger": pl.Float64(), "champion": pl.Float64()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def begins(day: date, zone: str) -> datetime:
    """By looking: the first minute whose local date is this day."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=16)
    while at.astimezone(ZoneInfo(zone)).date() < day:
        at += timedelta(minutes=15)
    return at


def log_loss(rows: list[tuple[bool, float]]) -> float:
    return math.fsum(-math.log(score if label else 1 - score) for label, score in rows) / len(rows)


def roc_auc(rows: list[tuple[bool, float]]) -> float:
    pairs = [(yes, no) for label, yes in rows if label for other, no in rows if not other]
    won = sum((yes > no) + (yes == no) / 2 for yes, no in pairs)
    return won / len(pairs) if pairs else math.nan


def oracle(rows: list[Row], metric: str, zone: str, since: datetime, settled: datetime) -> tuple[list[float], int]:
    days: dict[date, list[tuple[bool, float, float]]] = defaultdict(list)
    for at, label, challenger, champion in rows:
        if label is not None and challenger is not None and champion is not None:
            days[at.astimezone(ZoneInfo(zone)).date()].append((label, challenger, champion))
    whole = [
        days[day]
        for day in sorted(days)
        if begins(day, zone) >= since and begins(day + timedelta(days=1), zone) <= settled
    ]
    harm = []
    for one in whole:
        theirs, ours = [(row[0], row[1]) for row in one], [(row[0], row[2]) for row in one]
        harm.append(log_loss(theirs) - log_loss(ours) if metric == "log_loss" else roc_auc(ours) - roc_auc(theirs))
    return [one for one in harm if not math.isnan(one)], sum(map(len, whole))


AT = (
    st.integers(0, 45 * 1440).map(lambda n: BEGIN + timedelta(minutes=n))
    | st.integers(-8, 8).map(lambda n: datetime(2017, 10, 1, 4, tzinfo=UTC) + timedelta(minutes=15 * n))
    | st.integers(-8, 8).map(lambda n: datetime(2017, 11, 5, 5, tzinfo=UTC) + timedelta(minutes=15 * n))
)
SCORE = st.sampled_from([0.1, 0.25, 0.5, 0.75, 0.9])


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.tuples(AT, st.booleans() | st.none(), SCORE | st.none(), SCORE | st.none()), max_size=25),
    st.sampled_from(["log_loss", "roc_auc"]),
    st.sampled_from(ZONES),
    AT,
    AT,
)
def test_whole_days_only_as_plain_python_counts_them(
    rows: list[Row], metric: str, zone: str, since: datetime, settled: datetime
) -> None:
    found = paired_days(frame(rows), metric=metric, zone=zone, since=since, settled=settled)
    harm, counted = oracle(rows, metric, zone, since, settled)
    assert list(found.harm) == pytest.approx(harm, abs=1e-12)
    assert found.rows == counted


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("day", [date(2017, 9, 30), date(2017, 10, 1), date(2017, 11, 5)])
def test_a_day_counts_from_its_first_instant_to_its_last(zone: str, day: date) -> None:
    first, last = begins(day, zone), begins(day + timedelta(days=1), zone)
    rows: list[Row] = [
        (first, True, 0.5, 0.25),
        (last - timedelta(microseconds=1), True, 0.5, 0.5),
        (first - timedelta(microseconds=1), True, 0.1, 0.9),
        (last, True, 0.1, 0.9),
    ]
    instant = timedelta(microseconds=1)

    def days(since: datetime, settled: datetime) -> PairedDays:
        return paired_days(frame(rows), metric="log_loss", zone=zone, since=since, settled=settled)

    found = days(first, last)
    assert list(found.harm) == pytest.approx([-math.log(2) / 2])
    assert found.rows == 2
    assert days(first + instant, last).rows == days(first, last - instant).rows == 0


def test_the_order_of_rows_does_not_matter_and_a_day_is_one_number_however_many_rows_it_has() -> None:
    day = datetime(2017, 9, 30, tzinfo=UTC)
    rows: list[Row] = [(day + timedelta(minutes=n), n % 3 == 0, 0.5, 0.25) for n in range(90)]
    rows += [(day + timedelta(days=1, hours=2), True, 0.25, 0.5)]
    found = paired_days(frame(rows), metric="log_loss", zone="UTC", since=day, settled=day + timedelta(days=2))
    again = paired_days(
        frame(rows[::-1]), metric="log_loss", zone="UTC", since=day, settled=day + timedelta(days=2)
    )
    assert (len(found.harm), found.rows, again.rows) == (2, 91, 91)
    assert list(again.harm) == pytest.approx(list(found.harm), abs=1e-15)
    assert found.harm[1] == pytest.approx(math.log(2))


def test_scores_of_nought_and_one_cost_much_and_not_everything() -> None:
    """A model that is sure and wrong on one row must not make a day's mean endless."""
    day = datetime(2017, 9, 30, tzinfo=UTC)
    tomorrow = day + timedelta(days=1)
    found = paired_days(frame([(day, True, 0.0, 1.0)]), metric="log_loss", zone="UTC", since=day, settled=tomorrow)
    assert 10 < found.harm[0] < 1000
