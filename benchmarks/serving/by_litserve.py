"""LitServe with one worker, batching off. FOLDER PORT"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import lightgbm
import litserve  # type: ignore[import-not-found,unused-ignore]
import numpy as np

NAMES = [f"f{number}" for number in range(20)]


class Scorer(litserve.LitAPI):  # type: ignore[misc,unused-ignore]
    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe's
        self.booster: Any = lightgbm.Booster(model_file=str(Path(sys.argv[1]) / "model.txt"))

    def decode_request(self, request):  # type: ignore[no-untyped-def]  # LitServe reads annotations
        return np.array([[row[name] for name in NAMES] for row in request["instances"]])

    def predict(self, matrix: Any) -> Any:
        return self.booster.predict(matrix, num_threads=1)

    def encode_response(self, output: Any) -> dict[str, Any]:
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Scorer(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1", port=int(sys.argv[2]), num_api_servers=1, log_level="critical", generate_client_file=False
    )
