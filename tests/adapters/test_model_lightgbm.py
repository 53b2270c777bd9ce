"""Contract of ports/predictor.py on LightGBM: the Booster's own numbers, row by row, and no trust in bytes."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from trimtab.adapters.model_lightgbm import LightgbmText
from trimtab.kernel.errors import Corrupt

FORMAT = LightgbmText()


def matrix(rows: int, seed: int = 0) -> NDArray[np.float64]:
    """Three numbers, one category of 8, and holes."""
    rng = np.random.default_rng(seed)
    out = rng.normal(size=(rows, 4))
    out[:, 3] = rng.integers(0, 8, rows)
    out[rng.random(out.shape) < 0.1] = np.nan
    return out


@pytest.fixture(scope="module")
def booster() -> lightgbm.Booster:
    x = matrix(3_000)
    y = (np.nan_to_num(x[:, 0]) + np.random.default_rng(1).normal(size=3_000) > 0).astype(float)
    settings = {"objective": "binary", "num_threads": 1, "deterministic": True, "verbose": -1, "seed": 0}
    return lightgbm.train(settings, lightgbm.Dataset(x, y, categorical_feature=[3]), num_boost_round=30)


def test_a_loaded_model_gives_the_boosters_own_numbers(booster: lightgbm.Booster) -> None:
    x = matrix(1_000, seed=2)
    loaded = FORMAT.load(FORMAT.dump(booster)).predict(x)
    assert loaded.shape == (1_000,)
    assert loaded.dtype == np.float64
    assert loaded.tobytes() == np.asarray(booster.predict(x, num_threads=1)).tobytes()


def test_a_row_alone_gets_the_same_bits_as_in_any_batch(booster: lightgbm.Booster) -> None:
    predictor = FORMAT.load(FORMAT.dump(booster))
    x = matrix(300, seed=3)
    whole = predictor.predict(x)
    alone = np.concatenate([predictor.predict(row[None, :]) for row in x])
    shuffled = np.random.default_rng(4).permutation(300)
    assert alone.tobytes() == whole.tobytes()
    assert predictor.predict(x[shuffled]).tobytes() == whole[shuffled].tobytes()
    assert predictor.predict(np.asfortranarray(x)).tobytes() == whole.tobytes()


def test_no_rows_no_scores(booster: lightgbm.Booster) -> None:
    assert FORMAT.load(FORMAT.dump(booster)).predict(np.empty((0, 4))).shape == (0,)


def test_the_same_model_has_the_same_bytes(booster: lightgbm.Booster) -> None:
    data = FORMAT.dump(booster)
    assert FORMAT.dump(booster) == data
    assert FORMAT.dump(lightgbm.Booster(model_str=data.decode())) == data


def test_it_takes_boosters_and_wrappers_and_nothing_else(booster: lightgbm.Booster) -> None:
    x = matrix(500)
    wrapper = lightgbm.LGBMClassifier(n_estimators=3, num_leaves=4, verbose=-1, n_jobs=1)
    wrapper.fit(x, (np.nan_to_num(x[:, 0]) > 0).astype(int))
    assert FORMAT.accepts(booster) and FORMAT.accepts(wrapper)
    assert not FORMAT.accepts(object()) and not FORMAT.accepts(lightgbm)
    scores = FORMAT.load(FORMAT.dump(wrapper)).predict(x)
    assert scores.tobytes() == np.asarray(wrapper.predict_proba(x))[:, 1].tobytes()


@pytest.mark.parametrize("data", [b"", b"garbage", b"\xff\xfe\x00", b"\x80\x04K\x01.", b"tree\nversion=v4\n"])
def test_bytes_of_another_kind_are_corrupt(data: bytes) -> None:
    with pytest.raises(Corrupt, match="a LightGBM model is corrupt") as corrupt:
        FORMAT.load(data)
    assert corrupt.value.allowed == "LightGBM's text format"


@pytest.mark.parametrize("part", [0.1, 0.3, 0.5, 0.7])
def test_a_text_that_breaks_off_is_corrupt(booster: lightgbm.Booster, part: float) -> None:
    data = FORMAT.dump(booster)
    with pytest.raises(Corrupt, match="breaks off"):
        FORMAT.load(data[: int(len(data) * part)])
