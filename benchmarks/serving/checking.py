"""Whether a server's answers are right: asked before a measurement and after it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.serving.servers import PREDICT, Server

ASKED = 100  # bodies, spread over all that are sent
TOLERANCE = 1e-9


def check(name: str, server: Server, url: str, folder: Path) -> None:
    """End the benchmark unless each answer has status 200 and the model's own scores, in the order of the rows.

    Where a canary is on, both releases must have answered.
    """
    bodies = (folder / server.bodies).read_bytes().splitlines()
    scores = json.loads((folder / f"scores_{server.model}.json").read_text())
    rows = len(scores) // len(bodies)
    releases = set()
    for place in range(0, len(bodies), max(1, len(bodies) // ASKED)):
        status, answered = _asked(url, bodies[place])
        expected = scores[place * rows : (place + 1) * rows]
        found = _rows(answered) if status == 200 else []
        wrong = [one for one in zip(found, expected, strict=False) if not abs(_score(one[0]) - one[1]) <= TOLERANCE]
        if len(found) != rows or wrong:
            got = f"status {status}: {str(answered)[:300]}"
            raise SystemExit(f"void: {name} answers wrongly to body {place}: {got}; expected {expected[:3]}")
        releases |= {one["release"] for one in found if isinstance(one, dict)}
    if len(releases) == 1:
        raise SystemExit(f"void: {name} has a canary that answers nothing")


def unscored(server: Server, url: str) -> dict[str, float]:
    """Of Trimtab's rows, the share that the canary was to answer, and the champion did in its place."""
    if server.path != PREDICT:
        return {}
    with urllib.request.urlopen(url.removesuffix(PREDICT) + "/metrics", timeout=30) as response:
        lines = response.read().decode().splitlines()

    def total(family: str) -> float:
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{family}{{"))

    return {"unscored": total("trimtab_unscored_rows_total") / total("trimtab_rows_total")}


def _asked(url: str, body: bytes) -> tuple[int, Any]:
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def _rows(answered: Any) -> list[Any]:
    found = answered["predictions"] if isinstance(answered, dict) else answered
    return list(found)


def _score(row: Any) -> float:
    return float(row["score"] if isinstance(row, dict) else row)
