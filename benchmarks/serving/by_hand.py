"""The floor: a raw ASGI application as one writes it by hand, which only answers."""

from __future__ import annotations

import gc
import os
import sys
from typing import Any

import lightgbm
import msgspec
import numpy as np
import uvicorn

NAMES = [f"f{number}" for number in range(20)]


class Request(msgspec.Struct):
    instances: list[dict[str, Any]]


decode = msgspec.json.Decoder(Request).decode
encode = msgspec.json.Encoder().encode
booster: Any = lightgbm.Booster(model_file=os.path.join(sys.argv[1], "model.txt"))


async def app(_scope: Any, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    rows = decode(body).instances
    matrix = np.array([[row[name] for name in NAMES] for row in rows])
    answer = encode({"predictions": booster.predict(matrix, num_threads=1).tolist()})
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
