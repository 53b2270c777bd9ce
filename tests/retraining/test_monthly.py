"""One retraining for each calendar month, whenever somebody looks; the first training is a person's."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.retraining.decide import decide_retraining
from trimtab.retraining.triggers import Monthly, monthly

ZONES = ["UTC", "America/New_York", "Asia/Kathmandu", "America/Asuncion", "America/Havana"]
START = datetime(2017, 8, 15, tzinfo=UTC)
MONTHS = 6

minutes = st.integers(0, 183 * 1440)


def instant(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def month(at: datetime, zone: str) -> str:
    return at.astimezone(ZoneInfo(zone)).strftime("%Y-%m")


def trained(triggers: list[Monthly], first: datetime, ticks: list[datetime]) -> list[datetime]:
    """The loop: it looks at each tick, and what is due is done at that tick."""
    done: list[datetime] = []
    last = first
    for now in sorted(ticks):
        if decide_retraining(triggers, last, now):
            done.append(now)
            last = now
    return done


@settings(deadline=None, max_examples=50)
@given(
    st.lists(minutes, min_size=1, max_size=60),
    st.integers(0, 1440),
    st.sampled_from(ZONES),
    st.integers(1, 27 * 24),
)
def test_once_a_calendar_month_whenever_somebody_looks(
    ticks: list[int], first: int, zone: str, settle_h: int
) -> None:
    trigger = monthly(settle=f"{settle_h}h", zone=zone)
    looked = sorted(at for at in map(instant, ticks) if at > instant(first))
    done = trained([trigger], instant(first), looked)
    by_month = Counter(month(at, zone) for at in done)
    assert set(by_month.values()) <= {1}
    assert month(instant(first), zone) not in by_month, "a person trained this month"
    settled = {month(at, zone) for at in looked if month(at - timedelta(hours=settle_h), zone) == month(at, zone)}
    assert settled - {month(instant(first), zone)} <= set(by_month), "every month in which it was due"


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("every_h", [1, 7, 24])
def test_a_loop_that_turns_all_the_time_retrains_as_soon_as_labels_have_settled(zone: str, every_h: int) -> None:
    ticks = [START + timedelta(hours=hour) for hour in range(0, 183 * 24, every_h)]
    done = trained([monthly(settle="1d", zone=zone)], START, ticks)
    assert [month(at, zone) for at in done] == [f"2017-{n:02d}" for n in range(9, 13)] + ["2018-01", "2018-02"]
    for at in done:
        local = at.astimezone(ZoneInfo(zone))
        assert (
            timedelta(0) <= local - local.replace(day=2, hour=0, minute=0, second=0) <= timedelta(hours=every_h + 1)
        )


@given(minutes, st.sampled_from(ZONES))
def test_a_second_turn_at_the_same_instant_does_nothing(minute: int, zone: str) -> None:
    trigger = monthly(zone=zone)
    assert trained([trigger, monthly(settle="3d", zone=zone)], START, [instant(minute)] * 3) in (
        [],
        [instant(minute)],
    )


@given(minutes)
def test_the_first_training_is_a_persons(minute: int) -> None:
    assert decide_retraining([monthly()], None, instant(minute)) == ""


def test_without_a_trigger_nothing_is_due() -> None:
    assert decide_retraining([], START, START + timedelta(days=400)) == ""


def test_the_reason_names_the_trigger_and_the_month() -> None:
    now = datetime(2017, 10, 2, 12, tzinfo=UTC)
    assert decide_retraining([monthly(settle="12h")], START, now) == (
        "monthly(settle=12h): nothing was trained since 2017-10-01 began"
    )


@pytest.mark.parametrize(
    ("zone", "begins"),
    [
        ("UTC", datetime(2017, 10, 1, tzinfo=UTC)),
        ("America/New_York", datetime(2017, 10, 1, 4, tzinfo=UTC)),
        ("America/Asuncion", datetime(2017, 10, 1, 4, tzinfo=UTC)),  # midnight does not exist
    ],
)
def test_a_month_begins_in_its_zone(zone: str, begins: datetime) -> None:
    trigger = monthly(settle="1h", zone=zone)
    due_at = begins + timedelta(hours=1)
    assert decide_retraining([trigger], START, due_at)
    assert decide_retraining([trigger], begins - timedelta(seconds=1), due_at)
    assert decide_retraining([trigger], begins, due_at) == ""
    assert not decide_retraining([trigger], begins - timedelta(seconds=1), due_at - timedelta(microseconds=1))


def test_a_month_whose_first_hour_comes_twice_is_trained_for_once() -> None:
    trigger = monthly(settle="5m", zone="America/Havana")
    first = datetime(2020, 11, 1, 4, tzinfo=UTC)  # 00:00; at 05:00 UTC it is 00:00 again
    ticks = [first + timedelta(minutes=minute) for minute in range(0, 180, 5)]
    assert trained([trigger], first - timedelta(days=2), ticks) == [first + timedelta(minutes=5)]


@pytest.mark.parametrize(
    ("wrong", "got"),
    [
        ({"settle": "soon"}, "'soon'"),
        ({"settle": "28d"}, "'28d'"),
        ({"settle": "0d"}, "'0d'"),
        ({"zone": "New York"}, "'New York'"),
    ],
)
def test_settings_that_cannot_work_are_named(wrong: dict[str, str], got: str) -> None:
    (problem,) = monthly(**wrong).problems()
    assert problem.got == got
    assert problem.where.startswith("test_monthly.py:")
    assert problem.allowed and problem.do


def test_settings_that_work_have_no_problem() -> None:
    assert list(monthly(settle="27d", zone="America/New_York").problems()) == []
