"""A system with fallbacks on real stores: features fail, the online store is gone; who is told, and measured."""

from __future__ import annotations

import asyncio
import io
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console
from tests.e2e import batch_drill
from tests.e2e.tiny_life import START
from tests.house.answering import begun, made, of_other_file, take
from tests.redis_server import RedisServer, find_program
from tests.serving.ticket import Asked

from trimtab import loop
from trimtab.cli.explained import explanation_json, show_explanation
from trimtab.cli.screen import Screen
from trimtab.cli.session import Session, session
from trimtab.house.batch import Asked as AskedBatch
from trimtab.house.explanation import Explanation, explain_prediction
from trimtab.house.feature_stats import _answers
from trimtab.house.parity import parity, served
from trimtab.house.projecting import project
from trimtab.house.verifying import Asked as Verified
from trimtab.house.verifying import verify
from trimtab.kernel.canonical import short
from trimtab.kernel.moment import to_us
from trimtab.serving.answer import Answer, Answered
from trimtab.serving.answering import Answering
from trimtab.serving.log_writer import LogPolicy, LogWriter
from trimtab.serving.metrics import Metrics
from trimtab.serving.released import Serving
from trimtab.serving.wire import Row
from trimtab.web.report.explained import explained
from trimtab.wiring.serving import open_loader
from trimtab.wiring.stores import system_clock

AT = START + timedelta(hours=6)
LATER = START + timedelta(days=2)
UNLUCKY = 13.0  # a price that the second release's features break on

_RULE = '''
def by_price(row: dict[str, object]) -> float:
    """A rule of thumb; it knows nothing of orders without a price."""
    return min(float(row["price"]) / 100, 1.0)


tiny = tt.System('''
_DECLARED = (
    "    fallback=[tt.fallbacks.previous_release(), tt.fallbacks.rule(by_price), tt.fallbacks.constant(0.21)],\n"
)
_SELECT = '    return request.select("shop", "price")\n'
_BREAKS = f"""    if request.filter(pl.col("price") == {UNLUCKY}).collect().height:
        raise ArithmeticError("a secret of the features' code")
    return request.select("shop", pl.col("price").fill_nan(None))
"""


