"""What a canary costs when its records are compacted: the other release's score of each row. One thread.

    python -m benchmarks.serving.pairing

10,000 records of the benchmark's system, a tenth of them answered by the canary, are paired as a compaction pairs
them; the quickest of five times counts. This work is no part of what `benchmarks.serving.run` measures.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.serving.by_trimtab import releases
from benchmarks.serving.kept import FILES, MODELS, NAMES

from trimtab.kernel.canonical import Json
from trimtab.kernel.prediction import Prediction
from trimtab.kernel.prediction_id import prediction_id
from trimtab.kernel.route import Canary, Route
from trimtab.serving.pairing import Pairing
from trimtab.stats.encoding import Encoder

RECORDS = 10_000


class Scorer:
    """Implements RecordedScorer."""

    def __init__(self, folder: Path) -> None:
        self._releases = {one.digest: one for one in releases(folder, "lightgbm", "fields")}
        self._models = {
            digest: MODELS.open(one, (folder / FILES["lightgbm"]).read_bytes(), ()).predictor
            for digest, one in self._releases.items()
        }
        self.scoring_s = 0.0

    def definition(self, release: str) -> str:
        return self._releases[release].definition

    def score(self, release: str, rows: Sequence[Sequence[Json]]) -> list[float]:
        started_s = time.process_time()
        matrix = Encoder(self._releases[release].features).matrix(rows)
        scores: list[float] = self._models[release].predict(matrix).tolist()
        self.scoring_s += time.process_time() - started_s
        return scores


def records(folder: Path, route: Route) -> list[Prediction]:
    rows = [json.loads(line)["instances"][0] for line in (folder / "rows_1.jsonl").read_text().splitlines()]
    found = []
    for number in range(RECORDS):
        row = {**rows[number % len(rows)], "key": f"k{number}"}
        release = route.answering(row["key"], row)
        features = tuple(row[name] for name in NAMES)
        id = prediction_id(1_700_000_000_000, 0, 1, 600 * number)
        found.append(
            Prediction(id, "bench", release, 1, row["key"], 1_700_000_000_000_000, row, features, (), 0.5, (), 900)
        )
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-m", "benchmarks.serving.model", name, "lightgbm"], check=True)
        scorer = Scorer(folder)
        champion, canary = releases(folder, "lightgbm", "fields")
        route = Route("bench", champion.digest, (), 1, Canary(canary.digest, 1_000, "salt"))
        logged = records(folder, route)
    pairing = Pairing(scorer, {1: route}.get)
    times = []
    for _ in range(5):
        scorer.scoring_s, started_s = 0.0, time.process_time()
        paired = pairing(logged)
        times.append((time.process_time() - started_s, scorer.scoring_s))
        assert all(len(one.later) == 1 for one in paired.records)
    whole_s, scoring_s = min(times)
    print(f"{whole_s / RECORDS * 1e6:.1f} µs a record, of which the model {scoring_s / RECORDS * 1e6:.1f} µs")


if __name__ == "__main__":
    main()
