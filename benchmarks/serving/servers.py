"""What is measured: each system as it is started, what it is asked, and what it is compared with."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import peer_python

HERE = Path(__file__).parent
PREDICT = "/v1/systems/bench/predict"
MODELS = {"lightgbm": "", "forest": ", random forest", "logistic": ", logistic regression"}  # as rows are named


@dataclass(frozen=True)
class Server:
    """PORT in a command stands for the port; a peer's begins behind the interpreter of its own environment."""

    command: Sequence[str]
    path: str
    bodies: str  # file
    model: str = "lightgbm"
    floor: str = "by hand"  # the row that it is compared with, measured in the same run
    peer: tuple[str, tuple[str, ...]] | None = None  # name and requirements of its environment

    def command_line(self, port: int) -> list[str]:
        """A peer's environment is made if it is not there."""
        python = sys.executable if self.peer is None else peer_python(*self.peer)
        return [python, *(str(port) if one == "PORT" else one for one in self.command)]


def servers(folder: Path) -> dict[str, Server]:
    """All of them by name, in the order of the table."""
    found = {
        "by hand": _by_hand(folder, "rows_1.jsonl", "by hand"),
        "trimtab": _trimtab(folder),
        "trimtab, views": _trimtab(folder, kind="views", bodies="keys_1.jsonl"),
        "trimtab, fsync": _trimtab(folder, mode="fsync"),
        "trimtab, 2 workers": _trimtab(folder, workers=2),
        **_peers(folder),
    }
    for model, named in MODELS.items():
        for bodies, rows in (("rows_1.jsonl", ""), ("rows_100.jsonl", ", 100 rows")):
            floor = f"by hand{named}{rows}"
            if floor not in found:
                found[floor] = _by_hand(folder, bodies, floor, model)
                found[f"trimtab{named}{rows}"] = _trimtab(folder, model, bodies=bodies, floor=floor)
    return found


def _by_hand(folder: Path, bodies: str, floor: str, model: str = "lightgbm") -> Server:
    return Server([str(HERE / "by_hand.py"), str(folder), "PORT", model], "/", bodies, model, floor)


def _trimtab(
    folder: Path,
    model: str = "lightgbm",
    *,
    kind: str = "fields",
    mode: str = "write",
    bodies: str = "rows_1.jsonl",
    workers: int = 1,
    floor: str = "by hand",
) -> Server:
    command = ["-m", "benchmarks.serving.by_trimtab", str(folder), "PORT", model, kind, mode, str(workers)]
    return Server(command, PREDICT, bodies, model, floor)


def _peers(folder: Path) -> dict[str, Server]:
    def peer(name: str, *requirements: str, path: str = "/predict", bodies: str = "rows_1.jsonl") -> Server:
        command = [str(HERE / f"by_{name}.py"), str(folder), "PORT"]
        if name == "bentoml":
            command = ["-m", "bentoml", "serve", "by_bentoml:Scorer", "--working-dir", str(HERE), "--port", "PORT"]
        return Server(command, path, bodies, peer=(name, requirements))

    return {
        "FastAPI": peer("fastapi", "fastapi", "uvicorn[standard]", "lightgbm", "numpy"),
        "LitServe": peer("litserve", "litserve", "lightgbm", "numpy"),
        "BentoML": peer("bentoml", "bentoml>=1.4", "lightgbm", "numpy"),
        "Ray Serve": peer("ray", "ray[serve]", "lightgbm", "numpy"),
        "MLflow": peer(
            "mlflow",
            "mlflow>=3.17,<4",
            "lightgbm",
            "pandas",
            path="/invocations",
            bodies="records_1.jsonl",
        ),
    }
