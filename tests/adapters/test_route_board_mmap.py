import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from trimtab.adapters.route_board_mmap import MmapRouteBoard
from trimtab.kernel.errors import Busy, Corrupt, InvalidValue
from trimtab.kernel.route import Route

FOLLOW = """
import sys, time
from pathlib import Path
from trimtab.adapters.route_board_mmap import MmapRouteBoard
follower = MmapRouteBoard(Path(sys.argv[1])).follower(int(sys.argv[2]))
follower.acknowledge(0)
print("ready", flush=True)
while True:
    if follower.changed():
        follower.acknowledge(follower.current().generation)
    follower.acknowledge_seal(follower.seal_epoch())
    follower.beat()
    time.sleep(0.005)
"""
PUBLISH = """
import sys
from pathlib import Path
from trimtab.adapters.route_board_mmap import MmapRouteBoard
from trimtab.kernel.route import Route
board = MmapRouteBoard(Path(sys.argv[1]))
for generation in range(int(sys.argv[2]), 200, 2):
    board.publish(Route("s", f"release-{generation}", (), generation))
"""


def route(generation: int, champion: str = "one") -> Route:
    return Route("s", champion, ("zero",), generation)


def start_follower(folder: Path, slot: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", FOLLOW, str(folder), str(slot)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_a_route_is_published_followed_and_acknowledged(tmp_path: Path) -> None:
    board = MmapRouteBoard(tmp_path)
    assert board.current() is None
    follower = MmapRouteBoard(tmp_path).follower(2)
    assert board.workers() == []
    board.publish(route(4))
    assert follower.changed()
    assert follower.current() == board.current() == route(4)
    assert board.silent(4, within_s=0) == []  # it does not take requests yet
    follower.acknowledge(0)
    assert board.workers() == [os.getpid()]
    assert board.silent(4, within_s=0) == [os.getpid()]
    follower.acknowledge(4)
    assert not follower.changed()
    assert board.silent(4, within_s=0) == []
    assert board.silent(5, within_s=0.02) == [os.getpid()]
    follower.leave()
    assert board.workers() == []


def test_older_and_equal_generations_change_nothing(tmp_path: Path) -> None:
    board = MmapRouteBoard(tmp_path)
    board.publish(route(4))
    board.publish(route(4, "other"))
    board.publish(route(3, "older"))
    assert board.current() == route(4)
    follower = board.follower(0)
    follower.acknowledge(4)
    assert not follower.changed()


def test_a_publisher_killed_before_the_generation_is_made_up_for(tmp_path: Path) -> None:
    board = MmapRouteBoard(tmp_path)
    board.publish(route(1))
    follower = board.follower(0)
    follower.acknowledge(1)
    (tmp_path / "route.json").write_text(json.dumps(route(2).body()))
    assert not follower.changed()
    MmapRouteBoard(tmp_path)
    assert follower.changed()


def test_the_same_generation_published_again_makes_up_for_it_too(tmp_path: Path) -> None:
    board = MmapRouteBoard(tmp_path)
    board.publish(route(1))
    follower = board.follower(0)
    follower.acknowledge(1)
    (tmp_path / "route.json").write_text(json.dumps(route(2).body()))
    board.publish(route(2))
    assert follower.changed()


def test_a_dead_worker_is_waited_for_by_nobody(tmp_path: Path) -> None:
    board = MmapRouteBoard(tmp_path)
    processes = [start_follower(tmp_path, slot) for slot in (0, 1)]
    board.publish(route(1))
    assert board.silent(1, within_s=5.0) == []
    os.kill(processes[0].pid, 19)  # SIGSTOP: alive and silent
    board.publish(route(2))
    assert board.silent(2, within_s=0.3) == [processes[0].pid]
    assert board.stuck(after_s=0.2) == [processes[0].pid]
    assert board.unsealed(board.request_seal(), within_s=0.3) == [processes[0].pid]
    processes[0].kill()  # not reaped yet: a zombie is dead, too
    assert board.silent(2, within_s=1.0) == []
    assert board.workers() == [processes[1].pid]
    assert board.unsealed(board.request_seal(), within_s=1.0) == []
    for one in processes:
        end(one)
    assert board.workers() == []


def test_a_slot_belongs_to_one_living_process(tmp_path: Path) -> None:
    board = MmapRouteBoard(tmp_path, places=2)
    process = start_follower(tmp_path, 1)
    with pytest.raises(Busy, match="worker slot 1 is in use"):
        board.follower(1)
    end(process)
    board.follower(1)
    with pytest.raises(InvalidValue, match="0 to 1"):
        board.follower(2)


def test_a_reused_process_id_is_not_the_old_worker(tmp_path: Path) -> None:
    board = MmapRouteBoard(tmp_path)
    board.follower(0).acknowledge(0)
    assert board.workers() == [os.getpid()]
    data = bytearray((tmp_path / "board.mmap").read_bytes())
    born_at = (8 + 1) * 8
    data[born_at] ^= 1
    with (tmp_path / "board.mmap").open("r+b") as file:
        file.write(data)
    assert board.workers() == []


def test_two_publishers_end_with_the_newest(tmp_path: Path) -> None:
    board = MmapRouteBoard(tmp_path)
    seen: list[int] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            now = board.current()
            seen.append(0 if now is None else now.generation)

    watcher = threading.Thread(target=watch)
    watcher.start()
    publishers = [subprocess.Popen([sys.executable, "-c", PUBLISH, str(tmp_path), str(first)]) for first in (1, 2)]
    assert [one.wait(30) for one in publishers] == [0, 0]
    time.sleep(0.01)
    stop.set()
    watcher.join()
    assert board.current() == Route("s", "release-199", (), 199)
    assert seen == sorted(seen)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"system": "s"}', '{"warm": 3, "generation": 1}'])
def test_a_damaged_route_file_says_so(tmp_path: Path, text: str) -> None:
    board = MmapRouteBoard(tmp_path)
    (tmp_path / "route.json").write_text(text)
    with pytest.raises(Corrupt, match="the route file is corrupt"):
        board.current()
    MmapRouteBoard(tmp_path).publish(route(1))
    assert board.current() == route(1)


def test_a_route_of_a_newer_trimtab_is_refused_and_names_its_file(tmp_path: Path) -> None:
    board = MmapRouteBoard(tmp_path)
    board.publish(route(1))
    follower = board.follower(0)
    (tmp_path / "route.json").write_text(json.dumps({**route(2).body(), "schema": 4}))
    with pytest.raises(Corrupt) as found:
        follower.current()
    assert (found.value.where, found.value.got) == (str(tmp_path / "route.json"), "4")
    assert "a newer Trimtab" in found.value.allowed
    follower.leave()


def test_a_strange_board_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "board.mmap").write_bytes(b"x" * 4096)
    with pytest.raises(Corrupt, match="the route board is corrupt"):
        MmapRouteBoard(tmp_path)
