"""Durable steps beside Prefect and ZenML: what a step costs when it does nothing.

    python -m benchmarks.steps.run [--rounds 5] [--steps 100]

The job: a pipeline of 100 steps, one after the other, each adding one to the number of the step before; run once
(cold), then again as a new run (all steps from the cache). Times are of the call alone: imports, start of the
library or its server, and one warm-up run of two steps come before the clock starts. The systems take turns, each
round in a new process and an empty folder, so that what else the machine does hits all of them. The best round is
compared, since other work only adds; the median is shown beside it. Each job checks that cold steps ran and cached
steps did not. All on this machine, on SQLite, telemetry off. Shared machine: as root, `nice -n -15`.

Each peer has a virtual environment of its own, made on the first use, and is set up as its documentation
sets up a local installation, with everything switched off that costs time and that the job does not need:
see `job_prefect.py` and `job_zenml.py`. What is compared is not equal in kind: a Trimtab step is on disk
when its call returns; Prefect's results are too, its task states reach the server a little later; ZenML
writes each step's artefact and its state through its own layer, and compiles the pipeline first.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.peers import peer_python

HERE = Path(__file__).parent

# Prefect 3.8 and 3.9 do not start with the newest FastAPI.
PEERS = {"prefect": ["prefect>=3.8,<4", "fastapi<0.140"], "zenml": ["zenml[local]>=0.98,<0.99"]}

QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "ZENML_ANALYTICS_OPT_IN": "false",
    "ZENML_LOGGING_VERBOSITY": "ERROR",
}


_README = """# Durable steps beside Prefect and ZenML

Made by `python -m benchmarks.steps.run`, whose docstring says what is measured and how; all times are in
`results.json`. A pipeline of {steps} steps that do nothing, one after the other, cold and then from the cache.
Best of {rounds} rounds (median); ratios are of best rounds. {cpus} CPUs, Python {python}; a load above 1
before a round means that others were at work on the machine.

{table}
"""


@dataclass(frozen=True)
class Measured:
    """One system's figures, in the order of the rounds."""

    name: str
    version: str
    start_s: list[float] = field(default_factory=list)  # to the end of the warm-up run, imports aside
    cold_s: list[float] = field(default_factory=list)  # all steps run
    cached_s: list[float] = field(default_factory=list)  # all steps from the cache
    load: list[float] = field(default_factory=list)  # of the machine in the minute before


def version(python: str, package: str) -> str:
    if python == sys.executable:
        return importlib.metadata.version(package)
    code = f"import importlib.metadata as m; print(m.version('{package}'))"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def measure(system: Measured, python: str, steps: int) -> None:
    """One round of one system: its job in a process and an empty folder of its own."""
    name = system.name
    system.load.append(os.getloadavg()[0])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        env = (
            os.environ
            | QUIET
            | {
                "PREFECT_HOME": f"{folder}/prefect",
                "ZENML_CONFIG_PATH": f"{folder}/zenml",
                "ZENML_LOCAL_STORES_PATH": f"{folder}/stores",
            }
        )
        done = subprocess.run(
            [python, str(HERE / f"job_{name}.py"), folder, str(steps)],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    figures = json.loads(next(line for line in reversed(done.stdout.splitlines()) if line.startswith("{")))
    system.start_s.append(figures["start_s"])
    system.cold_s.append(figures["cold"])
    system.cached_s.append(figures["cached"])


def table(found: list[Measured], steps: int) -> str:
    """The figures as a Markdown table: best round (median round); ratios of best rounds, to the first row."""
    lines = [
        "| system | a step cold, ms | a step cached, ms | cold, × | cached, × | start, s | load before |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    for each in found:
        shown = [
            f"{1000 * min(times) / steps:.1f} ({1000 * statistics.median(times) / steps:.1f})"
            for times in (each.cold_s, each.cached_s)
        ]
        ratios = [
            f"{min(times) / min(own):.1f}"
            for times, own in ((each.cold_s, found[0].cold_s), (each.cached_s, found[0].cached_s))
        ]
        cells = [
            f"{each.name} {each.version}",
            *shown,
            *ratios,
            f"{min(each.start_s):.1f}",
            f"{statistics.median(each.load):.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Durable steps beside Prefect and ZenML.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--only", choices=["trimtab", *PEERS], help="measure one system, write no results")
    asked = parser.parse_args()
    names = [asked.only] if asked.only else ["trimtab", *PEERS]
    pythons = {name: sys.executable if name == "trimtab" else peer_python(name, PEERS[name]) for name in names}
    found = [Measured(name, version(python, name)) for name, python in pythons.items()]
    for number in range(asked.rounds):
        for each in found:
            measure(each, pythons[each.name], asked.steps)
            print(f"round {number + 1}: {each}", file=sys.stderr)
    print(table(found, asked.steps))
    if asked.only:
        return
    own = found[0]
    results = {
        "steps": asked.steps,
        "rounds": asked.rounds,
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "systems": [asdict(each) for each in found],
        "targets": {
            "step_at_most_5_ms": min(own.cold_s) / asked.steps <= 0.005,
            "hundred_cached_under_1_s": min(own.cached_s) * 100 / asked.steps < 1.0,
        },
    }
    (HERE / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    (HERE / "README.md").write_text(_README.format(table=table(found, asked.steps), **results))


if __name__ == "__main__":
    main()
