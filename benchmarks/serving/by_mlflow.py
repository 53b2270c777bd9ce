"""`mlflow models serve` with one worker, from a model that is logged here. FOLDER PORT"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import lightgbm
import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature

NAMES = [f"f{number}" for number in range(20)]


def main(folder: Path, port: str) -> None:
    model = folder / "mlflow-model"
    if not model.exists():
        booster = lightgbm.Booster(model_file=str(folder / "model.txt"))
        example = pd.DataFrame(np.zeros((2, 20)), columns=NAMES)
        mlflow.lightgbm.save_model(booster, model, signature=infer_signature(example, np.zeros(2)))
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model), "--env-manager", "local"]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    os.execve(sys.executable, [*command, "-h", "127.0.0.1", "-p", port, "--workers", "1"], environment)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