def make(folder: Path) -> Path:
    """The first release has no fallback; the second one, whose features break, is the champion, and has three."""
    made(folder)
    text = (folder / "system.py").read_text()
    text = text.replace("tiny = tt.System(", _RULE.lstrip(), 1).replace(_SELECT, _BREAKS, 1)
    text = text.replace("    train=fit,\n", f"    train=fit,\n{_DECLARED}", 1)
    (folder / "second.py").write_text(text)
    with session(folder=folder) as open_:
        first = begun(open_)
        second = of_other_file(open_.stores, "second.py", first, START)
        loop.deploy(open_.house, second, START, "user:test")
    return folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With LMDB."""
    return make(tmp_path_factory.mktemp("fallbacks") / "tiny")


@pytest.fixture
def living(prepared: Path, tmp_path: Path) -> Iterator[Session]:
    """To go on with."""
    folder = Path(shutil.copytree(prepared, tmp_path / "tiny"))
    with session(folder=folder) as open_:
        yield open_


def serving_of(living: Session) -> Serving:
    """What a worker makes of the route, once its warm release is loaded."""
    house = living.house
    route = house.act.route(house.name)
    assert route is not None and route.previous == route.warm[0] != route.champion
    load = open_loader(living.stores)
    loaded = {one: load(one) for one in route.releases()}
    return Serving(route, tuple(loaded[one] for one in route.scoring()), loaded=loaded)


def ask(living: Session, serving: Serving, *requests: Row) -> list[Answered | Exception]:
    """Each row as a request of its own, asked at AT; the records are sealed when this returns."""
    asked = [Asked([{"shop": "ams", "as_of": to_us(AT), **one}], serving) for one in requests]

    async def drive() -> None:
        log = LogWriter(
            living.stores.segments, system=living.house.name, worker=0, policy=LogPolicy(), report=print
        )
        clock = system_clock()
        answering = Answering(living.house.name, log=log, clock=clock, metrics=Metrics(), mode="request")
        for one in asked:
            answering.submit(one)
            while not one.outcomes:
                await asyncio.sleep(0)
        await log.close()

    asyncio.run(drive())
    outcomes = [one.outcomes[0] for one in asked]
    return [one.predictions[0] if isinstance(one, Answer) else one for one in outcomes]


def kinds(told: list[Answered | Exception]) -> list[str]:
    return [one.fallback if isinstance(one, Answered) else type(one).__name__ for one in told]


def lose_the_store(living: Session) -> None:
    """Everything that was projected is gone, as after a disk was replaced."""
    online: Any = living.stores.online
    with online._env.begin() as transaction:
        keys = [bytes(key) for key, _ in transaction.cursor()]
    online.put(dict.fromkeys(keys))


def test_features_that_break_are_answered_by_the_release_before(living: Session) -> None:
    take(living, AT)
    serving = serving_of(living)
    champion, previous = serving.route.champion, serving.route.previous
    well, unlucky = ask(living, serving, {"order_id": "a", "price": 10.0}, {"order_id": "b", "price": UNLUCKY})
    assert isinstance(well, Answered) and isinstance(unlucky, Answered)
    assert (well.release, well.fallback) == (champion, "")
    assert (unlucky.release, unlucky.fallback) == (previous, "previous_release")
    assert unlucky.missing == []
    record = living.house.log.find(unlucky.id)
    assert UNLUCKY in record.features and record.cause == "features: ArithmeticError"
    # The release before says the same as where it answers by itself.
    [by_itself] = ask(
        living, Serving(serving.route, (serving.loaded[previous],)), {"order_id": "b", "price": UNLUCKY}
    )
    assert isinstance(by_itself, Answered) and by_itself.score == unlucky.score


def test_a_store_that_is_lost_is_stood_in_for(living: Session) -> None:
    take(living, AT)
    serving = serving_of(living)
    lose_the_store(living)
    rows: list[Row] = [
        {"order_id": "a", "price": 10.0},
        {"order_id": "b", "price": None},
        {"order_id": "c", "price": "ten"},
    ]
    told = ask(living, serving, *rows)
    assert kinds(told) == ["rule", "constant", "RequestInvalid"]
    by_rule, by_constant = told[:2]
    assert isinstance(by_rule, Answered) and isinstance(by_constant, Answered)
    assert (by_rule.score, by_constant.score) == (0.1, 0.21)
    assert by_rule.missing == ["staff", "shop_returns"]
    record = living.house.log.find(by_constant.id)
    assert (record.fallback, record.cause) == ("constant", "features: OnlineStoreUnavailable")
    assert set(record.features) == {None} and set(record.ages_us) == {None}
    # The first release declares nothing: it fails as ever.
    first = Serving(serving.route, (serving.loaded[serving.route.previous],))
    assert kinds(ask(living, first, rows[0])) == ["OnlineStoreUnavailable"]


def test_a_server_that_has_died_is_stood_in_for(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it is there again, and filled, the release answers by itself."""
    own = RedisServer(find_program() or "")
    monkeypatch.setenv("TRIMTAB_ONLINE_URL", own.url)
    try:
        with session(folder=make(tmp_path / "tiny")) as living:
            serving = serving_of(living)
            row: Row = {"order_id": "a", "price": 10.0}
            [before] = ask(living, serving, row)
            own.kill()
            assert kinds([before, *ask(living, serving, row, {**row, "price": None})]) == ["", "rule", "constant"]
            own.start()
            for one in serving.route.releases():
                project(living.house, living.house.releases.get(one))
            [after] = ask(living, serving, row)
            assert isinstance(before, Answered) and isinstance(after, Answered)
            assert (after.fallback, after.score) == ("", before.score)
    finally:
        own.stop()


