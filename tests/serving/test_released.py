"""The moment of a rollback, step by step: the acknowledgement comes when nothing of the old release can leave."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.serving.client import until
from tests.serving.releases import SYSTEM, load

from trimtab.adapters.route_board_mmap import MmapRouteBoard
from trimtab.kernel.route import Route
from trimtab.serving.released import Released


def followed(folder: Path, act: Callable[[Released, MmapRouteBoard], Awaitable[None]]) -> None:
    """A worker's side of the board that answers with "two", and holds "one" warm."""
    board = MmapRouteBoard(folder)
    board.publish(Route(SYSTEM, "one", (), 1))

    async def run() -> None:
        released = Released(SYSTEM, follower=board.follower(0), loader=load, report=print)
        await released.start(within_s=10.0)
        board.publish(Route(SYSTEM, "two", ("one",), 2))

        def follows() -> bool:
            released.poll()
            return board.silent(2, within_s=0) == []

        await until(follows)
        await act(released, board)

    asyncio.run(run())


def rolled_back(board: MmapRouteBoard) -> None:
    board.publish(Route(SYSTEM, "one", ("two",), 3))


def test_it_is_not_acknowledged_while_an_answer_of_the_bad_release_can_leave(tmp_path: Path) -> None:
    async def act(released: Released, board: MmapRouteBoard) -> None:
        first, second = released.enter(), released.enter()
        assert first is not None and second is not None and first.releases[0].digest == "two"
        rolled_back(board)
        released.poll()
        assert released.serving is not None and released.serving.releases[0].digest == "one"
        assert board.silent(3, within_s=0) == [os.getpid()]
        released.leave(first)
        assert board.silent(3, within_s=0) == [os.getpid()]
        released.leave(second)
        assert board.silent(3, within_s=0) == []

    followed(tmp_path, act)


def test_the_first_request_after_the_pointer_has_moved_is_the_old_releases(tmp_path: Path) -> None:
    """It asks no timer: the board is looked at by the request itself."""

    async def act(released: Released, board: MmapRouteBoard) -> None:
        rolled_back(board)
        entered = released.enter()
        assert entered is not None
        assert (entered.releases[0].digest, entered.route.generation) == ("one", 3)
        assert board.silent(3, within_s=0) == []

    followed(tmp_path, act)
