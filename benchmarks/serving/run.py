"""One-row requests to a LightGBM model of 200 trees and 20 features: Trimtab beside what one would take otherwise.

    python -m benchmarks.serving.run [--rounds 3] [--seconds 8] [--no-peers]

`by hand` is the floor: a raw ASGI application on uvicorn that parses the request, calls `Booster.predict` and does
nothing else, its garbage collector frozen after load. `trimtab` has everything on: a canary on a tenth of the keys
(which, as always, scores every row beside the champion), a record of each answer in the log before it leaves, and
metrics; `views` reads its 20 features from two views in the online store instead of the request; `fsync` has each
record reach the disk before its answer leaves. One worker, 16 connections, load by wrk on the same machine. All
take turns, each round in new processes; the median round is compared. A round with an answer that is not 2xx, or
a broken connection, is void and ends the benchmark. Results are kept only of a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers import QUIET_LOAD, peer_python

HERE = Path(__file__).parent
START_S = 90.0
TARGETS = {
    "trimtab": ("by hand", 1.3),
    "trimtab, views": ("by hand", 1.1),
    "trimtab, fsync": ("by hand", 0.7),
    "trimtab, 100 rows": ("by hand, 100 rows", 0.9),
}
BEHIND = {"FastAPI": 6, "BentoML": 25, "MLflow": 120}  # how many times as fast Trimtab must be

_README = """# Serving

Made by `python -m benchmarks.serving.run`, whose docstring says what is measured and how; all rounds are in
`results.json`. {cpus} CPUs, Python {python}. Load of the machine before: {load:.1f}. 16 connections.

| | requests/s | × by hand | p50, ms | p99, ms | MiB a worker | first answer after, s |
| --- | --: | --: | --: | --: | --: | --: |
{rows}
"""


@dataclass(frozen=True)
class Server:
    """One system as it is started, and what it is asked."""

    command: Sequence[str]
    path: str
    bodies: str  # file
    floor: str = "by hand"


def servers(folder: Path, *, peers: bool) -> dict[str, Server]:
    """By name; PORT in a command stands for the port."""
    here = sys.executable
    predict = "/v1/systems/bench/predict"

    def trimtab(kind: str, mode: str, bodies: str, workers: int = 1, floor: str = "by hand") -> Server:
        command = [here, "-m", "benchmarks.serving.by_trimtab", str(folder), "PORT", kind, mode, str(workers)]
        return Server(command, predict, bodies, floor)

    hand = [here, str(HERE / "by_hand.py"), str(folder), "PORT"]
    found = {
        "by hand": Server(hand, "/", "rows_1.jsonl"),
        "trimtab": trimtab("fields", "write", "rows_1.jsonl"),
        "trimtab, views": trimtab("views", "write", "keys_1.jsonl"),
        "trimtab, fsync": trimtab("fields", "fsync", "rows_1.jsonl"),
        "trimtab, 2 workers": trimtab("fields", "write", "rows_1.jsonl", workers=2),
        "by hand, 100 rows": Server(hand, "/", "rows_100.jsonl", "by hand, 100 rows"),
        "trimtab, 100 rows": trimtab("fields", "write", "rows_100.jsonl", floor="by hand, 100 rows"),
    }
    if peers:
        fast = peer_python("fastapi", ["fastapi", "uvicorn[standard]", "lightgbm", "numpy"])
        lit = peer_python("litserve", ["litserve", "lightgbm", "numpy"])
        bento = peer_python("bentoml", ["bentoml>=1.4", "lightgbm", "numpy"])
        mlflow = peer_python("mlflow", ["mlflow>=3.17,<4", "lightgbm", "pandas"])
        ray = peer_python("ray", ["ray[serve]", "lightgbm", "numpy"])
        serve = ["-m", "bentoml", "serve", "by_bentoml:Scorer", "--working-dir", str(HERE), "--port", "PORT"]
        found |= {
            "FastAPI": Server([fast, str(HERE / "by_fastapi.py"), str(folder), "PORT"], "/predict", "rows_1.jsonl"),
            "LitServe": Server(
                [lit, str(HERE / "by_litserve.py"), str(folder), "PORT"], "/predict", "rows_1.jsonl"
            ),
            "BentoML": Server([bento, *serve], "/predict", "rows_1.jsonl"),
            "Ray Serve": Server([ray, str(HERE / "by_ray.py"), str(folder), "PORT"], "/predict", "rows_1.jsonl"),
            "MLflow": Server(
                [mlflow, str(HERE / "by_mlflow.py"), str(folder), "PORT"], "/invocations", "records_1.jsonl"
            ),
        }
    return found


@contextmanager
def running(name: str, server: Server, folder: Path) -> Iterator[tuple[str, float, int]]:
    """A started server: its address, the seconds until its first answer, its process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(port) if one == "PORT" else one for one in server.command]
    environment = {**os.environ, "MODEL_FOLDER": str(folder), "PYTHONPATH": str(HERE.parents[1])}
    began_s = time.monotonic()
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, start_new_session=True, cwd=HERE.parents[1]
        )
    url = f"http://127.0.0.1:{port}{server.path}"
    body = (folder / server.bodies).read_bytes().splitlines()[0]
    try:
        while not _answers(url, body):
            if process.poll() is not None or time.monotonic() - began_s > START_S:
                raise SystemExit(f"{name} does not answer:\n{(folder / 'server.log').read_text()[-3000:]}")
            time.sleep(0.02)
        yield url, time.monotonic() - began_s, process.pid
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(url: str, body: bytes) -> bool:
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def load(url: str, bodies: Path, seconds: int) -> dict[str, float]:
    """What wrk says."""
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "--latency", "--timeout", "30s", "-s", str(HERE / "post.lua")]
    said = subprocess.run([*command, url, "--", str(bodies)], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"void: {url}\n{said}")
    milli = {"us": 1e-3, "ms": 1.0, "s": 1e3}

    def percentile(which: str) -> float:
        number, unit = re.search(rf"{which}%\s+([\d.]+)(us|ms|s)", said).groups()  # type: ignore[union-attr]
        return float(number) * milli[unit]

    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])  # type: ignore[index]
    return {"per_s": rate, "p50_ms": percentile("50"), "p99_ms": percentile("99")}


