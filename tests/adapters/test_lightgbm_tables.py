"""Oracle: LightGBM itself, bit by bit; and of what the tables do not cover, that they say so."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from trimtab.adapters.lightgbm_native import NativeBooster
from trimtab.adapters.lightgbm_tables import batch_tables

COLUMNS = 6


def matrix(rows: int, seed: int, *, holes: float = 0.1) -> NDArray[np.float64]:
    chance = np.random.default_rng(seed)
    out = chance.normal(size=(rows, COLUMNS)).round(1)  # many rows lie on a threshold's side by a hair, or on zero
    out[chance.random(out.shape) < holes] = np.nan
    return out


def trained(*, holes: float = 0.1, trees: int = 25, columns: int = COLUMNS, **settings: Any) -> lightgbm.Booster:
    x = (
        matrix(2_000, 0, holes=holes)
        if columns == COLUMNS
        else np.random.default_rng(0).normal(size=(2_000, columns))
    )
    noise = np.random.default_rng(1).normal(size=len(x))
    y = np.nan_to_num(x).sum(axis=1) + noise
    objective = settings.get("objective", "regression")
    if objective in ("binary", "cross_entropy"):
        y = (y > 0).astype(float)
    elif objective in ("poisson", "gamma", "tweedie", "mape"):
        y = np.exp(y / 4)
    given = {"verbose": -1, "num_threads": 1, "deterministic": True, "min_data_in_leaf": 3, **settings}
    categorical = given.pop("categorical_feature", "auto")
    return lightgbm.train(given, lightgbm.Dataset(x, y, categorical_feature=categorical), num_boost_round=trees)


COVERED: dict[str, dict[str, Any]] = {
    "binary": {"objective": "binary"},
    "another sigmoid": {"objective": "binary", "sigmoid": 0.7},
    "regression": {"objective": "regression"},
    "absolute error": {"objective": "regression_l1"},
    "huber": {"objective": "huber"},
    "quantile": {"objective": "quantile", "alpha": 0.9},
    "percentage error": {"objective": "mape"},
    "no holes in training": {"objective": "binary", "holes": 0.0},
    "64 leaves": {"objective": "binary", "num_leaves": 64, "min_data_in_leaf": 1},
    "33 leaves": {"objective": "regression", "num_leaves": 33, "min_data_in_leaf": 1},
    "stumps": {"objective": "binary", "num_leaves": 2},
    "trees of one leaf": {"objective": "regression", "min_gain_to_split": 1e9},
    "dart": {"objective": "binary", "boosting": "dart"},
    "confident": {"objective": "binary", "learning_rate": 1.0, "trees": 60, "num_leaves": 60},
}
NOT_COVERED: dict[str, dict[str, Any]] = {
    "65 leaves": {"objective": "binary", "num_leaves": 65, "min_data_in_leaf": 1},
    "categories": {"objective": "binary", "categorical_feature": [0], "holes": 0.0},
    "zero is missing": {"objective": "binary", "zero_as_missing": True},
    "a mean of trees": {"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
    "linear leaves": {"objective": "regression", "linear_tree": True},
    "the root of the target": {"objective": "regression", "reg_sqrt": True},
    "an exponential": {"objective": "poisson"},
    "cross entropy": {"objective": "cross_entropy"},
    "very many columns": {"objective": "regression", "columns": 120, "trees": 60},
}


@pytest.mark.parametrize("settings", COVERED.values(), ids=COVERED)
def test_tables_say_what_lightgbm_says(settings: dict[str, Any]) -> None:
    booster = trained(**settings)
    tables = batch_tables(booster.model_to_string().encode())
    assert tables is not None
    x = matrix(600, 2, holes=0.2)
    x[:40] = np.random.default_rng(3).choice([0.0, -0.0, 1e-40, np.inf, -np.inf, 1e300, np.nan], size=(40, COLUMNS))
    whole = np.asarray(booster.predict(x, num_threads=1))
    assert tables.predict(x).tobytes() == whole.tobytes()
    for rows in (1, 5, 24, 25):  # of few rows all columns are looked up at once
        parts = [tables.predict(x[at : at + rows]) for at in range(0, 600, rows)]
        assert np.concatenate(parts).tobytes() == whole.tobytes()


@pytest.mark.parametrize("settings", NOT_COVERED.values(), ids=NOT_COVERED)
def test_what_tables_do_not_cover_the_library_answers(settings: dict[str, Any]) -> None:
    booster = trained(**settings)
    text = booster.model_to_string().encode()
    assert batch_tables(text) is None
    x = matrix(50, 4) if "columns" not in settings else np.random.default_rng(4).normal(size=(50, 120))
    assert NativeBooster(text).predict(x).tobytes() == np.asarray(booster.predict(x, num_threads=1)).tobytes()


def test_a_few_rows_are_left_to_the_library_and_a_few_more_of_a_model_of_few_trees() -> None:
    large = batch_tables(trained(objective="binary", trees=5 * COLUMNS).model_to_string().encode())
    small = batch_tables(trained(objective="binary", trees=2).model_to_string().encode())
    assert large is not None and small is not None
    assert [large.pays(rows) for rows in (1, 5, 6, 32)] == [False, False, True, True]
    assert [small.pays(rows) for rows in (1, 6, 31, 32)] == [False, False, False, True]


def test_a_score_of_certainty_is_zero_and_no_error() -> None:
    booster = trained(objective="binary", trees=1, num_leaves=2)
    text = booster.model_to_string()
    [values] = [line for line in text.splitlines() if line.startswith("leaf_value=")]
    surely = lightgbm.Booster(model_str=text.replace(values, "leaf_value=-800 800"))
    tables = batch_tables(surely.model_to_string().encode())
    assert tables is not None
    x = matrix(50, 5)
    assert tables.predict(x).tobytes() == np.asarray(surely.predict(x, num_threads=1)).tobytes()
    assert set(tables.predict(x)) == {0.0, 1.0}


def test_one_path_of_the_fast_predictor_says_what_the_other_does() -> None:
    booster = NativeBooster(trained(objective="binary").model_to_string().encode())
    x = matrix(300, 6)
    alone = np.concatenate([booster.predict(x[number : number + 1]) for number in range(len(x))])
    assert booster.predict(x).tobytes() == alone.tobytes()
