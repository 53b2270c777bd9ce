"""The report: whole, self-contained, faithful to the chronicle, and deaf to hostile texts."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from tests.web import sample
from tests.web.html_page import Page

from trimtab.house.chronicle import Alarm, Chronicle, Measured, RolloutEnd
from trimtab.house.explanation import Explanation
from trimtab.kernel.canonical import Json
from trimtab.kernel.happening import Happening, Mark, Stage
from trimtab.web.report.page import render

SECTIONS = ("quality", "loss", "rollouts", "drills", "drift", "period", "decisions", "answer", "ledger", "method")
CASES: dict[str, tuple[Chronicle, dict[str, Json], Explanation | None]] = {
    "full": (sample.full(), sample.FIGURES, sample.explanation()),
    "one month": (sample.one_month(), {"predictions": 28330}, None),
    "no labels": (sample.unlabelled(), {}, None),
    "empty": (sample.empty(), {}, None),
}
EVIL = """</script></style></title><script>alert(1)</script>" onload='x' {{ 7*7 }} & <b>"""


def page(chronicle: Chronicle, found: Mapping[str, Json], explanation: Explanation | None = None) -> Page:
    return Page(render(chronicle, found, explanation, made_at=sample.MADE))


@pytest.fixture(scope="module")
def full() -> Page:
    return page(*CASES["full"])


def shown(value: float, digits: int = 4) -> str:
    return f"{value:.{digits}f}".replace("-", "−") if math.isfinite(value) else "–"


def cells(one: Measured | None) -> list[str]:
    return ["–"] * 3 if one is None else [shown(one.value), shown(one.low), shown(one.high)]


@pytest.mark.parametrize("case", CASES)
def test_every_chronicle_gives_a_whole_page(case: str) -> None:
    html = render(*CASES[case], made_at=sample.MADE)
    read = Page(html)
    assert read.unbalanced == []
    ids = read.values("id")
    assert len(ids) == len(set(ids))
    assert [one for one in ids if one in SECTIONS] == list(SECTIONS)
    assert {link.removeprefix("#") for link in read.values("href", "a")} == set(SECTIONS)
    assert read.elements.count("h2") == len(SECTIONS)
    assert html == render(*CASES[case], made_at=sample.MADE)
    assert not re.search(r"\b(nan|inf|None)\b", read.text)
    assert not [value for _, _, value in read.attributes if re.search(r"\b(nan|inf)\b", value)]


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_fetched(case: str) -> None:
    html = render(*CASES[case], made_at=sample.MADE)
    read = Page(html)
    assert "http://" not in html and "https://" not in html and "url(" not in html and "@import" not in html
    assert not {"img", "iframe", "object", "embed", "form", "base"} & set(read.elements)
    assert read.values("src") == [] and set(read.values("href", "link")) == {"data:,"}
    assert len(html.encode()) < 500_000


def test_only_our_own_script_and_style_may_act(full: Page) -> None:
    policy = next(value for value in full.values("content", "meta") if "default-src" in value)
    assert policy.startswith("default-src 'none';")
    for name in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(full.raw[name].encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert full.values("style") == [] and not [name for _, name, _ in full.attributes if name.startswith("on")]


def test_months_stand_in_tables(full: Page) -> None:
    months = sample.full().months
    auc, log_loss = full.table("AUC by month"), full.table("Log-loss by month")
    gap, drift = full.table("Log-loss above"), full.table("Population")
    assert [len(one.rows) - 1 for one in (auc, log_loss, gap)] == [len(months)] * 3
    for place, one in enumerate(months, 1):
        assert auc.rows[place] == [one.month, *cells(one.managed_auc), *cells(one.frozen_auc)]
        assert log_loss.rows[place] == [one.month, *cells(one.managed_log_loss), *cells(one.frozen_log_loss)]
        assert gap.rows[place] == [one.month, *cells(one.managed_loss), *cells(one.frozen_loss)]
        by_feature = {row[0]: row[place] for row in drift.rows[1:]}
        assert by_feature == {name: shown(value, 2) for name, value in one.drift.items()}


def test_rollouts_stand_in_tables(full: Page) -> None:
    taken = [one for one in sample.full().rollouts if one.days]
    tables = [one for one in full.tables if "look" in one.caption]
    assert len(tables) == len(taken)
    for table, one in zip(tables, sorted(taken, key=lambda each: each.began), strict=True):
        assert [row[2:] for row in table.rows[1:]] == [cells(look.harm) for look in one.days]
        assert table.column("share") == [f"{look.share:.0%}".replace("%", " %") for look in one.days]
        assert table.column("at") == [f"{look.at:%Y-%m-%d %H:%M}" for look in one.days]
    for one in sample.full().rollouts:
        assert (
            one.because in full.text and one.release[:12] in full.text and f"{one.answers:,} answers" in full.text
        )


def test_alarms_and_decisions_stand_in_tables(full: Page) -> None:
    chronicle = sample.full()
    alarms = full.table("Alarms").rows[1:]
    assert [row[2:] for row in alarms] == [[one.subject, one.text] for one in chronicle.alarms]
    assert [row[1] == "–" for row in alarms] == [one.over is None for one in chronicle.alarms]
    rows = next(one for one in full.tables if one.rows[0][-1] == "ledger #").rows[1:]
    assert len(rows) == len(chronicle.decisions)
    for row, one in zip(rows, chronicle.decisions, strict=True):
        assert (row[1], row[3], row[4]) == (one.told.stage, one.actor, str(one.seq))
        assert row[0] == f"{one.at:%Y-%m-%d %H:%M}" and row[2].endswith(one.told.text)


def test_figures_are_in_the_headline(full: Page) -> None:
    for text in (
        "0.7506",
        "frozen 0.7234, +0.0271",
        "255,987",
        "4,823",
        "one chain, verified",
        "2 refused, 1 rolled back",
    ):
        assert text in full.text
    assert "Of ten rollouts, seven were promoted, two were refused and one was rolled back." in full.text
    assert "all in the bad release, none in a healthy one" in full.text
    for text in ("0.7755", "0.6833", "0.7235", "4.9 %", "1,711", "6,514", str(sample.FIGURES["ledger_head"])):
        assert text in full.text


def test_what_is_not_known_is_never_zero_or_well() -> None:
    read = page(sample.empty(), {})
    assert "✓" not in read.text and "one recorded answer each" not in read.text
    assert re.search(r"predictions\s*–", read.text) and re.search(r"ledger entries\s*–", read.text)
    for sentence in (
        "No truth has arrived yet",
        "No month has labels yet",
        "No month has been compared with a refit yet",
        "No release has been rolled out since the first",
        "Nothing was broken on purpose",
        "No drift has been measured yet",
        "No time has passed yet",
        "Nothing has been decided yet",
        "No answer is explained here",
    ):
        assert sentence in read.text, sentence


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"predictions_distinct": 255_986}, "only 255,986 different questions"),
        ({"online_offline_mismatches": 144}, "features online ≠ offline"),
        ({"ledger_verified": False}, "NOT whole"),
    ],
)
def test_a_broken_promise_is_said(changed: dict[str, Json], said: str) -> None:
    read = page(sample.full(), {**sample.FIGURES, **changed})
    assert f"✗ {said}" in read.text and "bad" in read.values("class", "div")


