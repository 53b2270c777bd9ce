"""A rollback under full load: how long the bad release goes on answering, and what it costs those who ask.

    python -m benchmarks.serving.rollback [--repeats 5]

The real `trimtab serve` with two workers: a LightGBM model of 200 trees, then a bad one in its place. 16
connections send one row after the other without a pause, and note of each answer when it was asked for, when it
came in, its status and all that it says. In the middle `trimtab rollback` is run as a person would run it;
afterwards the same command goes forward again, which is not measured. The pointer has moved when the new route
lies on the board, which a process of its own looks at each millisecond; so does it at the workers'
acknowledgements. A request has failed if it is answered with anything but 200, with another release's score, or
not at all. The load's process shares the cores with the server, so that times are those of a machine that has
none to spare.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import uvloop
from benchmarks.peers import QUIET_LOAD
from benchmarks.serving import model, results
from benchmarks.serving.asking import Asking
from benchmarks.serving.kept import NAMES
from benchmarks.serving.servers import servers

from trimtab.adapters.route_board_mmap import MmapRouteBoard

WORKERS, CONNECTIONS = 2, 16
REPEATS = 5
AROUND_S = 1.5  # of load before and behind the command
START_S = 90.0
SYSTEM = "bench"


def models(folder: Path) -> dict[str, Path]:
    """The good one and the bad one, as MLflow keeps them; `rows_1.jsonl`, and the scores of each row by each."""
    import mlflow.lightgbm  # noqa: PLC0415 - seconds
    import pandas  # noqa: PLC0415
    from mlflow.models import infer_signature  # noqa: PLC0415

    model.main(folder, ["lightgbm"])
    rows = [json.loads(line)["instances"][0] for line in (folder / "rows_1.jsonl").read_text().splitlines()]
    matrix = pandas.DataFrame([[row[name] for name in NAMES] for row in rows], columns=NAMES)
    good: Any = lightgbm.Booster(model_file=folder / "model.txt")
    settings = {"objective": "binary", "num_leaves": 31, "verbose": -1, "num_threads": 2, "seed": 1}
    upside_down = lightgbm.Dataset(matrix.to_numpy(), np.asarray(good.predict(matrix)) < 0.5)
    found = {}
    for name, booster in (("good", good), ("bad", lightgbm.train(settings, upside_down, num_boost_round=200))):
        scores = np.asarray(booster.predict(matrix.to_numpy(), num_threads=1))
        (folder / f"scores_{name}.json").write_text(json.dumps(scores.tolist()))
        found[name] = folder / name
        signature = infer_signature(matrix, scores)
        mlflow.lightgbm.save_model(
            booster, found[name], signature=signature, input_example=matrix, pip_requirements=["lightgbm"]
        )
    return found


def trimtab(*arguments: str) -> list[str]:
    """The command, as it is installed."""
    return [str(Path(sys.executable).with_name("trimtab")), *arguments]


@contextmanager
def serving(folder: Path, good: Path) -> Iterator[int]:
    """`trimtab serve` with the good model: its port."""
    asked = ["--name", SYSTEM, "--key", "key", "--port", "0", "--workers", str(WORKERS), "--every", "1h"]
    said = folder / "serve.log"
    with said.open("wb") as log:
        process = subprocess.Popen(trimtab("serve", str(good), *asked), stdout=log, stderr=log, cwd=folder)
    until_s = time.monotonic() + START_S
    try:
        while (port := re.search(r"http://127.0.0.1:(\d+)/readyz", said.read_text())) is None:
            if process.poll() is not None or time.monotonic() > until_s:
                raise SystemExit(f"trimtab serve does not start:\n{said.read_text()}")
            time.sleep(0.05)
        board = _board(folder)
        while len(board.workers()) < WORKERS:
            if process.poll() is not None or time.monotonic() > until_s:
                raise SystemExit(f"its workers do not start:\n{said.read_text()}")
            time.sleep(0.05)
        yield int(port[1])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def run(folder: Path, *arguments: str) -> float:
    """A command, to its good end: how long it took, seconds."""
    began_s = time.monotonic()
    done = subprocess.run(trimtab(*arguments), cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise SystemExit(f"void: trimtab {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
    return time.monotonic() - began_s


def watch(folder: Path, told: Connection) -> None:
    """In a process of its own: when the pointer moved, and when all workers had acknowledged that."""
    board = _board(folder)
    shown = board.current()
    assert shown is not None
    told.send(None)
    while (route := board.current()) is None or route.generation == shown.generation:
        time.sleep(0.001)
    moved_s = time.monotonic()
    while board.silent(route.generation, within_s=0):
        time.sleep(0.001)
    told.send((moved_s, time.monotonic(), route.generation))


def _board(folder: Path) -> MmapRouteBoard:
    return MmapRouteBoard(folder / "served" / SYSTEM / ".trimtab" / "route" / SYSTEM)


async def measured(folder: Path, port: int) -> dict[str, float]:
    """One rollback, with what came in around it."""
    home = folder / "served" / SYSTEM
    asking = Asking(port, f"/v1/systems/{SYSTEM}/predict", (folder / "rows_1.jsonl").read_bytes().splitlines())
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    watcher = spawn.Process(target=watch, args=(folder, there), daemon=True)
    watcher.start()
    await asyncio.to_thread(here.recv)
    await asking.begin(CONNECTIONS)
    await asyncio.sleep(AROUND_S)
    begun_s = time.monotonic()
    took_s = await asyncio.to_thread(run, home, "rollback")
    ended_s = time.monotonic()
    await asyncio.sleep(AROUND_S)
    await asking.end()
    moved_s, acknowledged_s, generation = await asyncio.to_thread(here.recv)
    watcher.join(10)
    scores = {name: json.loads((folder / f"scores_{name}.json").read_text()) for name in ("good", "bad")}
    bad = [one for one in asking.answers if one.right(scores["bad"])]
    wrong = [
        one for one in asking.answers if not one.right(scores["good" if one.generation >= generation else "bad"])
    ]
    if not bad or len(bad) == len(asking.answers):
        raise SystemExit("void: there was no change of releases under this load")

    def per_s(since_s: float, until_s: float) -> float:
        return sum(since_s <= one.ended_s < until_s for one in asking.answers) / (until_s - since_s)

    return {
        "acknowledged_ms": (acknowledged_s - moved_s) * 1e3,
        "last_bad_ms": (max(one.ended_s for one in bad) - moved_s) * 1e3,
        "command_ms": took_s * 1e3,
        "failed": asking.broken + len(wrong),
        "bad_after": sum(one.begun_s > acknowledged_s for one in bad),
        "answers": len(asking.answers),
        "per_s_before": per_s(begun_s - 1, begun_s),
        "per_s_during": per_s(begun_s, ended_s),
        "per_s_after": per_s(ended_s, ended_s + 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="A rollback under full load.")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    asked = parser.parse_args()
    before = os.getloadavg()[0]
    runs: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = models(folder)
        with serving(folder, found["good"]) as port:
            run(folder, "serve", str(found["bad"]), "--name", SYSTEM, "--key", "key")
            for number in range(asked.repeats):
                if number:
                    run(folder / "served" / SYSTEM, "rollback")  # forward again
                runs.append(uvloop.run(measured(folder, port)))
                print(", ".join(f"{key} {value:.1f}" for key, value in runs[-1].items()), file=sys.stderr)
    rollback = {"workers": WORKERS, "connections": CONNECTIONS, "load": before, "runs": runs}
    print(results.rollback_text(rollback))
    if any(one["failed"] or one["bad_after"] for one in runs):
        raise SystemExit("void: a request failed, or the bad release answered after the acknowledgement")
    if before > QUIET_LOAD or asked.repeats < REPEATS:
        told = f"only of {REPEATS} repeats, at a load of at most {QUIET_LOAD}; it was {before:.1f}"
        print(f"no results are written: {told}", file=sys.stderr)
        return
    kept = results.kept()
    results.write({**kept, "rollback": rollback}, servers(Path()))


if __name__ == "__main__":
    main()
