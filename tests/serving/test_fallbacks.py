"""Fallbacks: what a release cannot answer is answered by what it declares, marked so, and nothing else is."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serving.releases import SUMMANDS, SYSTEM, Adder
from tests.serving.ticket import Asked as Ticketed

from trimtab.adapters.clock_system import SystemClock
from trimtab.kernel.canonical import JsonMap
from trimtab.kernel.errors import OnlineStoreUnavailable, RequestInvalid
from trimtab.kernel.prediction import Prediction
from trimtab.kernel.route import Canary, Route
from trimtab.ports.fallback import Fallback
from trimtab.ports.feature_reader import FeatureBlock
from trimtab.serving.answer import Answer, Answered
from trimtab.serving.answering import Answering
from trimtab.serving.counts import Counts
from trimtab.serving.fallback_news import FallbackNews
from trimtab.serving.fallbacks import constant, previous_release, rule
from trimtab.serving.log_writer import LogPolicy, LogWriter
from trimtab.serving.metrics import Metrics
from trimtab.serving.released import Serving
from trimtab.serving.reporting import Event
from trimtab.serving.segment import LIVE, read_segment
from trimtab.serving.segment_folder import SegmentFolder
from trimtab.serving.wire import Row

BREAKS, NAN, LOST, GONE = 13.0, 14.0, 15.0, 16.0  # values of x that a model or a look-up does not stand
CONSTANT = constant(0.25)


class Frail(Adder):
    """Its model raises on 13 and says NaN to 14, its look-up raises on 15, and on 16 the online store is away."""

    def __init__(self, digest: str, *fallback: Fallback, sound: bool = False) -> None:
        super().__init__(digest)
        self.fallback = fallback
        self.sound = sound
        self.looked_up = 0

    def look_up(self, rows: Sequence[JsonMap], at_us: Sequence[int]) -> FeatureBlock:
        self.looked_up += 1
        block = super().look_up(rows, at_us)
        asked = [values[0] for values in block.values]
        if LOST in asked and not self.sound:
            raise LookupError("a secret of the features' code")
        if GONE in asked and not self.sound:
            raise OnlineStoreUnavailable("the online store is away", where="here", got="nothing", do="start it")
        return block

    def score(self, block: FeatureBlock) -> list[float]:
        asked = [values[0] for values in block.values]
        if BREAKS in asked and not self.sound:
            raise ValueError("a secret of the model's code")
        scores = super().score(block)
        return [math.nan if x == NAN and not self.sound else one for x, one in zip(asked, scores, strict=True)]


class Asked(Ticketed):
    """Whose answers are looked at row by row."""

    @property
    def predictions(self) -> list[Answered]:
        [only] = self.outcomes
        assert isinstance(only, Answer), only
        return only.predictions

    @property
    def error(self) -> Exception:
        [only] = self.outcomes
        assert isinstance(only, Exception), only
        return only


@dataclass(frozen=True)
class Answers:
    """What came of some requests of one turn."""

    requests: list[Asked]
    records: list[Prediction]
    counts: Counts

    @property
    def only(self) -> Asked:
        [one] = self.requests
        return one


def answers(folder: Path, serving: Serving, *requests: Sequence[Any]) -> Answers:
    """Ask for rows by their values of x, or as they are."""
    asked = [Asked([_row(x, n) for n, x in enumerate(xs)], serving) for xs in requests]
    metrics = Metrics()

    async def drive() -> None:
        log = LogWriter(SegmentFolder(folder), system=SYSTEM, worker=0, policy=LogPolicy(), report=lambda _: None)
        answering = Answering(SYSTEM, log=log, clock=SystemClock(), metrics=metrics, mode="now")
        for one in asked:
            answering.submit(one)
        while not all(one.outcomes for one in asked):
            await asyncio.sleep(0)

    asyncio.run(drive())
    found = [read_segment(path) for path in SegmentFolder(folder).files(LIVE)]
    records = [one for segment in found if segment is not None for one in segment.predictions()]
    return Answers(asked, records, metrics.counts())


def _row(x: Any, number: int) -> Row:
    return x if isinstance(x, dict) else {"row": f"r{number}", "x": x}


def alone(*fallback: Fallback, previous: Adder | None = None, canary: Adder | None = None) -> Serving:
    """A route whose champion is "one"; a canary answers every key that ends with a "c"."""
    champion = Frail("one", *fallback)
    beside = None if canary is None else Keyed(canary.digest, 1, "salt")
    named = "" if previous is None else previous.digest
    route = Route(SYSTEM, "one", (named,) if named else (), 1, beside, previous=named)
    loaded = {one.digest: one for one in (champion, previous, canary) if one is not None}
    releases = (champion,) if canary is None else (champion, canary)
    return Serving(route, releases, loaded=loaded)


class Keyed(Canary):
    """Answers keys that end with a "c"."""

    def draws_each(self, keys: Sequence[str]) -> list[bool]:
        return [key.endswith("c") for key in keys]


def frail(serving: Serving) -> Frail:
    release = serving.releases[0]
    assert isinstance(release, Frail)
    return release


def said(one: Answered) -> tuple[str, float, str]:
    return one.release, one.score, one.fallback


def test_a_model_that_raises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = answers(tmp_path, alone(CONSTANT), [BREAKS])
    [one] = done.only.predictions
    [record] = done.records
    assert said(one) == ("one", 0.25, "constant")
    assert one.missing == ["never_seen"]
    assert (record.id, record.release, record.score) == (one.id, "one", 0.25)
    assert (record.fallback, record.cause) == ("constant", "model: ValueError")
    assert record.features == (BREAKS, 1.0) and record.ages_us == (5, None)  # it was looked up
    assert done.counts["trimtab_fallback_answers_total"] == {("one", "constant"): [1]}
    told = capsys.readouterr().err
    assert told.count("ValueError: a secret of the model's code") == 1
    assert "release one cannot answer (model: ValueError): answers come from its fallbacks (constant)" in told


def test_a_score_that_is_not_finite_falls_back_alone(tmp_path: Path) -> None:
    done = answers(tmp_path, alone(CONSTANT), [1.0, NAN, 3.0])
    told = [said(one) for one in done.only.predictions]
    assert told == [("one", 2.0, ""), ("one", 0.25, "constant"), ("one", 4.0, "")]
    assert [one.cause for one in done.records] == ["", "model: a score that is not finite", ""]
    assert done.counts["trimtab_fallback_answers_total"] == {("one", "constant"): [1]}


def test_a_model_that_forgets_a_row(tmp_path: Path) -> None:
    brief = Frail("brief", CONSTANT)
    done = answers(tmp_path, Serving(Route(SYSTEM, "brief", (), 1), (brief,)), [1.0, 2.0])
    assert [said(one) for one in done.only.predictions] == [("brief", 0.25, "constant")] * 2


@pytest.mark.parametrize("x", [LOST, GONE])
def test_features_that_cannot_be_looked_up(tmp_path: Path, x: float) -> None:
    """The rule gets the row as it was sent; what it does to it is not recorded."""

    def guess(row: dict[str, Any]) -> float:
        return float(row.pop("x") * 2)

    done = answers(tmp_path, alone(rule(guess)), [x])
    [one], [record] = done.only.predictions, done.records
    assert said(one) == ("one", 2 * x, "rule")
    assert one.missing == ["seen", "never_seen"] and one.null == []
    assert record.features == (None, None) and record.ages_us == (None, None)
    assert record.request == {"row": "r0", "x": x}
    assert record.cause == "features: " + ("LookupError" if x == LOST else "OnlineStoreUnavailable")


def test_what_the_client_did_wrong_is_never_answered(tmp_path: Path) -> None:
    done = answers(tmp_path, alone(CONSTANT), ["no number"], [{"x": 1.0}], [1.0])
    wrong, keyless, right = done.requests
    assert isinstance(wrong.error, RequestInvalid) and isinstance(keyless.error, RequestInvalid)
    assert [said(one) for one in right.predictions] == [("one", 2.0, "")]
    assert len(done.records) == 1 and done.counts["trimtab_fallback_answers_total"] == {}


@pytest.mark.parametrize("x", [BREAKS, NAN, LOST, GONE])
def test_the_previous_release_answers_with_features_of_its_own(tmp_path: Path, x: float) -> None:
    serving = alone(previous_release(), CONSTANT, previous=Frail("two", sound=True))
    done = answers(tmp_path, serving, [x])
    [one], [record] = done.only.predictions, done.records
    assert said(one) == ("two", x + SUMMANDS["two"], "previous_release")
    assert one.missing == ["never_seen"]
    assert (record.release, record.features) == ("two", (x, SUMMANDS["two"]))
    assert (record.fallback, record.others) == ("previous_release", ())
    assert done.counts["trimtab_fallback_answers_total"] == {("one", "previous_release"): [1]}


def test_releases_with_the_same_features_share_what_was_looked_up(tmp_path: Path) -> None:
    """Where the look-up itself has failed, the same one is not tried again."""
    previous = Frail("two", sound=True)
    previous.definition = "one"
    serving = alone(previous_release(), CONSTANT, previous=previous)
    assert said(answers(tmp_path / "a", serving, [BREAKS]).only.predictions[0]) == ("two", 15.0, "previous_release")
    assert said(answers(tmp_path / "b", serving, [GONE]).only.predictions[0]) == ("one", 0.25, "constant")
    assert previous.looked_up == 0


@pytest.mark.parametrize("x", [BREAKS, NAN, LOST])
def test_the_chain_is_tried_in_its_order(tmp_path: Path, x: float, capsys: pytest.CaptureFixture[str]) -> None:
    """A previous release that fails as well, a rule that breaks on one row, then the constant."""

    def guess(row: dict[str, Any]) -> float:
        if row["row"] == "r1":
            raise KeyError("a secret of the rule's code")
        return 0.75

    serving = alone(previous_release(), rule(guess), CONSTANT, previous=Frail("two"))
    told = [said(one) for one in answers(tmp_path, serving, [x, x]).only.predictions]
    assert told == [("one", 0.75, "rule"), ("one", 0.25, "constant")]
    assert "a secret of the rule's code" in capsys.readouterr().err


def test_nobody_is_previous_where_the_route_names_nobody(tmp_path: Path) -> None:
    """After a rollback the release that was left is warm; it must not answer again."""
    champion, left = Frail("one", previous_release(), CONSTANT), Frail("two", sound=True)
    serving = Serving(Route(SYSTEM, "one", ("two",), 2), (champion,), loaded={"one": champion, "two": left})
    assert said(answers(tmp_path, serving, [BREAKS]).only.predictions[0]) == ("one", 0.25, "constant")


@pytest.mark.parametrize("bad", [math.nan, math.inf, True, "0.5", None])
def test_a_rule_must_say_a_number(tmp_path: Path, bad: Any) -> None:
    done = answers(tmp_path, alone(rule(lambda _: bad), CONSTANT), [BREAKS])
    assert said(done.only.predictions[0]) == ("one", 0.25, "constant")


def test_where_nothing_answers_the_error_is_the_releases_own(tmp_path: Path) -> None:
    def broken(_: dict[str, Any]) -> float:
        raise KeyError

    serving = alone(previous_release(), rule(broken))
    for x, error in ((BREAKS, ValueError), (LOST, LookupError), (GONE, OnlineStoreUnavailable)):
        done = answers(tmp_path / str(x), serving, [x])
        assert type(done.only.error) is error and done.records == []
    done = answers(tmp_path / "nan", serving, [NAN])  # as without fallbacks: the model's own answer
    assert math.isnan(done.only.predictions[0].score) and done.only.predictions[0].fallback == ""


def test_without_a_declaration_nothing_changes(tmp_path: Path) -> None:
    done = answers(tmp_path, alone(previous=Frail("two", sound=True)), [BREAKS], [NAN], [LOST], [GONE])
    broken, nan, lost, gone = done.requests
    kinds = [type(one.error) for one in (broken, lost, gone)]
    assert kinds == [ValueError, LookupError, OnlineStoreUnavailable]
    assert math.isnan(nan.predictions[0].score)
    assert [(one.fallback, one.cause) for one in done.records] == [("", "")]


def test_one_request_does_not_take_others_with_it(tmp_path: Path) -> None:
    done = answers(tmp_path, alone(CONSTANT), [1.0], [BREAKS, 2.0], [3.0])
    told = [[said(one) for one in request.predictions] for request in done.requests]
    assert told == [[("one", 2.0, "")], [("one", 0.25, "constant")] * 2, [("one", 4.0, "")]]


def test_a_store_that_is_away_is_asked_once_a_turn(tmp_path: Path) -> None:
    """Each look-up may cost its whole time-out, and none of the requests is to blame."""
    serving = alone(CONSTANT)
    done = answers(tmp_path, serving, [GONE], [1.0], [2.0, 3.0])
    assert {said(one) for request in done.requests for one in request.predictions} == {("one", 0.25, "constant")}
    assert frail(serving).looked_up == 1
    assert done.counts["trimtab_fallback_answers_total"] == {("one", "constant"): [4]}


def keyed(x: float, *keys: str) -> list[Row]:
    return [{"row": key, "x": x} for key in keys]


def test_a_canary_answers_its_rows_whatever_the_champion_does(tmp_path: Path) -> None:
    for x in (BREAKS, NAN, LOST):
        done = answers(tmp_path / str(x), alone(CONSTANT, canary=Frail("two", sound=True)), keyed(x, "a", "c"))
        assert [said(one) for one in done.only.predictions] == [("one", 0.25, "constant"), ("two", x + 2.0, "")]
        first, second = done.records
        # What was said by a fallback is no score of the champion, and the canary's is what it is.
        assert second.others == () and dict(first.others) in ({}, {"two": x + 2.0})


@pytest.mark.parametrize("x", [BREAKS, NAN, LOST])
def test_where_the_canary_fails_the_champion_answers(tmp_path: Path, x: float) -> None:
    serving = alone(CONSTANT, canary=Frail("two"))
    frail(serving).sound = True
    done = answers(tmp_path, serving, keyed(x, "a", "c"))
    assert [said(one) for one in done.only.predictions] == [("one", x + 1.0, "")] * 2
    assert [(one.release, one.others, one.fallback) for one in done.records] == [("one", (), "")] * 2


@pytest.mark.parametrize("x", [BREAKS, NAN, LOST, GONE])
def test_where_both_fail_the_champions_fallback_answers(tmp_path: Path, x: float) -> None:
    done = answers(tmp_path, alone(CONSTANT, canary=Frail("two")), keyed(x, "a", "c"))
    assert [said(one) for one in done.only.predictions] == [("one", 0.25, "constant")] * 2


rows = st.lists(
    st.fixed_dictionaries(
        {"row": st.sampled_from(["a", "b", "c"]), "x": st.sampled_from([1.0, BREAKS, NAN, LOST, "no"])}
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=60, deadline=None)
@given(requests=st.lists(rows, min_size=1, max_size=5), canaried=st.booleans())
def test_together_as_if_each_had_come_alone(
    tmp_path_factory: Any, requests: list[list[dict[str, Any]]], canaried: bool
) -> None:
    def serving() -> Serving:
        fallback = (previous_release(), rule(lambda row: row["x"] / (row["x"] - BREAKS)), CONSTANT)
        return alone(*fallback, previous=Frail("slow"), canary=Frail("two") if canaried else None)

    together = answers(tmp_path_factory.mktemp("together"), serving(), *requests)
    acknowledged = []
    for one, asked in zip(together.requests, requests, strict=True):
        other = answers(tmp_path_factory.mktemp("alone"), serving(), asked).only
        if isinstance(one.outcomes[0], Answer):
            assert [said(p) for p in one.predictions] == [said(p) for p in other.predictions]
            acknowledged += [(p.id, *said(p)) for p in one.predictions]
            assert all(math.isfinite(p.score) for p in one.predictions)
        else:
            assert str(one.error) == str(other.error)
    recorded = [(one.id, one.release, one.score, one.fallback) for one in together.records]
    assert sorted(recorded) == sorted(acknowledged)


def test_a_release_that_is_retired_is_counted_no_more() -> None:
    metrics = Metrics()
    metrics.fell_back("one", "constant", 3)
    metrics.fell_back("two", "rule", 1)
    metrics.forget(but=["two"])
    assert metrics.counts()["trimtab_fallback_answers_total"] == {("two", "rule"): [1]}


def test_the_news_are_told_once_each() -> None:
    told: list[str] = []
    news = FallbackNews(told.append, calm_s=3600)
    news.fell_back("one", "model: ValueError", {"constant": 3})
    news.fell_back("one", "model: ValueError", {"constant": 1, "rule": 2})
    news.healthy()  # not for long enough
    news.follow("one")
    assert len(told) == 1
    news.follow("two")
    news.healthy()
    began, ended = told
    assert isinstance(began, Event) and (began.event, began.level) == ("fallback.began", "error")
    assert isinstance(ended, Event) and (ended.event, ended.level) == ("fallback.ended", "warning")
    assert ended == "release one answers no more; for 0 s its fallbacks answered rows: constant 4, rule 2"


def test_calm_ends_them() -> None:
    told: list[str] = []
    news = FallbackNews(told.append, calm_s=0)
    news.healthy()
    news.fell_back("one", "features: OnlineStoreUnavailable", {"constant": 3})
    news.healthy()
    news.healthy()
    assert [one.partition(" ")[0] for one in told] == ["release", "release"]
    assert "answers by itself again" in told[1]
