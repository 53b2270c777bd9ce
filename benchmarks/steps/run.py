"""Durable steps beside Prefect and ZenML: what a step costs when it does nothing.

    python benchmarks/steps/run.py [--rounds 5] [--steps 100]

The job: a pipeline of 100 steps, one after the other, each adding one to the number of the step before. Each
round runs it with numbers that were never seen (cold), then again as a new run (all steps from the cache).
The best of the rounds counts, since other work on the machine only adds. It is the time of the call alone:
imports, start of the library or its server, and one warm-up run of two steps come before the clock starts.
All on this machine, on SQLite, telemetry off. On a machine that is shared, run it as root under `nice -n -15`.

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
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).parent
VENVS = HERE.parent / ".venvs"

# Prefect 3.8 and 3.9 do not start with the newest FastAPI.
PEERS = {"prefect": ["prefect>=3.8,<4", "fastapi<0.140"], "zenml": ["zenml[local]>=0.98,<0.99"]}

QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "ZENML_ANALYTICS_OPT_IN": "false",
    "ZENML_LOGGING_VERBOSITY": "ERROR",
}


@dataclass(frozen=True)
class Measured:
    """One system's figures."""

    name: str
    version: str
    start_s: float  # from nothing to the end of the warm-up run, imports aside
    cold_s: float  # all steps run
    cached_s: float  # all steps from the cache
    step_ms: float  # cold_s for each step
    load: float  # of the machine in the minute before; above 1, others were at work and figures are too high


def peer_python(name: str) -> str:
    """The interpreter of a peer's virtual environment, which is made if it is not there."""
    folder = VENVS / name
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        print(f"installing {' '.join(PEERS[name])} …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PEERS[name]], check=True)
        (folder / "ready").touch()
    return str(python)


def version(python: str, package: str) -> str:
    if python == sys.executable:
        return importlib.metadata.version(package)
    code = f"import importlib.metadata as m; print(m.version('{package}'))"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def measured(name: str, python: str, steps: int, rounds: int) -> Measured:
    """Run one system's job in a process and an empty folder of its own."""
    load = os.getloadavg()[0]
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
            [python, str(HERE / f"job_{name}.py"), folder, str(steps), str(rounds)],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    figures = json.loads(next(line for line in reversed(done.stdout.splitlines()) if line.startswith("{")))
    cold_s = figures["cold"]
    return Measured(
        name, version(python, name), figures["start_s"], cold_s, figures["cached"], 1000 * cold_s / steps, load
    )


def table(found: list[Measured]) -> str:
    """The figures as a Markdown table; ratios are to the first row."""
    own = found[0]
    lines = [
        "| system | start, s | a step, ms | all cold, s | all cached, s | cold, × | cached, × | load before |",
        "| --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for each in found:
        ratios = f"{each.cold_s / own.cold_s:.1f} | {each.cached_s / own.cached_s:.1f}"
        lines.append(
            f"| {each.name} {each.version} | {each.start_s:.2f} | {each.step_ms:.1f} | {each.cold_s:.2f} "
            f"| {each.cached_s:.2f} | {ratios} | {each.load:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Durable steps beside Prefect and ZenML.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--only", choices=["trimtab", *PEERS], help="measure one system, write no results")
    asked = parser.parse_args()
    names = [asked.only] if asked.only else ["trimtab", *PEERS]
    found = []
    for name in names:
        python = sys.executable if name == "trimtab" else peer_python(name)
        found.append(measured(name, python, asked.steps, asked.rounds))
        print(f"{name}: {found[-1]}", file=sys.stderr)
    print(table(found))
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
            "step_ms_at_most_5": own.step_ms <= 5.0,
            "hundred_cached_under_1_s": own.cached_s * 100 / asked.steps < 1.0,
        },
    }
    (HERE / "results.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
