"""Ray Serve with one replica. FOLDER PORT"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import ray  # type: ignore[import-not-found,unused-ignore]
from ray import serve  # type: ignore[import-not-found,unused-ignore]
from starlette.requests import Request

NAMES = [f"f{number}" for number in range(20)]


@serve.deployment(num_replicas=1, max_ongoing_requests=100)
class Scorer:
    def __init__(self, folder: str) -> None:
        self.booster: Any = lightgbm.Booster(model_file=str(Path(folder) / "model.txt"))

    async def __call__(self, request: Request) -> dict[str, Any]:
        rows = (await request.json())["instances"]
        matrix = np.array([[row[name] for name in NAMES] for row in rows])
        return {"predictions": self.booster.predict(matrix, num_threads=1).tolist()}


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
    serve.run(Scorer.bind(sys.argv[1]), route_prefix="/predict")  # type: ignore[attr-defined,unused-ignore]
    signal.pause()
