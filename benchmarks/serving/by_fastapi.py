"""FastAPI and pydantic, as their documentation shows it. FOLDER PORT"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, create_model

NAMES = [f"f{number}" for number in range(20)]
fields: dict[str, Any] = {"key": (str, ...), **dict.fromkeys(NAMES, (float, ...))}
Row = create_model("Row", **fields)


class Request(BaseModel):
    instances: list[Row]  # type: ignore[valid-type]


class Answer(BaseModel):
    predictions: list[float]


app = FastAPI()
booster: Any = lightgbm.Booster(model_file=str(Path(sys.argv[1]) / "model.txt"))


@app.post("/predict")
async def predict(request: Request) -> Answer:
    matrix = np.array([[getattr(row, name) for name in NAMES] for row in request.instances])
    return Answer(predictions=booster.predict(matrix, num_threads=1).tolist())


if __name__ == "__main__":
    gc.collect()
    gc.freeze()
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=False, log_level="critical")
