"""A route with a canary and shadows: one release answers a row, all score it, none costs anybody an answer."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.serving.client import Client, ServerProcess, until
from tests.serving.conftest import Stores
from tests.serving.releases import SUMMANDS, load
from tests.serving.shadowed import answers as with_shadows
from tests.serving.test_routes import silent, under_load

from trimtab.kernel.prediction import Prediction
from trimtab.kernel.route import BUCKETS, Canary, Route
from trimtab.serving.scoring import Scoring
from trimtab.serving.segment import LIVE, SEALED, read_segment
from trimtab.serving.segment_folder import SegmentFolder

ROWS: list[dict[str, Any]] = [{"row": f"flight-{number}", "x": number} for number in range(100)]


def half(release: str, salt: str = "rollout/1") -> Canary:
    return Canary(release, BUCKETS // 2, salt)


def asked(server: ServerProcess, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is answered to one request."""

    async def ask() -> Any:
        client = Client(server.port)
        try:
            return await client.post({"instances": rows})
        finally:
            client.close()

    status, answer = asyncio.run(ask())
    assert status == 200, answer
    found: list[dict[str, Any]] = answer["predictions"]
    return found


def metrics(server: ServerProcess) -> dict[str, float]:
    async def ask() -> bytes:
        client = Client(server.port)
        _, _, body = await client.get("/metrics")
        client.close()
        return body

    lines = [line.rpartition(" ") for line in asyncio.run(ask()).decode().splitlines() if line[0] != "#"]
    return {name: float(value) for name, _, value in lines}


def records(server: ServerProcess) -> dict[str, Prediction]:
    """Answers by id, of all segments that were not compacted; with what shadows have said by now."""
    folder = SegmentFolder(server.wal)
    segments = []
    for path in folder.files(LIVE):
        with suppress(FileNotFoundError):  # sealed since it was listed: then it is among those
            segments.append(read_segment(path))
    segments += [read_segment(path) for path in folder.files(SEALED)]
    return with_shadows(one for segment in segments if segment is not None for one in segment.predictions())


def shadowed(server: ServerProcess, told: list[dict[str, Any]], scorers: int) -> dict[str, Prediction]:
    """`records`, once so many releases have scored each of the answers."""

    def all_have() -> bool:
        found = records(server)
        return all(len(found[one["id"]].others) == scorers - 1 for one in told)

    asyncio.run(until(all_have))
    return records(server)


def check_record(one: Prediction, route: Route, x: float, *, shadows: bool = True) -> None:
    """As a route has it that all releases can follow."""
    assert one.generation == route.generation
    assert one.release == route.answering(one.key, one.request)
    assert one.score == x + SUMMANDS[one.release]
    scorers = set(route.scoring()) - {one.release}
    beside = dict(one.others)
    assert beside == {other: x + SUMMANDS[other] for other in beside}
    # What shadows had not said yet when their worker was stopped is not said any more.
    assert beside.keys() == scorers if shadows else scorers - set(route.shadows) <= beside.keys() <= scorers


def test_each_row_is_answered_by_one_and_scored_by_all(one_worker: ServerProcess) -> None:
    generation = one_worker.ready("one", "slow", canary=half("two"), shadows=("left",))
    route = one_worker.routes[generation]
    answers = asked(one_worker, ROWS)
    counted = Counter(one["release"] for one in answers)
    assert set(counted) == {"one", "two"} and 30 < counted["two"] < 70
    written = shadowed(one_worker, answers, 3)
    for row, one in zip(ROWS, answers, strict=True):
        assert one["release"] == route.answering(one["key"], {})
        assert (one["key"], one["score"]) == (row["row"], row["x"] + SUMMANDS[one["release"]])
        # What the loser of a row looked up is not kept: the features are those of the answer.
        record = written[one["id"]]
        assert record.features == (row["x"], SUMMANDS[one["release"]])
        check_record(record, route, row["x"])