def test_a_batch_stops_where_a_request_would_fall_back(prepared: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(prepared, tmp_path / "tiny"))
    file = tmp_path / "orders.csv"
    file.write_text(f"order_id,shop,price\na,ams,{UNLUCKY}\n")
    with pytest.raises(ArithmeticError):
        batch_drill.score(folder, AskedBatch(file, tmp_path / "out.csv"), AT)
    assert not (tmp_path / "out.csv").exists()


def test_what_fallbacks_say_is_explained_and_measures_nobody(living: Session) -> None:
    take(living, AT)
    house, serving = living.house, serving_of(living)
    keys = known_orders(living)
    asked: list[Row] = [{"order_id": keys[0], "price": 10.0}, {"order_id": keys[1], "price": UNLUCKY}]
    told = ask(living, serving, *asked)
    lose_the_store(living)
    told += ask(living, serving, {"order_id": keys[2], "price": 20.0})
    assert kinds(told) == ["", "previous_release", "rule"]
    ids = [one.id for one in told if isinstance(one, Answered)]
    list(loop.ingest(house, LATER))
    list(loop.compact(house, LATER))
    assert served(house).collect().height == 3
    explain(living, serving, ids)
    measured = house.measure.labelled(house.name, house.system.label, LATER)
    assert measured["id"].to_list() == ids[:1]
    # A feature that was not looked up is no mismatch.
    assert [one.id for one in parity(house) if one.id != ids[0]] == []
    assert verify(house, Verified(), lambda *_: None).answers == 1
    assert _answers(house, serving.route.champion, timedelta(days=9))[1] == 1
    assert _answers(house, serving.route.previous, timedelta(days=9))[1] == 0


def known_orders(living: Session) -> list[str]:
    """Orders whose truth is known by LATER."""
    returns = pl.read_parquet(living.house.project.folder / "data" / "returns.parquet")
    known = returns.filter(pl.col("known_at") > AT, pl.col("known_at") < LATER).sort("known_at")
    return known["order_id"].head(3).to_list()


def explain(living: Session, serving: Serving, ids: list[str]) -> None:
    house = living.house
    champion, previous = serving.route.champion, serving.route.previous
    plain, by_previous, by_rule = (explain_prediction(house, id) for id in ids)
    assert plain.unanswered_by == "" and "fallback" not in dict(explained(plain, "UTC").facts)
    assert (by_previous.release.digest, by_previous.unanswered_by) == (previous, champion)
    assert (by_rule.release.digest, by_rule.unanswered_by) == (champion, champion)
    for one in (by_previous, by_rule):
        assert one.deployed_by is not None and one.deployed_by.body["champion"] == champion
    because = f"release {short(champion)} could not answer: features: OnlineStoreUnavailable"
    assert dict(explained(by_rule, "UTC").facts)["fallback"] == f"rule, since {because}"
    assert shown(by_rule).count(because) == 1 and "rule" in shown(by_rule)
    prediction: Any = explanation_json(by_previous)["prediction"]
    assert (prediction["fallback"], prediction["cause"]) == ("previous_release", "features: ArithmeticError")


def shown(one: Explanation) -> str:
    out = io.StringIO()
    show_explanation(Screen(console=Console(file=out, width=200)), one)
    return " ".join(out.getvalue().split())


def test_a_rollback_leaves_nobody_to_stand_in(living: Session) -> None:
    house = living.house
    before = house.act.route(house.name)
    assert before is not None
    loop.rollback(house, AT, "user:test")
    after = house.act.route(house.name)
    assert after is not None
    assert (after.champion, after.previous) == (before.warm[0], "")
    loop.rollback(house, LATER, "user:test")  # undone: the second release is the champion again
    again = house.act.route(house.name)
    assert again is not None and (again.champion, again.previous) == (before.champion, "")
