"""Requests to models of 20 features: Trimtab beside what one would take otherwise.

    python -m benchmarks.serving.run [--rounds 3] [--seconds 8] [--no-peers] [--floors NAME...] [--only NAME...]

`by hand` is the floor: a raw ASGI application on uvicorn that parses the request, calls the model (LightGBM's
`Booster.predict` of 200 trees; `predict_proba` of scikit-learn's random forest of 100 trees, or of its logistic
regression, on one job) and does nothing else, its garbage collector frozen after load. `trimtab` has everything
on: a canary on a tenth of the keys, a record of each answer in the log before it leaves, and metrics. Each row is
scored by the release that answers it; what the other one would have said is computed when the log is compacted
(decision 0012), which is no part of this but of `python -m benchmarks.serving.pairing`. `views` reads its 20
features from two views in the online store instead of the request; `fsync` has each record reach the disk before
its answer leaves; without a model's name it is LightGBM's. One row a request where no other number is named; one
worker, 16 connections, load by wrk on the same machine. All take turns, each round in new processes; the median
round is compared.

Before and after each measurement a hundred of the requests are sent, and each answer must be 200 and hold the
model's own scores; a status of 400 or more, a broken connection or a timeout in between makes the round void too,
and ends the benchmark. Results are kept only of a quiet machine, and only of a floor with all that is compared
with it: `--floors "by hand, random forest"` measures these alone, and puts them in the place of the older ones.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.peers import QUIET_LOAD
from benchmarks.serving import results
from benchmarks.serving.checking import check, unscored
from benchmarks.serving.servers import Server, servers

HERE = Path(__file__).parent
START_S = 90.0
ROUNDS, SECONDS = 3, 8
# As Trimtab's own supervisor has its workers do it; one row gains nothing by more.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@contextmanager
def running(name: str, server: Server, folder: Path) -> Iterator[tuple[str, float, int]]:
    """A started server: its address, the seconds until its first answer, its process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = server.command_line(port)
    environment = {**os.environ, **ONE_THREAD, "MODEL_FOLDER": str(folder), "PYTHONPATH": str(HERE.parents[1])}
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
    """What wrk says.

    Raises:
        SystemExit: the measurement is void: a status of 400 or more, a broken connection, a timeout, or no answer.
    """
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "--latency", "--timeout", "30s", "-s", str(HERE / "post.lua")]
    said = subprocess.run([*command, url, "--", str(bodies)], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"void: {url}\n{said}")
    milli = {"us": 1e-3, "ms": 1.0, "s": 1e3}

    def percentile(which: str) -> float:
        number, unit = re.search(rf"{which}%\s+([\d.]+)(us|ms|s)", said).groups()  # type: ignore[union-attr]
        return float(number) * milli[unit]

    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])  # type: ignore[index]
    if rate == 0:
        raise SystemExit(f"void: {url}\n{said}")
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
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--floors", nargs="+", help="rows by hand: these, and what is compared with them")
    parser.add_argument("--only", nargs="+", help="names of rows")
    asked = parser.parse_args()
    before = os.getloadavg()[0]
    rounds: results.Rounds = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        known = servers(folder)
        chosen = _chosen(known, asked)
        models = dict.fromkeys(server.model for server in chosen.values())
        command = [sys.executable, "-m", "benchmarks.serving.model", name, *models]
        subprocess.run(command, check=True, cwd=HERE.parents[1])
        for number in range(asked.rounds):
            for one, server in chosen.items():
                rounds.setdefault(one, []).append(_round(one, server, folder, asked.seconds))
                told = ", ".join(f"{key} {value:.2f}" for key, value in rounds[one][-1].items())
                print(f"round {number + 1}: {one}: {told}", file=sys.stderr)
    print("\n".join(results.lines(rounds, known)))
    print(results.unscored(rounds, known))
    print(json.dumps(results.targets(rounds, known), indent=2))
    floors = {server.floor for server in chosen.values()}
    whole = all(name in chosen for name, server in known.items() if server.floor in floors)
    if not whole or asked.rounds < ROUNDS or asked.seconds < SECONDS or before > QUIET_LOAD:
        told = f"only of whole floors, at full length, at a load of at most {QUIET_LOAD}; it was {before:.1f}"
        print(f"no results are written: {told}", file=sys.stderr)
        return
    kept = results.kept()
    kept["rounds"] = kept.get("rounds", {}) | rounds
    kept["loads"] = kept.get("loads", {}) | dict.fromkeys(sorted(floors), before)
    results.write(kept, known)


def _chosen(known: dict[str, Server], asked: argparse.Namespace) -> dict[str, Server]:
    """By name.

    Raises:
        SystemExit: a name that there is not.
    """
    floors = {server.floor for server in known.values()}
    for given, there in ((asked.only or (), set(known)), (asked.floors or (), floors)):
        if unknown := set(given) - there:
            raise SystemExit(f"{', '.join(sorted(unknown))}: there is only {'; '.join(sorted(there))}")
    return {
        name: server
        for name, server in known.items()
        if (not asked.only or name in asked.only)
        and (not asked.floors or server.floor in asked.floors)
        and not (asked.no_peers and server.peer)
    }


def _round(name: str, server: Server, folder: Path, seconds: int) -> dict[str, float]:
    bodies = folder / server.bodies
    with running(name, server, folder) as (url, start_s, pid):
        check(name, server, url, folder)
        load(url, bodies, 2)
        found = load(url, bodies, seconds) | {"start_s": start_s, "mib": largest_mib(pid)}
        check(name, server, url, folder)
        return found | unscored(server, url)


if __name__ == "__main__":
    main()
