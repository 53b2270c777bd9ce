"""Rows that one of two LightGBM releases answered, scored by the other one when they are compacted."""

from __future__ import annotations

import asyncio
import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import polars as pl
import pytest
from rich.console import Console
from tests.e2e.tiny.world import SHOPS
from tests.e2e.tiny_life import START
from tests.house.answering import begun, made, take
from tests.house.test_shadows import Stopped
from tests.serving.ticket import Asked

from trimtab import loop
from trimtab.adapters.tables_delta import DeltaTables
from trimtab.cli.explained import show_explanation
from trimtab.cli.screen import Screen
from trimtab.cli.session import Session, session
from trimtab.deployment.actions import MoveRoute
from trimtab.deployment.rollout import Rollout
from trimtab.house import training_run
from trimtab.house.comparing import compare, looks
from trimtab.house.explanation import explain_prediction
from trimtab.house.house import House
from trimtab.house.parity import parity, served
from trimtab.kernel.audience import Audience
from trimtab.kernel.canonical import short
from trimtab.kernel.moment import from_us, to_us
from trimtab.kernel.release import Release
from trimtab.kernel.route import BUCKETS, Canary, Route
from trimtab.monitoring.scores import score_of
from trimtab.ports.served_release import ServedRelease
from trimtab.serving.answer import Answer
from trimtab.serving.answering import Answering
from trimtab.serving.log_writer import LogPolicy, LogWriter
from trimtab.serving.metrics import Metrics
from trimtab.serving.proving import prove
from trimtab.serving.record import Record
from trimtab.serving.released import Serving
from trimtab.web.report.explained import explained
from trimtab.wiring.models import MODELS
from trimtab.wiring.serving import open_loader

AT = START + timedelta(hours=6)
ROWS: list[dict[str, Any]] = [
    # One shop that training has not seen, and one price that is missing.
    {"order_id": f"o{number}", "shop": [*SHOPS, "new"][number % 5], "price": None if number == 7 else 3.7 * number}
    for number in range(90)
]


@dataclass
class Compared:
    """A system with a canary, and what both releases say online."""

    session: Session
    route: Route
    loaded: dict[str, ServedRelease]

    @property
    def house(self) -> House:
        return self.session.house

    @property
    def champion(self) -> str:
        return self.route.champion

    @property
    def canary(self) -> str:
        assert self.route.canary is not None
        return self.route.canary.release

    def said(self, release: str) -> dict[str, float]:
        """Online, each row alone, by key."""
        found = {}
        for row in ROWS:
            block = self.loaded[release].look_up([row], [to_us(AT)])
            [found[row["order_id"]]] = self.loaded[release].score(block)
        return found

    def log(self, instead: dict[str, str] | None = None) -> None:
        """As workers do that score each row by the release that answers it; `instead` of it others, by key."""
        records: list[Record] = []
        for row in ROWS:
            key = row["order_id"]
            release = (instead or {}).get(key, self.route.answering(key, row))
            block = self.loaded[release].look_up([row], [to_us(AT)])
            [values], [ages_us], [score] = block.values, block.ages_us, self.loaded[release].score(block)
            name, generation = self.house.name, self.route.generation
            records.append((name, release, generation, key, to_us(AT), row, values, ages_us, score, [], 12))

        async def write() -> None:
            log = LogWriter(
                self.session.stores.segments, system=self.house.name, worker=0, policy=LogPolicy(), report=print
            )
            for one in records:
                _, done = log.stage([one])
                await done
            await log.close()

        asyncio.run(write())


def other_model(house: House, of: str, **changed: Any) -> str:
    """A release like another one, with a model of its own that has learnt something else; its digest."""
    release = house.releases.get(of)
    chance = np.random.default_rng(20240330)
    x = chance.normal(10.0, 20.0, (400, len(release.features)))
    categorical = [place for place, one in enumerate(release.features) if one.categories is not None]
    for place in categorical:
        x[:, place] = chance.integers(0, len(SHOPS), len(x))
    y = (x.sum(axis=1) + chance.normal(0, 30, len(x)) > np.median(x.sum(axis=1))).astype(float)
    settings = {"objective": "binary", "num_threads": 1, "deterministic": True, "verbose": -1, "seed": 1}
    data = MODELS.store(
        lightgbm.train(settings, lightgbm.Dataset(x, y, categorical_feature=categorical), num_boost_round=60),
        (),
        where="the test",
    )
    proof = MODELS.prove(data, x)
    assert proof["fast"] is True
    model: dict[str, Any] = {"model": house.blobs.put(data), "predictor": proof}
    return create(house, replace(release, **{**model, **changed}), of)