def test_hostile_texts_stay_texts() -> None:
    one = sample.full()
    now = one.began
    rollouts = tuple(dataclasses.replace(each, because=EVIL, release=EVIL, replaces=EVIL) for each in one.rollouts)
    decisions = tuple(
        dataclasses.replace(each, actor=EVIL, told=Happening("data", EVIL, each.told.mark))
        for each in one.decisions
    )
    months = tuple(dataclasses.replace(each, drift={EVIL: 1.0}) for each in one.months)
    figures: dict[str, Json] = {
        **sample.FIGURES,
        "ledger_head": EVIL,
        "bad_release": {"what": EVIL, "reason": EVIL, "caught_after": EVIL},
    }
    hostile = Chronicle(EVIL, "UTC", now, one.until, months, rollouts, (Alarm(now, EVIL, EVIL, None),), decisions)
    told = sample.explanation()
    told = dataclasses.replace(told, features={f"plane.{EVIL}": EVIL}, label={**(told.label or {}), "value": EVIL})
    read, usual = page(hostile, figures, told), page(*CASES["full"])
    assert read.unbalanced == []
    assert set(read.elements) == set(usual.elements) and read.elements.count("script") == 1
    assert {(tag, name) for tag, name, _ in read.attributes} <= {(tag, name) for tag, name, _ in usual.attributes}
    assert read.text.count(EVIL) > 2 * len(decisions)
    assert read.raw == usual.raw


def test_style_knows_every_kind(full: Page) -> None:
    style = full.raw["style"]
    for stage in get_args(Stage):
        assert f"#stage-{stage}:checked) tbody tr:not(.of-{stage})" in style
    for mark in get_args(Mark):
        assert f".mark-{mark} {{" in style and f"i.{mark}" in style
    for end in get_args(RolloutEnd):
        assert f".span.{end.replace(' ', '-')} {{" in style
    for word in ("prefers-color-scheme: dark", "@media print", "screen and (max-width: 760px)", "tabular-nums"):
        assert word in style


def test_the_filter_has_a_button_for_each_stage(full: Page) -> None:
    told = {one.told.stage for one in sample.full().decisions}
    assert set(full.values("id", "input")) == {"stage-all", *(f"stage-{one}" for one in told)}
    assert set(full.values("for", "label")) == set(full.values("id", "input"))


def test_one_answer_is_followed_back(full: Page) -> None:
    told = sample.explanation()
    for text in (
        told.prediction.id,
        told.prediction.key,
        "0.9231",
        "arrivals@000790",
        "402 rows",
        "9 min old",
        "missing",
    ):
        assert text in full.text
    for verdict in told.release.verdicts:
        assert str(verdict["gate"]) in full.text and str(verdict["reason"]) in full.text
    unknown = page(sample.full(), {}, dataclasses.replace(told, label=None))
    assert "not known yet" in unknown.text


def test_times_are_those_of_the_zone() -> None:
    at = datetime(2013, 7, 1, 3, 30, tzinfo=UTC)
    told = dataclasses.replace(sample.one_month(), alarms=(Alarm(at, "source", "late", at + timedelta(hours=1)),))
    assert page(told, {}).table("Alarms").rows[1][:2] == ["2013-06-30 23:30", "2013-07-01 00:30"]