@pytest.mark.parametrize("buckets", [1, BUCKETS])
def test_the_smallest_share_and_all_of_it(one_worker: ServerProcess, buckets: int) -> None:
    generation = one_worker.ready("one", canary=Canary("two", buckets, "rollout/2"))
    route = one_worker.routes[generation]
    answers = asked(one_worker, ROWS)
    assert [one["release"] for one in answers] == [route.answering(one["key"], {}) for one in answers]
    assert Counter(one["release"] for one in answers)["two"] == (100 if buckets == BUCKETS else 0)


def test_releases_with_one_definition_look_up_once(one_worker: ServerProcess) -> None:
    """The third row's feature is how often the worker has looked up so far."""
    one_worker.ready("left", canary=half("right"), shadows=("one", "two"))
    numbers: list[Any] = []
    for _ in range(3):
        answers = asked(one_worker, ROWS[:20])
        written = shadowed(one_worker, answers, 3)
        found = [written[one["id"]] for one in answers]
        assert {one.release for one in found} == {"left", "right"}
        assert all({name for name, _ in one.others} == {"one", "two"} for one in found), "shadows alone"
        (number,) = {one.features[1] for one in found}
        numbers.append(number)
    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]


@pytest.mark.parametrize("wrong", ["blind", "brief", "fragile"])
@pytest.mark.parametrize("role", ["canary", "shadow"])
def test_a_release_that_breaks_beside_the_champion_costs_nobody_an_answer(
    one_worker: ServerProcess, wrong: str, role: str
) -> None:
    """In its look-up, in its scores, or by forgetting a row."""
    canary = half(wrong) if role == "canary" else half("two")
    generation = one_worker.ready("one", canary=canary, shadows=(wrong,) if role == "shadow" else ())
    route = one_worker.routes[generation]
    name = f'trimtab_unscored_rows_total{{release="{wrong}"}}'
    before = metrics(one_worker).get(name, 0)
    answers = asked(one_worker, ROWS)
    deadline_s = time.monotonic() + 10.0
    while metrics(one_worker).get(name) != before + len(ROWS):
        assert time.monotonic() < deadline_s
    written = shadowed(one_worker, answers, 2) if role == "shadow" else records(one_worker)
    for row, one in zip(ROWS, answers, strict=True):
        record = written[one["id"]]
        meant = route.answering(one["key"], {})
        assert record.release == one["release"] == ("one" if meant == wrong else meant)
        assert one["score"] == row["x"] + SUMMANDS[one["release"]]
        beside = set(route.scoring()) - {wrong, one["release"]}
        assert dict(record.others) == {other: row["x"] + SUMMANDS[other] for other in beside}
    assert "Traceback" in one_worker.said()
    # Without the row that it breaks on, the fragile one takes part again.
    if wrong == "fragile":
        again = asked(one_worker, ROWS[:13])
        written = shadowed(one_worker, again, len(route.scoring()))
        for row, one in zip(ROWS[:13], again, strict=True):
            check_record(written[one["id"]], route, row["x"])


def test_the_champion_is_the_only_one_whose_error_is_an_error(one_worker: ServerProcess) -> None:
    one_worker.ready("fragile", canary=Canary("one", BUCKETS, "all"), shadows=("two",))

    async def ask() -> tuple[int, Any]:
        client = Client(one_worker.port)
        try:
            return await client.post({"instances": ROWS})
        finally:
            client.close()

    assert asyncio.run(ask())[0] == 500
    assert {one["release"] for one in asked(one_worker, ROWS[:13])} == {"one"}


def test_a_shadow_that_has_become_champion_or_canary_scores_once(one_worker: ServerProcess) -> None:
    """A frozen first release stays a shadow when a rollback makes it the champion again."""
    for route in ({"champion": "one", "shadows": ("one", "two")}, {"champion": "two", "shadows": ("one",)}):
        generation = one_worker.ready(str(route["champion"]), canary=half("one"), shadows=tuple(route["shadows"]))
        answers = asked(one_worker, ROWS)
        written = shadowed(one_worker, answers, 2)
        for row, one in zip(ROWS, answers, strict=True):
            check_record(written[one["id"]], one_worker.routes[generation], row["x"])


