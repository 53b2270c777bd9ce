"""Models of every family, each with what its own library says to rows: what the formats' contract is tested on."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import xgboost
from numpy.typing import NDArray
from skl2onnx import to_onnx
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from trimtab.adapters.model_lightgbm import LightgbmText
from trimtab.adapters.model_onnx import OnnxFile
from trimtab.adapters.model_pickle import PickledObject
from trimtab.adapters.model_pyfunc import MlflowFolder
from trimtab.adapters.model_sklearn import SklearnSkops
from trimtab.adapters.model_xgboost import XgboostUbj
from trimtab.ports.predictor import ModelFormat

Matrix = NDArray[np.float64]
Says = Callable[[Matrix], Any]
LIGHTGBM, XGBOOST, SKLEARN, ONNX = LightgbmText(), XgboostUbj(), SklearnSkops(), OnnxFile()
PICKLE, PYFUNC = PickledObject(), MlflowFolder()
FORMATS: tuple[ModelFormat, ...] = (LIGHTGBM, XGBOOST, SKLEARN, ONNX, PYFUNC, PICKLE)
WIDTH = 4


def matrix(rows: int, seed: int = 0, *, holes: bool = True) -> Matrix:
    """Three numbers of different size, one category of 8, and holes."""
    rng = np.random.default_rng(seed)
    out = rng.normal(size=(rows, WIDTH)) * [1.0, 30.0, 0.001, 1.0]
    out[:, 3] = rng.integers(0, 8, rows)
    if holes:
        out[rng.random(out.shape) < 0.1] = np.nan
    return out


def truth(x: Matrix, seed: int = 1) -> Matrix:
    """Yes or no, by the first two columns and chance."""
    chance = np.random.default_rng(seed).normal(size=len(x))
    return (np.nan_to_num(x[:, 0]) + np.nan_to_num(x[:, 1]) / 30 + chance > 0).astype(float)


@dataclass(frozen=True)
class Kept:
    """One model: how it is stored, what its library says, and what it can do."""

    format: ModelFormat
    model: Any
    says: Says  # the library, to a matrix: it may differ between batches in the last bits
    fast: bool  # whether there is a fast path
    holes: bool  # whether it takes NaN
    within: float = 0.0  # how far the library's own batches may be from its rows


def times_two(asked: Matrix) -> Matrix:
    """A model that is a function."""
    return np.asarray(asked[:, 0] * 2.0)


def _lightgbm() -> Iterator[Kept]:
    x = matrix(3_000)
    settings = {"objective": "binary", "num_threads": 1, "deterministic": True, "verbose": -1, "seed": 0}
    booster = lightgbm.train(settings, lightgbm.Dataset(x, truth(x), categorical_feature=[3]), num_boost_round=30)
    yield Kept(LIGHTGBM, booster, lambda rows: booster.predict(rows, num_threads=1), fast=True, holes=True)


def _xgboost() -> Iterator[Kept]:
    x, later = matrix(3_000), matrix(500, seed=5)
    settings = {"objective": "binary:logistic", "nthread": 1, "max_depth": 4}
    booster = xgboost.train(settings, xgboost.DMatrix(x, truth(x)), 20)
    yield Kept(XGBOOST, booster, booster.inplace_predict, fast=True, holes=True)
    stopped = xgboost.XGBClassifier(n_estimators=200, early_stopping_rounds=3, n_jobs=1, learning_rate=1.0)
    stopped.fit(x, truth(x), eval_set=[(later, truth(later, seed=6))], verbose=False)
    assert stopped.best_iteration < stopped.get_booster().num_boosted_rounds() - 1
    yield Kept(XGBOOST, stopped, lambda rows: stopped.predict_proba(rows)[:, 1], fast=True, holes=True)


def _sklearn() -> Iterator[Kept]:
    x, full = matrix(1_000), matrix(1_000, holes=False)
    y, full_y = truth(x), truth(full)

    def of(model: Any, *, fast: bool, holes: bool, within: float = 0.0) -> Kept:
        model.fit(x if holes else full, y if holes else full_y)
        if hasattr(model, "predict_proba"):
            return Kept(SKLEARN, model, lambda rows: model.predict_proba(rows)[:, 1], fast, holes, within)
        return Kept(SKLEARN, model, model.predict, fast, holes, within)

    yield of(RandomForestClassifier(25, random_state=0), fast=True, holes=True)
    yield of(RandomForestClassifier(7, max_depth=3, random_state=0), fast=True, holes=False)
    yield of(ExtraTreesRegressor(9, random_state=0), fast=True, holes=False)
    yield of(GradientBoostingClassifier(n_estimators=5, random_state=0), fast=False, holes=False)
    yield of(
        HistGradientBoostingClassifier(max_iter=5, random_state=0, categorical_features=[3]), fast=False, holes=True
    )
    yield of(LogisticRegression(max_iter=1_000), fast=True, holes=False, within=1e-12)
    yield of(Ridge(), fast=True, holes=False, within=1e-12)
    piped = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
    yield of(piped, fast=True, holes=True, within=1e-12)
    forest = make_pipeline(SimpleImputer(), RandomForestClassifier(5, random_state=0))
    yield of(forest, fast=True, holes=True)
    calibrated = CalibratedClassifierCV(LogisticRegression(max_iter=1_000), cv=2)
    yield of(calibrated, fast=False, holes=False, within=1e-12)


def _onnx() -> Iterator[Kept]:
    x = matrix(1_000, holes=False)
    for model, single in (
        (LogisticRegression(max_iter=1_000), False),
        (RandomForestClassifier(9, random_state=0), True),
    ):
        model.fit(x, truth(x))
        example = x[:1].astype(np.float32) if single else x[:1]
        converted = to_onnx(model, example, options={id(model): {"zipmap": single}})
        yield Kept(ONNX, converted, _of_session(converted, example.dtype), False, False, 1e-6)


def _of_session(converted: Any, kind: Any) -> Says:
    import onnxruntime  # noqa: PLC0415 - as the test of another process counts on

    session = onnxruntime.InferenceSession(converted.SerializeToString())
    name = session.get_inputs()[0].name
    output = session.get_outputs()[1].name

    def says(rows: Matrix) -> Matrix:
        told = session.run([output], {name: rows.astype(kind)})[0]
        return np.array([one[1] for one in told])  # a row of an array, or a map from class to probability

    return says


def _objects() -> Iterator[Kept]:
    x = matrix(500, holes=False)
    model = LogisticRegression().fit(x, truth(x))
    yield Kept(PICKLE, model, lambda rows: model.predict_proba(rows)[:, 1], fast=False, holes=False, within=1e-12)
    yield Kept(PICKLE, times_two, times_two, fast=False, holes=True)


def pyfunc_folder(folder: Path) -> Path:
    """A LightGBM model as MLflow saves it."""
    import mlflow.lightgbm  # noqa: PLC0415 - it takes seconds
    import pandas  # noqa: PLC0415
    from mlflow.models import infer_signature  # noqa: PLC0415

    [kept] = _lightgbm()
    example = pandas.DataFrame(matrix(5), columns=[f"f{place}" for place in range(WIDTH)])
    signature = infer_signature(example, kept.says(matrix(5)))
    mlflow.lightgbm.save_model(kept.model, folder, signature=signature, pip_requirements=[])
    return folder


@cache
def kept_models() -> list[Kept]:
    """All of them, fitted once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [*_lightgbm(), *_xgboost(), *_sklearn(), *_onnx(), *_objects()]


@cache
def kept_pyfunc(folder: Path) -> Kept:
    """A model of MLflow's in a folder that is made once."""
    [kept] = _lightgbm()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Kept(PYFUNC, pyfunc_folder(folder), kept.says, fast=False, holes=True)
