"""`results.json` and the table of `README.md`: by floor, so that one can be measured again without the others."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.serving.servers import Server

Rounds: TypeAlias = "dict[str, list[dict[str, float]]]"

HERE = Path(__file__).parent
TARGETS = {  # row → the least that it must reach of its floor's throughput
    "trimtab": 1.3,
    "trimtab, views": 1.1,
    "trimtab, fsync": 0.7,
    "trimtab, 100 rows": 0.9,
    "trimtab, random forest": 1.3,
    "trimtab, random forest, 100 rows": 0.9,
    "trimtab, logistic regression": 1.3,
    "trimtab, logistic regression, 100 rows": 0.9,
}
BEHIND = {"FastAPI": 6, "BentoML": 25, "MLflow": 120}  # how many times as fast Trimtab must be

_README = """# Serving

Made by `python -m benchmarks.serving.run`, whose docstring says what is measured and how; all rounds are in
`results.json`. {cpus} CPUs, Python {python}. 16 connections. Rows are compared with the row by hand of their model
and size, measured in the same run.
Load of the machine before: {loads}.

| | requests/s | × by hand | p50, ms | p99, ms | MiB a worker | first answer after, s |
| --- | --: | --: | --: | --: | --: | --: |
{rows}
"""
_ROLLBACK = """
## Rollback under full load

Made by `python -m benchmarks.serving.rollback`, whose docstring says how. {repeats} times, {workers} workers,
{connections} connections. Load of the machine before: {load:.1f}.

| | median | worst |
| --- | --: | --: |
{rows}
"""


def machine() -> dict[str, Any]:
    """What must be the same for numbers to stand in one table."""
    return {"cpus": os.cpu_count(), "python": platform.python_version()}


def kept() -> dict[str, Any]:
    """What is written down.

    Raises:
        SystemExit: on another machine.
    """
    path = HERE / "results.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    there = {name: found[name] for name in machine() if name in found}
    if there and there != machine():
        raise SystemExit(f"{path} was measured on {there}, this is {machine()}: remove it, and measure all again")
    return found


def write(results: Mapping[str, Any], chosen: Mapping[str, Server]) -> None:
    """Both files."""
    rounds: Rounds = results["rounds"]
    met = targets(rounds, chosen)
    if "rollback" in results:
        worst = {key: max(one[key] for one in results["rollback"]["runs"]) for key in ROLLBACK}
        met["rollback: all workers within 1 s"] = max(worst["acknowledged_ms"], worst["last_bad_ms"]) < 1000
        met["rollback: no request fails"] = worst["failed"] == 0
        met["rollback: nothing by the bad release after that"] = worst["bad_after"] == 0
    results = {**machine(), **results, "targets": met}
    loads = ", ".join(f"{load:.1f} ({floor})" for floor, load in results["loads"].items())
    text = _README.format(**machine(), loads=loads, rows="\n".join(lines(rounds, chosen)))
    if missed := unscored(rounds, chosen):
        text += f"\n{missed}\n"
    if "rollback" in results:
        text += rollback_text(results["rollback"])
    (HERE / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    (HERE / "README.md").write_text(text)


def lines(rounds: Rounds, chosen: Mapping[str, Server]) -> list[str]:
    """Rows of the table: the median of each number over the rounds."""
    return [
        f"| {name} | {median(rounds[name], 'per_s'):,.0f} "
        f"| {_ratio(rounds, name, server.floor) if server.floor in rounds else float('nan'):.2f} "
        f"| {median(rounds[name], 'p50_ms'):.2f} | {median(rounds[name], 'p99_ms'):.2f} "
        f"| {median(rounds[name], 'mib'):.0f} | {median(rounds[name], 'start_s'):.1f} |"
        for name, server in chosen.items()
        if name in rounds
    ]


def unscored(rounds: Rounds, chosen: Mapping[str, Server]) -> str:
    """Where the champion had to answer in the canary's place, in words; "" if nowhere."""
    shares = {name: median(rounds[name], "unscored") for name in chosen if "unscored" in rounds.get(name, [{}])[0]}
    said = ", ".join(f"{share:.1%} ({name})" for name, share in shares.items() if share > 0)
    return said and f"Rows that the canary was to answer, and the champion did: {said}."


def targets(rounds: Rounds, chosen: Mapping[str, Server]) -> dict[str, bool]:
    """Which of them are met."""
    met: dict[str, bool] = {}
    for name, least in TARGETS.items():
        floor = chosen[name].floor
        if name in rounds and floor in rounds:
            met[f"{name}: at least {least} × {floor}"] = _ratio(rounds, name, floor) >= least
            met[f"{name}: p99 no higher"] = median(rounds[name], "p99_ms") <= median(rounds[floor], "p99_ms")
    for name, least in BEHIND.items():
        if name in rounds and "trimtab" in rounds:
            met[f"trimtab: at least {least} × {name}"] = _ratio(rounds, "trimtab", name) >= least
    return met


def rollback_text(rollback: Mapping[str, Any]) -> str:
    """The part about rollbacks."""
    runs = rollback["runs"]
    said = [
        f"| {told} | {median(runs, key):,.{digits}f} | {worst(one[key] for one in runs):,.{digits}f} |"
        for key, (told, digits, worst) in ROLLBACK.items()
    ]
    return _ROLLBACK.format(**{**rollback, "repeats": len(runs), "rows": "\n".join(said)})


ROLLBACK: dict[str, tuple[str, int, Any]] = {
    "acknowledged_ms": ("pointer move → all workers have acknowledged, ms", 1, max),
    "last_bad_ms": ("pointer move → the last answer of the bad release has come in, ms", 1, max),
    "command_ms": ("`trimtab rollback`, from its start to its end, ms", 0, max),
    "failed": ("failed requests", 0, max),
    "bad_after": ("answers of the bad release to requests sent after the acknowledgement", 0, max),
    "per_s_before": ("requests/s before", 0, min),
    "per_s_during": ("requests/s while the command runs", 0, min),
    "per_s_after": ("requests/s after", 0, min),
}


def median(rounds: Iterable[Mapping[str, float]], key: str) -> float:
    """Of one number over the rounds."""
    return statistics.median(one[key] for one in rounds)


def _ratio(rounds: Rounds, name: str, other: str) -> float:
    return median(rounds[name], "per_s") / median(rounds[other], "per_s")
