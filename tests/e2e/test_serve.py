"""`trimtab serve`: a model of MLflow's that exists already, asked, replaced by a newer one, and rolled back to."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
from tests.e2e.living import Living, environment, trimtab

from trimtab.cli.session import session

NAMES = ["age", "income", "score"]
ROW = {"age": 0.3, "income": None, "score": -1.25}


def booster(trees: int) -> lightgbm.Booster:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    settings = {"objective": "binary", "verbose": -1, "num_threads": 1, "deterministic": True}
    y = x[:, 0] + rng.normal(size=400) > 0
    return lightgbm.train(settings, lightgbm.Dataset(x, y, feature_name=NAMES), trees)


def saved(model: lightgbm.Booster, folder: Path) -> Path:
    """As MLflow saves it, with signature and example."""
    import mlflow.lightgbm  # noqa: PLC0415
    import pandas  # noqa: PLC0415
    from mlflow.models import infer_signature  # noqa: PLC0415

    example = pandas.DataFrame(np.random.default_rng(1).normal(size=(30, 3)), columns=NAMES)
    signature = infer_signature(example, model.predict(example))
    mlflow.lightgbm.save_model(
        model, folder, signature=signature, input_example=example, pip_requirements=["lightgbm"]
    )
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, lightgbm.Booster]:
    found = {}
    for name, trees in (("first", 5), ("second", 9)):
        model = booster(trees)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found[str(saved(model, tmp_path_factory.mktemp("models") / name))] = model
    return found


class Served:
    """The running server."""

    def __init__(self, place: Path, model: str) -> None:
        self.folder = place / "served" / "churn"
        command = trimtab("serve", model, "--name", "churn", "--port", "0", "--every", "1h")
        self.living = Living(command, place / "serve", cwd=place)
        assert self.living.reaches("/metrics"), self.living.said()
        found = re.search(r"http://127.0.0.1:(\d+)/readyz", self.living.said())
        assert found is not None, self.living.said()
        self.address = f"http://127.0.0.1:{found[1]}"

    def post(self, path: str, body: Any) -> Any:
        request = urllib.request.Request(
            self.address + path, json.dumps(body).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def ask(self) -> Any:
        [answer] = self.post("/v1/systems/churn/predict", {"instances": [ROW]})["predictions"]
        return answer


@pytest.fixture
def served(models: dict[str, lightgbm.Booster], tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path, next(iter(models)))
    yield served
    if served.living.process.poll() is None:
        served.living.process.send_signal(signal.SIGTERM)
        served.living.process.wait(timeout=30)


def said(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        trimtab(*arguments),
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_model_is_served_replaced_and_rolled_back_to(
    served: Served, models: dict[str, lightgbm.Booster], tmp_path: Path
) -> None:
    (first, model), (second, newer) = models.items()
    told = served.living.said()
    assert "lightgbm-text" in told and "fast, proved on its input example" in told
    row = np.array([[np.nan if ROW[name] is None else ROW[name] for name in NAMES]], dtype=np.float64)
    expected, later = (float(one.predict(row)[0]) for one in (model, newer))
    assert expected != later
    answer = served.ask()
    assert answer["score"] == expected and answer["key"]
    assert served.ask()["key"] != answer["key"], "rows without a name get one each"
    split = {"dataframe_split": {"columns": NAMES, "data": [[ROW[name] for name in NAMES]] * 2}}
    assert served.post("/invocations", split)["predictions"] == [expected] * 2
    assert "the server that runs already answers with it" in said(tmp_path, "serve", second, "--name", "churn")
    assert served.ask()["score"] == later
    assert "rollback" in said(served.folder, "rollback")
    assert served.ask()["score"] == expected
    feedback = {"feedback": [{"id": answer["id"], "label": 1}]}
    assert served.post("/v1/feedback", feedback)["accepted"] == 1
    explained = said(served.folder, "explain", answer["id"])
    assert first in explained and "fast  equal to the plain one on 30 real rows" in explained
    assert "churn" in said(served.folder, "status")
    served.living.process.send_signal(signal.SIGTERM)
    assert served.living.process.wait(timeout=60) == 0
    with session(folder=served.folder) as open_:
        found = open_.house.log.find(answer["id"])
        assert (found.key, found.score, tuple(found.features)) == (answer["key"], expected, tuple(ROW.values()))
        assert len(open_.house.releases.been_in_production("churn")) == 2
    logs = "".join(path.read_text() for path in (served.folder / ".trimtab" / "logs").glob("*.log"))
    assert "plain path" not in logs, "the proof holds in the worker"
