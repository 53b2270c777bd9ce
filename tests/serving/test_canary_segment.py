"""A canary of a segment: keys are drawn within it, other rows are the champion's, and it is not asked of them."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.serving.client import ServerProcess, until
from tests.serving.conftest import Stores
from tests.serving.releases import SUMMANDS, Adder, load
from tests.serving.shadowed import answers as with_shadows
from tests.serving.test_canary import asked, metrics, records
from tests.serving.test_routes import silent, under_load

from trimtab.kernel.audience import Audience
from trimtab.kernel.canonical import JsonMap
from trimtab.kernel.prediction import Prediction
from trimtab.kernel.route import BUCKETS, Canary, Route
from trimtab.ports.feature_reader import FeatureBlock
from trimtab.serving.scoring import Scoring

UNITED = Audience("carrier", ("UA", "AA"))
# None stands for a row without the field, and what is like a value is not that value.
CARRIERS: list[Any] = ["UA", "AA", "B6", None, "ua", True, ["UA"]]


def rows_of(carriers: list[Any]) -> list[dict[str, Any]]:
    return [
        {"row": f"flight-{number}", "x": number} | ({} if carrier is None else {"carrier": carrier})
        for number, carrier in enumerate(carriers)
    ]


ROWS = rows_of([CARRIERS[number % len(CARRIERS)] for number in range(98)])


def of_segment(release: str, buckets: int = BUCKETS // 2, audience: Audience = UNITED) -> Canary:
    return Canary(release, buckets, "rollout/1", audience)


def is_in(row: JsonMap) -> bool:
    return row.get("carrier") in ("UA", "AA")


def shadowed(server: ServerProcess, told: list[dict[str, Any]]) -> dict[str, Prediction]:
    """The records, once the shadows have scored each of the answers."""
    shadows = set(next(reversed(server.routes.values())).shadows)

    def all_have() -> bool:
        found = records(server)
        return all(shadows <= {found[one["id"]].release, *dict(found[one["id"]].others)} for one in told)

    asyncio.run(until(all_have))
    return records(server)


def check(one: Prediction, route: Route, row: JsonMap) -> None:
    """As the route has it, all of whose releases can follow: champion and shadows score, the canary its rows."""
    assert route.canary is not None and route.canary.audience is not None
    inside = is_in(row)
    assert one.release == (route.canary.release if inside and route.canary.draws(one.key) else route.champion)
    scoring = {route.champion, *route.shadows} | ({route.canary.release} if inside else set())
    x = float(str(row["x"]))
    assert one.score == x + SUMMANDS[one.release]
    assert sorted(one.others) == sorted((name, x + SUMMANDS[name]) for name in scoring if name != one.release)
    assert one.request == row
    if SUMMANDS[one.release] < SUMMANDS["left"]:
        assert one.features == (x, SUMMANDS[one.release]), "of the release that answers, of this row"


@pytest.mark.parametrize(
    ("canary", "shadows"),
    [("two", ()), ("two", ("right", "slow")), ("left", ("right", "two")), ("two", ("two", "left"))],
    ids=["alone", "beside shadows", "of a shadow's definition", "a shadow as well"],
)
def test_each_row_is_answered_and_scored_by_those_of_its_segment(
    one_worker: ServerProcess, canary: str, shadows: tuple[str, ...]
) -> None:
    route = one_worker.routes[one_worker.ready("one", canary=of_segment(canary), shadows=shadows)]
    answers = asked(one_worker, ROWS)
    written = shadowed(one_worker, answers)
    for row, one in zip(ROWS, answers, strict=True):
        assert one["release"] == route.answering(one["key"], row)
        check(written[one["id"]], route, row)
    counted = Counter((is_in(row), one["release"]) for row, one in zip(ROWS, answers, strict=True))
    assert counted[False, canary] == 0
    assert 5 < counted[True, canary] < 23


@pytest.mark.parametrize("rows", [ROWS[:1], ROWS[2:3], ROWS[:2], ROWS[2:7]], ids=["in", "out", "all in", "all out"])
def test_requests_that_are_of_one_kind_only(one_worker: ServerProcess, rows: list[dict[str, Any]]) -> None:
    route = one_worker.routes[one_worker.ready("one", canary=of_segment("two", BUCKETS), shadows=("left",))]
    answers = asked(one_worker, rows)
    written = shadowed(one_worker, answers)
    for row, one in zip(rows, answers, strict=True):
        check(written[one["id"]], route, row)


@pytest.mark.parametrize(
    ("value", "inside"), [(1, True), (1.0, True), (True, False), ("1", False), (2, False)], ids=repr
)
def test_values_are_those_of_json(one_worker: ServerProcess, value: Any, inside: bool) -> None:
    one_worker.ready("one", canary=of_segment("two", BUCKETS, Audience("tier", (1, 3))))
    (answer,) = asked(one_worker, [{"row": "a", "x": 1, "tier": value}])
    assert answer["release"] == ("two" if inside else "one")


@pytest.mark.parametrize("wrong", ["blind", "brief"])
def test_a_canary_that_breaks_costs_its_segment_no_answer_and_is_counted_by_its_own_rows(
    one_worker: ServerProcess, wrong: str
) -> None:
    one_worker.ready("one", canary=of_segment(wrong, BUCKETS), shadows=("two",))
    name = f'trimtab_unscored_rows_total{{release="{wrong}"}}'
    before = metrics(one_worker).get(name, 0)
    answers = asked(one_worker, ROWS)
    written = shadowed(one_worker, answers)
    assert {one["release"] for one in answers} == {"one"}
    assert all([name for name, _ in written[one["id"]].others] == ["two"] for one in answers)
    assert metrics(one_worker)[name] - before == sum(map(is_in, ROWS))


def test_a_segment_that_changes_under_load_loses_nothing(
    server: ServerProcess, stores: Stores, tmp_path: Path
) -> None:
    """Both workers draw the same keys of the same rows, at each of fifteen moves."""
    assert server.wal == stores.segments.path
    server.ready("one", shadows=("left",))
    chance = random.Random(7)

    async def move(_: object) -> None:
        for number in range(15):
            # The load's rows have no carrier, but x is 10 in all of them.
            audience = Audience("x", (10,)) if number % 3 else Audience("x", (11,))
            canary = Canary("two", chance.choice([2_500, 5_000, BUCKETS]), f"rollout/{number}", audience)
            assert await silent(server, server.publish("one", canary=canary, shadows=("left",))) == []
            await asyncio.sleep(0.05)

    load_ = under_load(server, move)
    server.stop()
    assert (load_.refused, load_.broken) == ([], 0)
    found = with_shadows(stores.log().recent())
    by_segment: Counter[tuple[bool, str]] = Counter()
    for one in load_.answers:
        route, record = server.routes[one.generation], found[one.id]
        assert one.release == route.answering(one.key, record.request)
        inside = (
            route.canary is not None and route.canary.audience is not None and route.canary.audience.values == (10,)
        )
        by_segment[inside, one.release] += 1
        # What the shadow had not said yet when its worker was stopped is not said any more.
        beside = ({name for name, _ in record.others} | {one.release}) - {"left"}
        assert beside == ({"one", "two"} if inside else {"one"})
    assert by_segment[False, "two"] == 0
    assert min(by_segment[False, "one"], by_segment[True, "one"], by_segment[True, "two"]) > 10


def test_a_route_that_a_worker_cannot_read_leaves_the_last_one_in_force(server: ServerProcess) -> None:
    """As one with an audience does to workers of before: it is no route of theirs, and is not acknowledged."""
    server.ready("one", canary=of_segment("two"))

    async def move(load_: Any) -> None:
        newer = Route("adder", "two", (), 2)
        file = server.board._board.route_file
        file.write_text('{"schema": 4, "system": "adder", "champion": "two", "warm": [], "generation": 2}')
        server.board._board.show(newer)
        assert len(await silent(server, 2, 0.5)) == 2
        await until(lambda: server.said().count("a newer Trimtab") == 2)
        before = len(load_.answers)
        await until(lambda: len(load_.answers) > before + 20)

    load_ = under_load(server, move)
    assert (load_.refused, load_.broken) == ([], 0)
    assert {one.generation for one in load_.answers} == {1}


class Telling(Adder):
    """Tells which rows it was asked about."""

    def __init__(self, digest: str, definition: str) -> None:
        super().__init__(digest)
        self.definition = definition
        self.looked_up: list[int] = []
        self.scored: list[int] = []

    def look_up(self, rows: Any, at_us: Any) -> FeatureBlock:
        """Count the rows."""
        assert [row["at"] for row in rows] == at_us
        self.looked_up.append(len(rows))
        values = [[row["x"], 0.0] for row in rows]
        # Every second row's fact was too old.
        return FeatureBlock(
            values, [[5, None] for _ in rows], {n: {"seen": int(at_us[n])} for n in range(0, len(rows), 2)}
        )

    def score(self, block: FeatureBlock) -> list[float]:
        """Count them again."""
        self.scored.append(len(block.values))
        return super().score(block)


@pytest.mark.parametrize("definition", ["shared", "own"])
@pytest.mark.parametrize("some", [[1, 2, 5], [0], [0, 1, 2, 3, 4, 5], []], ids=str)
def test_a_release_of_some_rows_is_asked_about_these_only(definition: str, some: list[int]) -> None:
    rows: list[JsonMap] = [{"x": float(number), "at": 100 + number} for number in range(6)]
    at_us = [100 + number for number in range(6)]
    champion, canary, shadow = Telling("one", "shared"), Telling("two", definition), Telling("left", "shared")
    scored = Scoring(lambda *_: None, patient=True).score([champion, canary, shadow], rows, at_us, {"two": some})
    assert (champion.looked_up, champion.scored, shadow.looked_up, shadow.scored) == ([6], [6], [], [6])
    assert canary.scored == ([len(some)] if some else [])
    assert canary.looked_up == ([len(some)] if some and definition == "own" else [])
    assert list(scored) == (["one", "two", "left"] if some else ["one", "left"])
    if some:
        found = scored["two"]
        assert found.scores == [number + 2.0 if number in some else None for number in range(6)]
        for place, number in enumerate(some):
            assert found.block.values[number] == [float(number), 0.0]
            stale = (number if definition == "shared" else place) % 2 == 0
            assert found.without(number)[1] == ({"seen": 100 + number} if stale else {})


def test_who_fails_at_its_rows_is_told_of_them() -> None:
    told: list[tuple[str, int]] = []
    rows: list[JsonMap] = [{"x": number} for number in range(5)]
    for name in ("blind", "brief"):
        scored = Scoring(lambda *one: told.append(one)).score(
            [load("one"), load(name)], rows, [0] * 5, {name: [1, 2]}
        )
        assert list(scored) == ["one"]
    assert told == [("blind", 2), ("brief", 2)]