def create(house: House, release: Release, of: str) -> str:
    run = str(house.releases.facts(house.name, of)["run"])
    verdicts = training_run.verdicts_of(house, run)
    return house.release_writer.create(release, verdicts, run, at=START, actor="test", override="for the test")


def with_canary(session: Session, canary: str, audience: Audience | None = None) -> Compared:
    """In force, as the ledger has it."""
    house = session.house
    route = house.act.route(house.name)
    assert route is not None
    asked = Canary(canary, BUCKETS // 3, "tiny/00001", audience)
    against = route.id
    move = MoveRoute(house.name, route.champion, route.warm, route.champion, "a test", asked, against=against)
    house.act([move], at=START, actor="user:test")
    moved = house.act.route(house.name)
    assert moved is not None and moved.canary == asked
    load = open_loader(session.stores)
    return Compared(session, moved, {one: load(one) for one in moved.scoring()})


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With its first release in force, and what became known by AT."""
    folder = made(tmp_path_factory.mktemp("pairing") / "tiny")
    with session(folder=folder) as open_:
        begun(open_)
        take(open_, AT)
    return folder


@pytest.fixture
def living(first: Path, tmp_path: Path) -> Iterator[Session]:
    """A copy of its own."""
    shutil.copytree(first, tmp_path / "tiny")
    with session(folder=tmp_path / "tiny") as open_:
        yield open_


def champion(house: House) -> str:
    route = house.act.route(house.name)
    assert route is not None
    return route.champion


def test_each_row_gets_bit_for_bit_what_the_other_release_says_online(living: Session) -> None:
    one = with_canary(living, other_model(living.house, champion(living.house)))
    house = one.house
    one.log()
    before = {record.id: record for record in house.log.recent()}
    assert all(record.later == record.others == () for record in before.values())
    done = house.compactor.compact(at=AT, actor="test")
    assert (done.rows, done.unscored) == (len(ROWS), ())
    said = {name: one.said(name) for name in (one.champion, one.canary)}
    assert all(said[one.champion][key] != said[one.canary][key] for key in said[one.champion])
    table = house.tables.scan("predictions").collect()
    for row in table.iter_rows(named=True):
        other = one.canary if row["release"] == one.champion else one.champion
        assert row["others"] == []
        assert row["later"] == [{"release": other, "score": said[other][row["key"]]}]
        assert row["score"] == said[row["release"]][row["key"]]
    assert 10 < table.filter(pl.col("release") == one.canary).height < 50
    proved = prove(house.name, journal=house.reader, tables=house.tables, proofs=house.proofs)
    assert proved.ok and (proved.records, proved.proved) == (len(ROWS), len(ROWS))
    for id, record in before.items():
        assert replace(house.log.find(id), later=()) == record
    scored = served(house).select("key", *(score_of(name).alias(name) for name in said)).collect()
    for name, told in said.items():
        assert dict(scored.select("key", name).iter_rows()) == told
    assert parity(house) == []


def test_what_a_worker_answers_live_has_both_scores_when_it_is_compacted(living: Session) -> None:
    """Whichever of the two it scored before the answer."""
    one = with_canary(living, other_model(living.house, champion(living.house)))
    serving = Serving(one.route, tuple(one.loaded[name] for name in one.route.scoring()), loaded=one.loaded)
    asked = [Asked(ROWS[first : first + 9], serving) for first in range(0, len(ROWS), 9)]

    async def drive() -> None:
        segments = living.stores.segments
        log = LogWriter(segments, system=living.house.name, worker=0, policy=LogPolicy(), report=print)
        answering = Answering(living.house.name, log=log, clock=Stopped(AT), metrics=Metrics(), mode="now")
        for some in asked:
            answering.submit(some)
        while not all(some.outcomes for some in asked):
            await asyncio.sleep(0.01)
        await log.close()

    asyncio.run(asyncio.wait_for(drive(), 30.0))
    assert all(isinstance(some.outcome, Answer) for some in asked)
    done = one.house.compactor.compact(at=AT, actor="test")
    assert (done.rows, done.unscored) == (len(ROWS), ())
    both = [one.champion, one.canary]
    scored = served(one.house).select("key", *(score_of(name).alias(name) for name in both)).collect()
    for name in both:
        assert dict(scored.select("key", name).iter_rows()) == one.said(name)


def test_an_explanation_says_that_it_was_scored_when_it_was_compacted(living: Session) -> None:
    one = with_canary(living, other_model(living.house, champion(living.house)))
    one.log()
    ids = [record.id for record in one.house.log.recent()]
    before = explain_prediction(one.house, ids[0])
    assert before.prediction.others == ()
    one.house.compactor.compact(at=AT, actor="test")
    after = explain_prediction(one.house, ids[0])
    [(other, score)] = after.prediction.others
    assert after.prediction.later == ((other, score),) and other != after.prediction.release
    screen = io.StringIO()
    show_explanation(Screen(console=Console(file=screen, width=140)), after)
    [line] = [line for line in screen.getvalue().splitlines() if "scored too" in line]
    assert line.split()[2:] == f"{score:.4f} by {short(other)} when it was compacted".split()
    [told] = [text for name, text in explained(after, "UTC").facts if name == "also scored"]
    assert told.endswith(f"by {short(other)} when it was compacted")


def test_who_could_not_answer_live_is_not_scored_since(living: Session) -> None:
    one = with_canary(living, other_model(living.house, champion(living.house)))
    failed = {row["order_id"] for row in ROWS if one.route.answering(row["order_id"], row) == one.canary}
    some = set(sorted(failed)[:4])
    one.log(dict.fromkeys(some, one.champion))
    one.house.compactor.compact(at=AT, actor="test")
    rows = served(one.house).select("key", said=score_of(one.canary)).collect()
    assert set(rows.filter(pl.col("said").is_null())["key"]) == some


def test_rows_out_of_the_audience_are_not_scored_by_the_canary(living: Session) -> None:
    ams = Audience("shop", ("ams",))
    one = with_canary(living, other_model(living.house, champion(living.house)), ams)
    one.log()
    one.house.compactor.compact(at=AT, actor="test")
    rows = one.house.tables.scan("predictions").collect()
    scored = set(rows.filter(pl.col("later").is_not_null())["key"])
    assert scored == {row["order_id"] for row in ROWS if row["shop"] == "ams"}


def test_releases_of_other_features_are_left_to_workers(living: Session) -> None:
    house = living.house
    first = champion(house)
    request = (*house.releases.get(first).request, ("more", "Float64"))
    second = other_model(house, first, request=request)
    assert house.releases.get(first).definition != house.releases.get(second).definition
    route = with_canary(living, second).route
    ours = Compared(living, route, {first: open_loader(living.stores)(first)})
    ours.log(dict.fromkeys((row["order_id"] for row in ROWS), first))
    done = house.compactor.compact(at=AT, actor="test")
    assert (done.rows, done.unscored) == (len(ROWS), ())
    assert house.tables.scan("predictions").collect()["later"].null_count() == len(ROWS)


def test_a_model_that_was_changed_on_the_disk_is_told_of_by_the_tick(living: Session) -> None:
    house = living.house
    second = other_model(house, champion(house))
    one = with_canary(living, second)
    one.log()
    [path] = (living.stores.home / "blobs").rglob(house.releases.get(second).model)
    path.write_bytes(path.read_bytes()[:-40] + b"\n" * 40)
    told = [happening for happening in loop.compact(house, AT) if happening.mark == "bad"]
    rows = house.tables.scan("predictions").collect()
    assert rows.height == len(ROWS)
    lacking = rows.filter(pl.col("later").is_null())
    assert set(lacking["release"]) == {one.champion}
    [happening] = told
    assert happening.text.startswith(f"release {short(second)} could not score {lacking.height} rows that another")


def test_a_look_is_the_same_however_the_pair_was_scored(lived: Session, tmp_path: Path) -> None:
    """The log of a system that has lived with canaries, told again with each pair as a compaction computes it."""
    house, folder = lived.house, tmp_path / "tiny"
    shutil.copytree(house.project.folder, folder)
    rows = house.tables.scan("predictions").collect()
    answer = pl.col("generation") >= 0
    moved = rows.with_columns(
        later=pl.when(answer & (pl.col("others").list.len() > 0)).then("others"),
        others=pl.when(answer).then(pl.lit([], dtype=rows.schema["others"])).otherwise("others"),
    )
    assert 0 < moved["later"].null_count() < rows.height
    shutil.rmtree(folder / ".trimtab" / "tables" / "predictions")
    tables = DeltaTables(folder / ".trimtab" / "tables")
    tables.append("predictions", moved, writer="test", number=1, note={}, partition_by=["date"])
    with session(folder=folder) as open_:
        for rollout in house.act.rollouts(house.name):
            [*_, last] = looks(house, rollout)
            assert compared(open_.house, rollout, last.at_us) == compared(house, rollout, last.at_us)


def compared(house: House, rollout: Rollout, at_us: int) -> dict[str, Any]:
    found = vars(compare(house, rollout, from_us(at_us)))
    assert found["answers"] > 0
    return {name: repr(value) for name, value in found.items()}
