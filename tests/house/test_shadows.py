"""A shadow on real stores: what it says after the answer is evidence, is proved, and is nobody's answer."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console
from tests.e2e.tiny_life import START
from tests.house.answering import begun, made, of_other_file, take
from tests.serving.ticket import Asked

from trimtab import loop
from trimtab.cli.explained import show_explanation
from trimtab.cli.screen import Screen
from trimtab.cli.session import Session, session
from trimtab.house.explanation import explain_prediction
from trimtab.house.log_kept import log_kept
from trimtab.house.parity import parity, served, traffic
from trimtab.kernel.canonical import short
from trimtab.monitoring.scores import score_of
from trimtab.serving.answer import Answer
from trimtab.serving.answering import Answering
from trimtab.serving.log_writer import LogPolicy, LogWriter
from trimtab.serving.metrics import Metrics
from trimtab.serving.proving import prove
from trimtab.serving.released import Serving
from trimtab.wiring.serving import open_loader

AT = START + timedelta(hours=6)
ROWS = 12


@dataclass
class Stopped:
    """Implements Clock."""

    instant: datetime

    def now(self) -> datetime:
        return self.instant


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Session]:
    """Its second release is a shadow."""
    folder = made(tmp_path / "tiny")
    with session(folder=folder) as open_:
        begun(open_)
        yield open_


def answer(living: Session, serving: Serving) -> list[str]:
    """Ids of answers whose shadows have spoken, in sealed segments."""
    asked = [
        Asked([{"order_id": f"o{number}", "shop": "ams", "price": 10.0 + number}], serving)
        for number in range(ROWS)
    ]

    async def drive() -> None:
        log = LogWriter(
            living.stores.segments, system=living.house.name, worker=0, policy=LogPolicy(), report=print
        )
        answering = Answering(living.house.name, log=log, clock=Stopped(AT), metrics=Metrics(), mode="now")
        for one in asked:
            answering.submit(one)
        while sum(one.generation < 0 for one in living.house.log.recent()) < ROWS:
            await asyncio.sleep(0.01)
        await log.close()

    asyncio.run(asyncio.wait_for(drive(), 30.0))
    ids = []
    for one in asked:
        [told] = one.outcomes
        assert isinstance(told, Answer)
        ids.append(told.predictions[0].id)
    return ids


def test_what_a_shadow_says_later_stands_beside_the_answer_and_is_none(living: Session) -> None:
    house = living.house
    route = house.act.route(house.name)
    assert route is not None
    shadow = of_other_file(living.stores, "canary.py", route.champion, START)
    loop.shadow(house, shadow, START, "user:test")
    route = house.act.route(house.name)
    assert route is not None and route.shadows == (shadow,)
    take(living, AT)
    load = open_loader(living.stores)
    ids = answer(living, Serving(route, tuple(load(one) for one in route.scoring())))
    # Whoever asks by a shadow's own record is led to the answer.
    [spoken, *_] = [one for one in house.log.recent() if one.generation < 0]
    assert explain_prediction(house, spoken.id).prediction.id == spoken.request["answer"]

    done = house.compactor.compact(at=AT, actor="test")
    assert done.rows == 2 * ROWS
    rows = served(house).sort("key").collect()
    assert sorted(rows["id"]) == sorted(ids)
    assert rows.select(score_of(shadow).alias("shadow"))["shadow"].null_count() == 0
    assert log_kept(house).answered == traffic(house, AT + timedelta(hours=1)) == ROWS
    proved = prove(house.name, journal=house.reader, tables=house.tables, proofs=house.proofs)
    assert proved.ok and (proved.records, proved.proved) == (2 * ROWS, 2 * ROWS)
    assert parity(house) == []

    table = house.tables.scan("predictions").filter(pl.col("generation") < 0).collect()
    one = explain_prediction(house, ids[0])
    [said] = table.filter(pl.col("request").str.contains(ids[0]))["score"]
    assert one.prediction.others == ((shadow, said),)
    assert explain_prediction(house, table["id"][0]).prediction.id in ids
    screen = io.StringIO()
    show_explanation(Screen(console=Console(file=screen, width=120)), one)
    assert short(shadow) in screen.getvalue()
