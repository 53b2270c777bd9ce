"""The floor: a raw ASGI application as one writes it by hand, which only answers. FOLDER PORT [MODEL]

MODEL is lightgbm, or an estimator of scikit-learn's, forest or logistic: these are asked by `predict_proba` on one
job, without the checks that scikit-learn lets one turn off.
"""

from __future__ import annotations

import gc
import os
import pickle
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import uvicorn

NAMES = [f"f{number}" for number in range(20)]


class Request(msgspec.Struct):
    instances: list[dict[str, Any]]


decode = msgspec.json.Decoder(Request).decode
encode = msgspec.json.Encoder().encode


def loaded(folder: str, model: str) -> Callable[[Any], Any]:
    """What gives the scores of a matrix; only what it needs is imported."""
    if model == "lightgbm":
        import lightgbm  # noqa: PLC0415

        booster: Any = lightgbm.Booster(model_file=os.path.join(folder, "model.txt"))
        return lambda matrix: booster.predict(matrix, num_threads=1)
    import sklearn  # noqa: PLC0415

    sklearn.set_config(assume_finite=True, skip_parameter_validation=True)
    with open(os.path.join(folder, f"{model}.pickle"), "rb") as file:
        estimator: Any = pickle.load(file)
    assert getattr(estimator, "n_jobs", None) in (1, None), "threads cost a single row more than they gain"
    return lambda matrix: estimator.predict_proba(matrix)[:, 1]


scores = loaded(sys.argv[1], sys.argv[3] if len(sys.argv) > 3 else "lightgbm")


async def app(_scope: Any, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    rows = decode(body).instances
    matrix = np.array([[row[name] for name in NAMES] for row in rows])
    answer = encode({"predictions": scores(matrix).tolist()})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


if __name__ == "__main__":
    gc.collect()
    gc.freeze()
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[2]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="critical",
        server_header=False,
    )
