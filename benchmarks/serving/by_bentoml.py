"""A BentoML service with one worker. The folder is in MODEL_FOLDER."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bentoml  # type: ignore[import-not-found,unused-ignore]
import lightgbm
import numpy as np

NAMES = [f"f{number}" for number in range(20)]


@bentoml.service(workers=1, traffic={"timeout": 60}, logging={"access": {"enabled": False}})
class Scorer:
    def __init__(self) -> None:
        self.booster: Any = lightgbm.Booster(model_file=str(Path(os.environ["MODEL_FOLDER"]) / "model.txt"))

    @bentoml.api  # type: ignore[untyped-decorator,unused-ignore]
    def predict(self, instances: list[dict[str, Any]]) -> list[float]:
        matrix = np.array([[row[name] for name in NAMES] for row in instances])
        answer: list[float] = self.booster.predict(matrix, num_threads=1).tolist()
        return answer
