"""Releases on their way to users: one is caught and goes back, one is promoted, whoever is killed meanwhile."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from tests.e2e import canary_life
from tests.e2e.canaried import canary_lived, canary_living
from tests.e2e.conftest import Lived
from tests.e2e.living import figures_of, wait_until_gone
from tests.e2e.stores import answers, assert_nothing_twice, predictions, story

from trimtab.adapters.route_board_mmap import MmapRouteBoard
from trimtab.cli.session import session
from trimtab.deployment.actions import Stay, StepRollout
from trimtab.deployment.decide_rollout import decide_rollout
from trimtab.house.house import House
from trimtab.house.parity import traffic
from trimtab.kernel.comparison import comparison_from
from trimtab.kernel.ledger_entry import LedgerEntry
from trimtab.kernel.moment import to_us
from trimtab.kernel.route import Route, route_from


@pytest.fixture(scope="session")
def canaried(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    return canary_lived(tmp_path_factory.getbasetemp())


def test_every_question_has_one_answer_by_the_release_that_its_route_gives(canaried: Lived) -> None:
    kept = predictions(canaried.folder)
    orders = pl.read_parquet(canaried.folder / "data" / "orders.parquet")
    period = canary_life.period(12)
    asked = orders.filter(pl.col("asked_at") > period.start, pl.col("asked_at") <= period.until)
    assert sorted(kept["key"]) == sorted(asked["order_id"])
    assert canaried.figures["predictions"] == canaried.figures["predictions_distinct"] == asked.height
    assert_nothing_twice(canaried.folder)
    with session(folder=canaried.folder) as open_:
        routes = _routes(open_.house)
    for row in kept.iter_rows(named=True):
        route = routes[row["generation"] - 1][0]
        assert row["release"] == route.answering(row["key"], json.loads(row["request"]))
        assert {row["release"], *(one["release"] for one in row["others"])} == set(route.scoring())


def test_the_pushed_release_is_rolled_back_by_parity_and_the_retrained_one_promoted(canaried: Lived) -> None:
    with session(folder=canaried.folder) as open_:
        house = open_.house
        pushed, retrained = house.act.rollouts(house.name)
        ends = {one.body["rollout"]: one for kind in _ENDS for one in house.reader.entries(kind=kind)}
        first, second = house.releases.been_in_production(house.name)
        route = house.act.route(house.name)
        alarms = [one.subject for one in house.alarms.all()]
    assert route is not None
    assert (ends[pushed.id].kind, ends[retrained.id].kind) == ("rollout.rolled_back", "rollout.promoted")
    assert str(ends[pushed.id].body["because"]).startswith("parity: ")
    assert (route.champion, route.canary, route.shadows) == (second, None, (first,))
    assert retrained.release == second != pushed.release
    assert len(alarms) == 1
    bad = canaried.figures["bad_release"]
    assert bad["release"] == pushed.release
    assert 0 < bad["exposed"] == canaried.figures["online_offline_mismatches"]
    assert bad["share"] < pushed.ceilings[0] / 100
    assert canaried.figures["mismatches_of_healthy_releases"] == 0
    assert (canaried.figures["promotions"], canaried.figures["rollbacks"]) == (1, 1)


def test_same_facts_same_plan(canaried: Lived) -> None:
    """Each look decides again as it did; what it did stands in the ledger behind it, and nothing else does."""
    with session(folder=canaried.folder) as open_:
        house = open_.house
        rollouts = {one.id: one for one in house.act.rollouts(house.name)}
        entries = list(house.reader.entries())
        routes = _routes(house)
        moved: list[int] = []
        for entry, following, behind in zip(entries, entries[1:], entries[2:], strict=False):
            if entry.kind == "route.moved":
                moved.append(entry.seq)
            if entry.kind != "rollout.looked":
                continue
            route, at = routes[len(moved) - 1]
            seen = comparison_from(entry.body)
            [action] = decide_rollout(rollouts[seen.rollout], route, to_us(at), seen)
            if isinstance(action, Stay):
                assert not following.kind.startswith(("rollout.", "route.moved"))
            else:
                assert isinstance(action, StepRollout)
                assert following.kind == f"rollout.{action.stage}"
                assert following.body == action.body()
                assert following.body["facts"] == entry.body
                assert (behind.kind, behind.body) == ("route.moved", action.move.body())
        steps = [one for one in entries if one.kind in ("rollout.advanced", *_ENDS)]
        looked = [one.seq for one in entries if one.kind == "rollout.looked"]
        assert len(steps) >= 3
        assert all(one.seq - 1 in looked for one in steps)
        _same_beginnings(house, entries, routes)


def _same_beginnings(house: House, entries: list[LedgerEntry], routes: list[tuple[Route, datetime]]) -> None:
    begun = [one for one in entries if one.kind == "rollout.started"]
    assert len(begun) == 2
    for number, entry in enumerate(begun, start=1):
        release = str(entry.body["release"])
        before = sum(one.kind == "route.moved" and one.seq < entry.seq for one in entries)
        [action] = house.system.rollout.decide(
            house.releases.get(release),
            routes[before - 1][0],
            number=number,
            at_us=to_us(entry.at),
            traffic=traffic(house, entry.at),
            override=str(house.releases.facts(house.name, release).get("override", "")),
        )
        assert action.body() == entry.body


def test_lives_and_workers_killed_while_releases_are_rolled_out(canaried: Lived, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    chance = random.Random(20240401)
    kills = workers_killed = during = 0
    deaths = [("production", 1.0), ("over its gates' heads", 0.5), ("may be rolled out", 0.3)]
    for line, most_s in [*deaths, *[("production", 1.0)] * 5]:
        life = canary_living(folder)
        assert life.reaches(line), life.said()
        workers_killed += _kill_one(folder, chance)
        time.sleep(chance.uniform(0.0, most_s))
        kills += life.kill()
        during += _under_way(folder)
    life = canary_living(folder)
    while life.reaches("production") and life.process.poll() is None:
        workers_killed += _kill_one(folder, chance)
        time.sleep(chance.uniform(1.0, 3.0))
    life.ends()
    wait_until_gone(folder)
    assert kills >= 8
    assert workers_killed >= 3
    assert during >= 3
    assert figures_of(folder.with_suffix(".json")) == canaried.figures
    assert story(folder) == story(canaried.folder)
    assert answers(folder).equals(answers(canaried.folder))
    assert_nothing_twice(folder)


_ENDS = ("rollout.promoted", "rollout.rolled_back")


def _routes(house: House) -> list[tuple[Route, datetime]]:
    """Each route that was in force, from the ledger, and since when."""
    moves = house.reader.entries(kind="route.moved", subject=house.name)
    return [(route_from({**one.body, "generation": number}), one.at) for number, one in enumerate(moves, start=1)]


def _kill_one(folder: Path, chance: random.Random) -> bool:
    """A worker that takes requests: who kills those that are still starting as well waits for ever."""
    ready = MmapRouteBoard(folder / ".trimtab" / "route" / "tiny").workers()
    with suppress(ProcessLookupError):
        if ready:
            os.kill(chance.choice(ready), signal.SIGKILL)
            return True
    return False


def _under_way(folder: Path) -> bool:
    with session(folder=folder) as open_:
        return open_.house.act.rollout(open_.house.name) is not None