def test_shares_that_change_under_load_lose_nothing(server: ServerProcess, stores: Stores, tmp_path: Path) -> None:
    """Twenty moves: every answer is the one that its generation's route gives its key, and is recorded so once."""
    assert server.wal == stores.segments.path
    server.ready("one", shadows=("fragile",))
    chance = random.Random(7)

    async def move(_: object) -> None:
        for number in range(20):
            champion, challenger = ("one", "two") if number < 10 else ("two", "one")
            share = chance.choice([100, 2_500, 5_000, BUCKETS])
            canary = None if number % 5 == 4 else Canary(challenger, share, f"rollout/{number // 5}")
            generation = server.publish(champion, challenger, canary=canary, shadows=("fragile",))
            assert await silent(server, generation) == []
            await asyncio.sleep(0.05)

    load_ = under_load(server, move)
    server.stop()
    assert (load_.refused, load_.broken) == ([], 0)
    assert len(load_.answers) > 500
    assert {one.release for one in load_.answers} == {"one", "two"}
    assert len({one.generation for one in load_.answers}) >= 15
    found = with_shadows(stores.log().recent())
    assert sorted(found) == sorted(one.id for one in load_.answers)
    for one in load_.answers:
        assert one.release == server.routes[one.generation].answering(one.key, {})
        check_record(found[one.id], server.routes[one.generation], 10, shadows=False)
    assert sum("fragile" in dict(one.others) for one in found.values()) > len(found) // 2


def test_a_canary_that_cannot_be_loaded_leaves_the_last_route_in_force(server: ServerProcess) -> None:
    server.ready("one", canary=half("two"))
    last = server.routes[1]

    async def move(load_: Any) -> None:
        generation = server.publish("one", canary=half("bad"), shadows=("two",))
        assert len(await silent(server, generation, 0.5)) == 2
        await until(lambda: server.said().count("bad cannot be followed") == 2)
        before = len(load_.answers)
        await until(lambda: len(load_.answers) > before + 50)
        assert all(one.generation == 1 for one in load_.answers)
        # The way out is another route, and it needs nothing of the damaged release.
        assert await silent(server, server.publish("one", "bad", shadows=("two",))) == []
        await until(lambda: load_.answers[-1].generation == 3)

    load_ = under_load(server, move)
    assert (load_.refused, load_.broken) == ([], 0)
    assert all(one.release == last.answering(one.key, {}) for one in load_.answers if one.generation == 1)
    assert {one.release for one in load_.answers if one.generation == 3} == {"one"}


def test_a_canary_is_loaded_beside_the_answers_of_the_route_before(server: ServerProcess) -> None:
    server.ready("one")

    async def move(load_: Any) -> None:
        generation = server.publish("one", canary=Canary("slow", BUCKETS, "all"))
        assert len(await silent(server, generation, 0.2)) == 2
        assert load_.answers[-1].release == "one"
        assert await silent(server, generation, 5.0) == []
        await until(lambda: load_.answers[-1].release == "slow")

    load_ = under_load(server, move)
    assert (load_.refused, load_.broken) == ([], 0)


def test_scoring_asks_each_definition_once_and_tells_of_each_failure() -> None:
    releases = [load(name) for name in ("left", "blind", "right", "one")]
    told: list[tuple[str, int]] = []
    rows = [{"x": 1}, {"x": 2}]
    scored = Scoring(lambda *one: told.append(one)).score(releases, rows, [0, 0])
    assert {name: one.scores for name, one in scored.items()} == {
        "left": [8.0, 9.0],
        "right": [9.0, 10.0],
        "one": [2.0, 3.0],
    }
    assert scored["left"].block is scored["right"].block
    assert told == [("blind", 2)]
    with pytest.raises(LookupError):
        Scoring(lambda *one: told.append(one)).score([load("blind"), load("one")], rows, [0, 0])
    with pytest.raises(ValueError, match="2 rows, 1 scores"):
        Scoring(lambda *one: told.append(one)).score([load("brief")], rows, [0, 0])
