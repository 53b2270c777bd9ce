from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.kernel.errors import InvalidValue, NaiveTime
from trimtab.kernel.moment import aware, duration, duration_text, duration_us, from_us, parse_instant, to_us

INSTANTS = st.datetimes(
    min_value=datetime(1902, 1, 1),  # noqa: DTZ001 - the strategy attaches the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, ZoneInfo("America/New_York"), timezone(timedelta(hours=5, minutes=45))]),
)
SPANS = st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=100_000))


@given(INSTANTS)
def test_microseconds_are_exact_and_keep_the_instant(moment: datetime) -> None:
    # In UTC: Python calls times of an hour that is there twice unequal to all times of other zones.
    assert from_us(to_us(moment)) == moment.astimezone(UTC) == parse_instant(moment.isoformat())
    assert from_us(to_us(moment)).tzinfo is UTC


@given(INSTANTS, INSTANTS)
def test_microseconds_order_and_measure_as_instants_do(one: datetime, other: datetime) -> None:
    assert to_us(other) - to_us(one) == duration_us(other.astimezone(UTC) - one.astimezone(UTC))


def test_known_instants() -> None:
    assert to_us(datetime(1970, 1, 1, tzinfo=UTC)) == 0
    assert to_us(datetime(2013, 4, 1, tzinfo=UTC)) == 1_364_774_400_000_000
    # The last microsecond before 2013: a float of seconds would round it up.
    assert to_us(datetime(2012, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == 1_356_998_399_999_999
    assert to_us(datetime(2013, 4, 1, tzinfo=ZoneInfo("America/New_York"))) == 1_364_788_800_000_000


def test_the_hour_that_is_there_twice_stays_two_instants() -> None:
    zone = ZoneInfo("America/New_York")
    first = datetime(2013, 11, 3, 1, 30, tzinfo=zone)
    assert to_us(first.replace(fold=1)) - to_us(first) == 3_600_000_000


class Nowhere(tzinfo):
    """A zone that does not know its offset: Python calls such a time naive."""

    def utcoffset(self, _: datetime | None, /) -> None:
        return None

    def dst(self, _: datetime | None, /) -> None:
        return None

    def tzname(self, _: datetime | None, /) -> None:
        return None


@pytest.mark.parametrize("zone", [None, Nowhere()])
def test_a_time_without_a_zone_is_refused(zone: tzinfo | None) -> None:
    naive = datetime(2013, 4, 1, tzinfo=zone)
    with pytest.raises(NaiveTime, match="sched_dep is a time without a zone"):
        aware(naive, "sched_dep")
    with pytest.raises(NaiveTime):
        to_us(naive)


def test_text_that_is_no_instant_is_refused() -> None:
    with pytest.raises(InvalidValue, match=r"--at has a value[\s\S]*ISO 8601[\s\S]*'yesterday'"):
        parse_instant("yesterday", "--at")
    with pytest.raises(NaiveTime, match="--at is a time without a zone"):
        parse_instant("2013-04-01T00:00:00", "--at")


@given(SPANS)
def test_a_duration_written_reads_back(span: timedelta) -> None:
    assert duration(duration_text(span)) == span == duration(span)
    assert timedelta(microseconds=duration_us(span)) == span


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("3h", timedelta(hours=3)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(days=14)),
        ("90m", timedelta(minutes=90)),
        ("500ms", timedelta(milliseconds=500)),
        ("5m500ms", timedelta(minutes=5, milliseconds=500)),
        ("250us", timedelta(microseconds=250)),
        ("1d12h", timedelta(hours=36)),
    ],
)
def test_durations_as_people_write_them(text: str, span: timedelta) -> None:
    assert duration(text) == span


@pytest.mark.parametrize("text", ["", "3", "h", "3 h", "3H", "-3h", "3.5h", "3h!", "0s", "3h0", "9999999999d"])
def test_what_is_no_positive_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="max_age has a value that is not allowed"):
        duration(text, "max_age")


@pytest.mark.parametrize("span", [timedelta(), timedelta(seconds=-1)])
def test_a_span_that_is_not_positive_is_refused(span: timedelta) -> None:
    with pytest.raises(InvalidValue, match="a positive duration"):
        duration(span)
