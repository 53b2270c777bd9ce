"""The models of the benchmark, and the requests that are sent to them. FOLDER MODEL..., of `kept.FILES`

Each is trained on the same 20,000 rows of 20 features, and kept as the others take it (`model.txt`, `*.pickle`) and
as Trimtab keeps it, with the proof that its fast path is the plain path's equal on the rows that are sent.
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any, TypeAlias

import lightgbm
import numpy as np
from benchmarks.serving.kept import FILES, FORMATS, MODELS, NAMES
from numpy.typing import NDArray

Matrix: TypeAlias = "NDArray[np.float64]"

TREES, FOREST_TREES, BODIES = 200, 100, 2_000


def main(folder: Path, models: list[str]) -> None:
    """Models; each row's scores; request bodies, one a line: `rows_1`, `rows_100`, `keys_1`, `records_1.jsonl`."""
    chance = np.random.default_rng(0)
    matrix = chance.normal(size=(20_000, len(NAMES)))
    label = (matrix[:, 0] * matrix[:, 1] + matrix[:, 2:8].sum(axis=1) + chance.normal(size=20_000) > 0).astype(int)
    sent = matrix[:BODIES].round(6)
    for name in models:
        data, scores = {"lightgbm": _booster, "forest": _forest, "logistic": _logistic}[name](
            folder, matrix, label, sent
        )
        (folder / FILES[name]).write_bytes(data)
        (folder / f"proof_{name}.json").write_text(json.dumps(MODELS.prove(data, sent)))
        (folder / f"scores_{name}.json").write_text(json.dumps(scores.tolist()))
    rows = [{"key": f"k{n}", **dict(zip(NAMES, map(float, sent[n]), strict=True))} for n in range(BODIES)]
    _write(folder / "rows_1.jsonl", [[row] for row in rows])
    _write(folder / "rows_100.jsonl", [rows[n : n + 100] for n in range(0, BODIES, 100)])
    _write(folder / "keys_1.jsonl", [[{"key": row["key"]}] for row in rows])
    features = [{name: row[name] for name in NAMES} for row in rows]
    _write(folder / "records_1.jsonl", [[row] for row in features], under="dataframe_records")


def _booster(folder: Path, matrix: Matrix, label: Any, sent: Matrix) -> tuple[bytes, Matrix]:
    settings = {"objective": "binary", "num_leaves": 31, "verbose": -1, "num_threads": 2, "seed": 1}
    model: Any = lightgbm.train(settings, lightgbm.Dataset(matrix, label), num_boost_round=TREES)
    model.save_model(folder / "model.txt")
    return (folder / "model.txt").read_bytes(), model.predict(sent, num_threads=1)


def _forest(folder: Path, matrix: Matrix, label: Any, sent: Matrix) -> tuple[bytes, Matrix]:
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 - most runs need none

    model = RandomForestClassifier(n_estimators=FOREST_TREES, random_state=1, n_jobs=2)
    return _estimator(folder / "forest.pickle", model.fit(matrix, label), sent)


def _logistic(folder: Path, matrix: Matrix, label: Any, sent: Matrix) -> tuple[bytes, Matrix]:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    return _estimator(folder / "logistic.pickle", LogisticRegression().fit(matrix, label), sent)


def _estimator(path: Path, model: Any, sent: Matrix) -> tuple[bytes, Matrix]:
    if "n_jobs" in model.get_params():
        model.set_params(n_jobs=1)
    path.write_bytes(pickle.dumps(model))
    return FORMATS["forest"].dump(model), model.predict_proba(sent)[:, 1]


def _write(path: Path, requests: list[list[dict[str, object]]], under: str = "instances") -> None:
    path.write_text("".join(json.dumps({under: rows}) + "\n" for rows in requests))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