def largest_mib(pid: int) -> float:
    """The memory of the largest process of a session: that of a worker."""
    sizes = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
            if int(fields[3]) == pid:
                sizes.append(int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 2**20)
        except (OSError, IndexError):
            continue
    return max(sizes, default=0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description="Trimtab's data plane beside others.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--only", nargs="+", help="names of servers")
    asked = parser.parse_args()
    before = os.getloadavg()[0]
    rounds: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, str(HERE / "model.py"), name], check=True)
        chosen = servers(folder, peers=not asked.no_peers)
        for number in range(asked.rounds):
            for one, server in chosen.items():
                if asked.only and one not in asked.only:
                    continue
                with running(one, server, folder) as (url, start_s, pid):
                    load(url, folder / server.bodies, 2)
                    found = load(url, folder / server.bodies, asked.seconds)
                    found |= {"start_s": start_s, "mib": largest_mib(pid)}
                rounds.setdefault(one, []).append(found)
                told = ", ".join(f"{key} {value:.2f}" for key, value in found.items())
                print(f"round {number + 1}: {one}: {told}", file=sys.stderr)
    report(rounds, chosen, before, all_of_them=not asked.no_peers and not asked.only)


def report(
    rounds: dict[str, list[dict[str, float]]], chosen: dict[str, Server], before: float, *, all_of_them: bool
) -> None:
    """Print the table; write it down if it may be believed."""

    def median(name: str, key: str) -> float:
        return statistics.median(one[key] for one in rounds[name])

    def ratio(name: str, other: str) -> float:
        return median(name, "per_s") / median(other, "per_s")

    lines = [
        f"| {name} | {median(name, 'per_s'):,.0f} "
        f"| {ratio(name, chosen[name].floor) if chosen[name].floor in rounds else 0:.2f} "
        f"| {median(name, 'p50_ms'):.2f} | {median(name, 'p99_ms'):.2f} "
        f"| {median(name, 'mib'):.0f} | {median(name, 'start_s'):.1f} |"
        for name in rounds
    ]
    targets: dict[str, Any] = {}
    for name, (floor, least) in TARGETS.items():
        if name in rounds and floor in rounds:
            targets[f"{name}: at least {least} × {floor}"] = ratio(name, floor) >= least
            targets[f"{name}: p99 no higher"] = median(name, "p99_ms") <= median(floor, "p99_ms")
    for name, least in BEHIND.items():
        if name in rounds and "trimtab" in rounds:
            targets[f"trimtab: at least {least} × {name}"] = ratio("trimtab", name) >= least
    machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "load": before}
    text = _README.format(**machine, rows="\n".join(lines))
    print(text)
    print(json.dumps(targets, indent=2))
    if not all_of_them or before > QUIET_LOAD:
        print(f"no results are written: only of all systems, at a load of at most {QUIET_LOAD}", file=sys.stderr)
        return
    results = {**machine, "rounds": rounds, "targets": targets}
    (HERE / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    (HERE / "README.md").write_text(text)


if __name__ == "__main__":
    main()
