"""Charts draw what the numbers say: places are held against values."""

from __future__ import annotations

import dataclasses
import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.web import sample
from tests.web.html_page import Page

from trimtab.house.chronicle import Alarm, Measured
from trimtab.web.report.charts.drift_map import drift_map
from trimtab.web.report.charts.leak_bars import leak_bars
from trimtab.web.report.charts.loss_gap import loss_gap
from trimtab.web.report.charts.monthly_lines import Series, monthly_lines
from trimtab.web.report.charts.rollout_strip import common, rollout_strip
from trimtab.web.report.charts.time_axis import time_axis
from trimtab.web.report.scale import Bands, Linear, round_range, ticks, time_ticks

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)


def drawn(svg: str, element: str, class_: str) -> list[dict[str, float]]:
    """Places of all elements that have these classes."""
    read = Page(svg)
    found: list[dict[str, str]] = []
    names = {"circle": "cx", "rect": "x", "line": "x1"}
    for tag, name, value in read.attributes:
        if tag == element and name == names[element]:
            found.append({})
        if tag == element:
            found[-1][name] = value
    chosen = [one for one in found if set(class_.split()) <= set(one["class"].split())]
    return [{name: float(value) for name, value in one.items() if name != "class"} for one in chosen]


@pytest.mark.parametrize("width", ["wide", "narrow"])
def test_points_lie_where_their_values_are(width: str) -> None:
    months = sample.months()
    values = [one.managed_auc for one in months]
    figure = monthly_lines("AUC", "", "AUC", [one.month for one in months], [Series("managed", "managed", values)])
    dots = drawn(getattr(figure, width), "circle", "dot managed")
    bars = drawn(getattr(figure, width), "line", "whisker managed")
    assert len(dots) == len(bars) == len(months)
    slope = (dots[2]["cy"] - dots[0]["cy"]) / (values[2].value - values[0].value)
    assert slope < 0
    for dot, bar, one in zip(dots, bars, values, strict=True):
        assert dot["cy"] == pytest.approx(dots[0]["cy"] + slope * (one.value - values[0].value), abs=0.3)
        assert bar["y1"] - bar["y2"] == pytest.approx(-slope * (one.high - one.low), abs=0.3)
    assert [dot["cx"] for dot in dots] == sorted(dot["cx"] for dot in dots)


def test_a_month_without_labels_is_a_gap() -> None:
    values = [Measured(0.7, 0.6, 0.8), sample.UNKNOWN, Measured(0.72, 0.6, 0.8)]
    figure = monthly_lines("AUC", "", "AUC", ["2013-04", "2013-05", "2013-06"], [Series("a", "managed", values)])
    assert len(drawn(figure.wide, "circle", "dot")) == 2
    assert Page(figure.wide).values("class", "path").count("line managed") == 2


def test_bars_are_as_long_as_the_loss() -> None:
    months = [one for one in sample.months() if one.frozen_loss is not None]
    bars = drawn(loss_gap(months).wide, "rect", "bar frozen")
    gaps = [one.frozen_loss.value for one in months if one.frozen_loss]
    unit = bars[0]["height"] / gaps[0]
    for bar, gap in zip(bars, gaps, strict=True):
        assert bar["height"] == pytest.approx(unit * gap, abs=unit * 0.0002 + 0.2)
        assert bar["y"] + bar["height"] == pytest.approx(bars[0]["y"] + bars[0]["height"], abs=0.2)


def test_the_leak_is_the_longest_bar_and_the_honest_one_is_longer_than_what_was_served() -> None:
    offline, served, honest = (
        drawn(leak_bars(0.7755, 0.6833, 0.7235).wide, "rect", f"bar {name}")[0]["width"]
        for name in ("leak", "bad", "managed")
    )
    assert offline / served == pytest.approx((0.7755 - 0.5) / (0.6833 - 0.5), rel=0.01)
    assert offline > honest > served


def test_the_most_drifted_feature_is_on_top_and_darkest() -> None:
    figure = drift_map(sample.months())
    assert figure.numbers is not None and figure.numbers.rows[0][0] == "origin_weather.temp"
    worst = [max(map(float, row[1:])) for row in figure.numbers.rows]
    assert worst == sorted(worst, reverse=True)
    cells = drawn(figure.wide, "rect", "cell")
    assert len(cells) == len(sample.FEATURES) * len(sample.MANAGED)
    strong = drawn(figure.wide, "rect", "cell h4")
    assert len(strong) == sum(value >= 3 for one in sample.months() for value in one.drift.values())


