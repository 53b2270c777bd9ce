"""What a training function may return, and that a process with another view of the project can answer with it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from tests.adapters.kept_models import matrix, truth
from tests.e2e.tiny import world

from trimtab.kernel.errors import InvalidValue, Refused
from trimtab.kernel.feature_schema import Feature
from trimtab.project import open_project
from trimtab.training.training_data import TrainingData
from trimtab.wiring.house import open_house
from trimtab.wiring.models import MODELS
from trimtab.wiring.stores import Stores

X = matrix(400, holes=False)
DATA = TrainingData(X, truth(X), tuple(Feature(f"order.f{place}") for place in range(4)), 0)

OWN = """
import helper
from dataclasses import dataclass
import numpy

@dataclass
class Mine:
    threshold: float
    def predict(self, matrix):
        return helper.weigh(matrix[:, 0]) > self.threshold

def fit(data):
    return Mine(0.5)
"""
LINEAR = """
def fit(data):
    from sklearn.linear_model import LogisticRegression
    return LogisticRegression(max_iter=500).fit(data.x, data.y)
"""
LOAD = """
import sys, numpy
from trimtab.wiring.models import MODELS
data = open(sys.argv[1], "rb").read()
print(MODELS.of(data).load(data).predict(numpy.array([[0.3, 0, 0, 0], [0.1, 0, 0, 0]])).tolist())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("system.py", "trimtab.toml"):
        shutil.copyfile(Path(world.__file__).with_name(name), tmp_path / name)
    world.write(tmp_path / "data")
    return tmp_path


def declare(folder: Path, fit: str, allowed: str = "") -> None:
    """The system with another training function."""
    text = (folder / "system.py").read_text()
    before, after = text.index("def fit("), text.index("tiny = tt.System(")
    text = text[:before] + fit + "\n\n" + text[after:].replace("    train=fit,", f"    train=fit,\n{allowed}")
    (folder / "system.py").write_text(text)


def fitted(folder: Path) -> bytes:
    with closing(Stores(open_project(folder))) as stores:
        return open_house(stores).workshop().fit(DATA)


def test_a_linear_model_is_stored_judged_and_proved(folder: Path) -> None:
    declare(folder, LINEAR)
    with closing(Stores(open_project(folder))) as stores:
        shop = open_house(stores).workshop()
        model = shop.fit(DATA)
        assert shop.model_format(model).name == "sklearn-skops"
        proof = shop.prove(model, X)
        assert proof["fast"] is True and proof["tolerance"] == 1e-12 and proof["rows"] == 400
        fast = MODELS.of(model).fast(model)
        assert shop.predict(model, X).tobytes() == fast.predict(X).tobytes()  # type: ignore[union-attr]
        np.testing.assert_allclose(shop.predict(model, X), MODELS.of(model).load(model).predict(X), rtol=1e-12)


def test_an_object_of_the_projects_own_is_stored_only_where_that_is_allowed(folder: Path, tmp_path: Path) -> None:
    (folder / "helper.py").write_text("def weigh(values):\n    return values * 2\n")
    declare(folder, OWN)
    with pytest.raises(InvalidValue) as refused:
        fitted(folder)
    assert refused.value.got == "'Mine'" and "allow_formats=['pickle']" in refused.value.do
    assert refused.value.where.startswith("system.py:")
    (tmp_path / "kept").mkdir()
    shutil.copytree(folder / "data", tmp_path / "kept" / "data")
    declare(folder, OWN, '    allow_formats=["pickle"],\n')
    model = fitted(folder)
    (tmp_path / "model").write_bytes(model)
    # Another process, elsewhere: the project's modules are not there under any name.
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(tmp_path / "model")],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "[1.0, 0.0]"


def test_a_model_that_runs_code_is_judged_only_where_that_is_allowed(folder: Path) -> None:
    with closing(Stores(open_project(folder))) as stores:
        shop = open_house(stores).workshop()
        pickled = MODELS.store(np.sum, ("pickle",), where="")
        for ask in (shop.predict, shop.prove):
            with pytest.raises(Refused, match="its format 'pickle' runs code when it is loaded"):
                ask(pickled, X)
