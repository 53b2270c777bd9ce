from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trimtab as tt
from trimtab.kernel.errors import TrimtabError
from trimtab.kernel.moment import duration_text
from trimtab.kernel.route import BUCKETS, Canary
from trimtab.serving.check_retention import check_retention
from trimtab.serving.retention import Retention, expired_days, first_kept

DAYS = st.dates(date(2012, 1, 1), date(2014, 12, 31))
NOWS = st.integers(0, 2 * 365 * 86_400).map(lambda s: datetime(2013, 1, 1, tzinfo=UTC) + timedelta(seconds=s))


@given(NOWS, st.timedeltas(timedelta(days=1), timedelta(days=800)), st.lists(DAYS))
def test_a_day_goes_when_what_is_kept_has_passed_since_its_end(
    now: datetime, keep: timedelta, days: list[date]
) -> None:
    def is_over(day: date) -> bool:
        end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        return end + keep <= now

    gone = expired_days(Retention(duration_text(keep)), now, days)
    assert gone == sorted({day for day in days if is_over(day)})


def test_without_a_policy_nothing_goes() -> None:
    assert expired_days(Retention(), datetime(2100, 1, 1, tzinfo=UTC), [date(1970, 1, 1)]) == []
    assert first_kept(Retention("999999999d"), datetime(2100, 1, 1, tzinfo=UTC)) is None


@given(st.integers(0, 10**9), st.integers(1, BUCKETS), st.integers(1, BUCKETS))
def test_a_larger_sample_holds_every_smaller_one(key: int, one: int, other: int) -> None:
    small, large = sorted([one, other])
    if Retention(sample=small / BUCKETS).draws("shop", str(key)):
        assert Retention(sample=large / BUCKETS).draws("shop", str(key))
    assert Retention(sample=1.0).draws("shop", str(key))


def test_a_sample_is_as_large_as_it_says_and_has_nothing_to_do_with_a_canarys_draw() -> None:
    keys = [str(number) for number in range(20_000)]
    policy = Retention(sample=0.1)
    kept = [key for key in keys if policy.draws("shop", key)]
    assert 1850 < len(kept) < 2150
    assert kept != [key for key in keys if policy.draws("bank", key)]
    canary = Canary("r", 1000, "shop/1")
    assert 130 < sum(canary.draws(key) for key in kept) < 270


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        (tt.retention(keep="400"), "keep has a value"),
        (tt.retention(keep="12h"), "one day or more"),
        (tt.retention(keep="20d"), "35d or more: so far back reads monitor roc_auc"),
        (tt.retention(sample=0.0), "sample has a value"),
        (tt.retention(sample=1.5), "sample has a value"),
        (tt.retention(sample=0.00001), "in steps of 0.0001"),
        (tt.retention(sample=True), "sample has a value"),
        (tt.retention(sample="0.1"), "sample has a value"),  # type: ignore[arg-type]
        ("400d", "log is not a retention policy"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_told_in_five_parts(declared: object, told: str) -> None:
    looks_back = {"monitor roc_auc": timedelta(days=35)}
    problems = list(check_retention(declared, "shop", "system.py:3", looks_back))
    assert len(problems) == 1
    [problem] = problems
    assert isinstance(problem, TrimtabError)
    assert told in str(problem)
    assert problem.where and problem.allowed and problem.got and problem.do


def test_a_policy_that_can_be_meant() -> None:
    declared = tt.retention(keep="400d", sample=0.0025)
    assert list(check_retention(declared, "shop", "here", {"the rollout": timedelta(days=20)})) == []
    assert declared.body() == {"keep": "400d", "sample": 0.0025}
    assert declared.words == "keep=400d, sample=0.0025"
    assert "test_retention.py" in declared.place
