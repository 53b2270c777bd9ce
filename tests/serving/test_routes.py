import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable

from tests.serving.client import Client, ServerProcess, until
from tests.serving.load import Load
from tests.serving.releases import SUMMANDS


def under_load(server: ServerProcess, act: Callable[[Load], Awaitable[None]]) -> Load:
    """Do something while eight clients send; every answer must be right, whatever it is."""
    load = Load(server.port)

    async def run() -> None:
        running = asyncio.create_task(load.run(8))
        try:
            await act(load)
        finally:
            load.stop()
            await running

    asyncio.run(run())
    assert all(one.score == 10 + SUMMANDS[one.release] for one in load.answers)
    return load


async def silent(server: ServerProcess, generation: int, within_s: float = 1.0) -> list[int]:
    return await asyncio.to_thread(server.board.silent, generation, within_s=within_s)


def test_a_warm_release_takes_over_within_a_second_and_no_request_fails(server: ServerProcess) -> None:
    server.ready("one", "two")
    moves: list[tuple[float, str]] = []  # (acknowledged, monotonic seconds; champion)

    async def move(load: Load) -> None:
        for number in range(20):
            champion, warm = ("two", "one") if number % 2 == 0 else ("one", "two")
            generation = server.publish(champion, warm)
            assert await silent(server, generation) == []
            moves.append((time.monotonic(), champion))
            await asyncio.sleep(0.05)

    load = under_load(server, move)
    assert (load.refused, load.broken) == ([], 0)
    assert len(load.answers) > 500
    assert {one.release for one in load.answers} == {"one", "two"}
    for number, (acknowledged_s, champion) in enumerate(moves):
        generation = number + 2
        late = [one for one in load.answers if one.begun_s >= acknowledged_s and one.generation < generation]
        assert late == []
        assert {one.release for one in load.answers if one.generation == generation} <= {champion}


def test_a_cold_release_loads_beside_the_answers_of_the_old_one(server: ServerProcess) -> None:
    server.ready("one")

    async def move(load: Load) -> None:
        generation = server.publish("slow", "one")
        assert len(await silent(server, generation, 0.2)) == 2
        before = len(load.answers)
        await until(lambda: len(load.answers) > before + 50)
        assert load.answers[-1].release == "one"
        assert await silent(server, generation, 5.0) == []
        await until(lambda: load.answers[-1].release == "slow")

    load = under_load(server, move)
    assert (load.refused, load.broken) == ([], 0)


def test_a_damaged_release_takes_nothing_down_and_a_rollback_passes_it(server: ServerProcess) -> None:
    server.ready("one")

    async def move(load: Load) -> None:
        generation = server.publish("bad", "one")
        assert len(await silent(server, generation, 0.5)) == 2
        await until(lambda: server.said().count("bad cannot be followed") == 2)
        assert "the release is corrupt" in server.said()
        before = len(load.answers)
        await until(lambda: len(load.answers) > before + 50)
        assert load.answers[-1].release == "one"
        # The damaged release stays on the route as a warm one: it must not stand in the champion's way.
        assert await silent(server, server.publish("one", "bad")) == []
        await until(lambda: load.answers[-1].generation == 3)

    load = under_load(server, move)
    assert (load.refused, load.broken) == ([], 0)


def test_a_worker_started_anew_begins_with_the_newest_route(server: ServerProcess) -> None:
    server.ready("one", "two")
    old = server.board.workers()
    generation = server.publish("two", "one")
    for pid in old:
        os.kill(pid, signal.SIGKILL)

    async def ask() -> None:
        await until(lambda: len(set(server.board.workers()) - set(old)) == 2)
        client = Client(server.port)
        _, answer = await client.post({"instances": [{"row": "a", "x": 1}]})
        assert (answer["predictions"][0]["release"], answer["generation"]) == ("two", generation)
        client.close()

    asyncio.run(ask())


def test_a_worker_that_does_not_turn_is_replaced(server: ServerProcess) -> None:
    server.ready("one", "two")
    stopped, other = server.board.workers()
    os.kill(stopped, signal.SIGSTOP)
    generation = server.publish("two", "one")
    assert server.board.silent(generation, within_s=0.5) == [stopped]
    asyncio.run(until(lambda: stopped not in server.board.workers() and len(server.board.workers()) == 2))
    assert other in server.board.workers()
    assert server.board.silent(generation, within_s=2.0) == []
    assert "does not turn any more: replaced" in server.said()