def test_all_strips_share_their_scales() -> None:
    one = sample.full()
    shared = common(one.rollouts, one.until)
    assert shared.days == 14
    lows = [look.harm.low for each in one.rollouts for look in each.days[-1:] if look.harm]
    highs = [look.harm.high for each in one.rollouts for look in each.days[-1:] if look.harm]
    assert shared.low < min(lows) and shared.high > max(*highs, 0.002)
    for each in one.rollouts:
        figure = rollout_strip(each, one.until, one.zone, shared)
        margins = drawn(figure.wide, "line", "margin")
        assert bool(figure.empty) == (not each.days) == (not margins)
        if margins:
            zero = drawn(figure.wide, "line", "zero")[0]
            assert margins[0]["y1"] < zero["y1"]
            assert len(drawn(figure.wide, "rect", "hit")) == len(each.days)


def test_a_rollout_with_nothing_to_hold_against_is_drawn() -> None:
    one = sample.unlabelled()
    each = dataclasses.replace(one.rollouts[0], margin=None)
    figure = rollout_strip(each, one.until, one.zone, common([each], one.until))
    assert "not enough days" in Page(figure.wide).text and not drawn(figure.wide, "line", "margin")


def test_alarms_that_overlap_go_to_lanes_below() -> None:
    one = sample.full()
    at = sample.at(6, 1)
    alarms = tuple(Alarm(at + timedelta(days=day), "a", "b", at + timedelta(days=day + 5)) for day in (0, 2, 6))
    bars = drawn(time_axis(dataclasses.replace(one, alarms=alarms)).wide, "rect", "span alarm")
    heights = {bar["x"]: bar["y"] for bar in bars}
    first, second, third = (heights[x] for x in sorted(heights))
    assert first == third < second


def test_the_axis_shows_each_decision_that_is_not_routine() -> None:
    one = sample.full()
    classes = Page(time_axis(one).wide).values("class")
    for kind in ("good", "bad", "unsure", "step"):
        assert classes.count(f"mark mark-{kind}") == sum(each.told.mark == kind for each in one.decisions)
    assert "mark mark-routine" not in classes


def test_champions_change_with_promotions() -> None:
    one = sample.full()
    promoted = sum(each.end == "promoted" for each in one.rollouts)
    bars = drawn(time_axis(one).wide, "rect", "span champion-0") + drawn(time_axis(one).wide, "rect", "champion-1")
    assert len(bars) == promoted + 1
    bars.sort(key=lambda bar: bar["x"])
    for before, after in pairwise(bars):
        assert before["x"] + before["width"] == pytest.approx(after["x"], abs=0.2)


@given(st.lists(NUMBERS, min_size=1, max_size=8))
def test_a_round_range_holds_all_and_its_ticks(values: list[float]) -> None:
    low, high = round_range([*values, math.nan])
    slack = 1e-6 * max(1.0, abs(low), abs(high))
    assert low < high and low <= min(values) + slack and high >= max(values) - slack
    marks = ticks(low, high)
    assert 2 <= len(marks) <= 12 and marks == sorted(set(marks))
    assert all(low - slack <= mark <= high + slack for mark in marks)


@given(NUMBERS, NUMBERS)
def test_a_scale_keeps_to_its_ends(value: float, other: float) -> None:
    scale = Linear(-5.0, 5.0, 100.0, 0.0)
    assert 0.0 <= scale(value) <= 100.0
    assert (scale(value) >= scale(other)) if value <= other else (scale(value) <= scale(other))


def test_bands_fill_their_room() -> None:
    bands = Bands(4, 10.0, 50.0)
    assert [bands.left(0), bands.centre(0), bands.left(3) + bands.width] == [10.0, 15.0, 50.0]


def test_ticks_of_time_are_local_midnights() -> None:
    zone = "America/New_York"
    year = time_ticks(sample.at(1, 1, 0), datetime(2013, 12, 31, tzinfo=UTC), zone)
    assert [name for _, name in year][:4] == ["Jan", "Feb", "Mar", "Apr"] and len(year) == 12
    assert all(at.astimezone(ZoneInfo(zone)).hour == 0 for at, _ in year)
    weeks = time_ticks(sample.at(3, 1, 0), sample.at(4, 1, 0), zone)
    assert [at.weekday() for at, _ in weeks] == [0] * len(weeks) and [name for _, name in weeks][-1] == "1 Apr"
    days = time_ticks(sample.at(3, 9, 0), sample.at(3, 12, 0), zone)
    assert [name for _, name in days] == ["9 Mar", "10 Mar", "11 Mar", "12 Mar"]
