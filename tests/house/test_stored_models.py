"""Which path of a model answers, and which models may be loaded at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.adapters.kept_models import LIGHTGBM, PICKLE, kept_models, matrix, times_two
from tests.stores import release

from trimtab.adapters import lightgbm_native
from trimtab.adapters.model_lightgbm import LightgbmText
from trimtab.house.stored_models import PROOF_ROWS, StoredModels
from trimtab.kernel.canonical import Json
from trimtab.kernel.errors import Corrupt, InvalidValue, Refused, UnknownName
from trimtab.kernel.release import Release
from trimtab.ports.predictor import Predictor

MODELS = StoredModels([PICKLE, LIGHTGBM])
ROWS = matrix(100)
Matrix = NDArray[np.float64]


def trees() -> bytes:
    [kept] = [one for one in kept_models() if one.format is LIGHTGBM]
    return LIGHTGBM.dump(kept.model)


def proved(proof: dict[str, Json], format: str = "lightgbm-text") -> Release:
    return replace(release("one"), model_format=format, predictor=proof)


class Off:
    """A predictor that is not quite another one."""

    def __init__(self, model: Predictor, wrong: Callable[[Matrix, Matrix], Matrix]) -> None:
        self._model = model
        self._wrong = wrong

    def predict(self, matrix: Matrix) -> Matrix:
        return self._wrong(matrix, self._model.predict(matrix))


class OffTrees(LightgbmText):
    """LightGBM with a fast path that is not quite the plain one."""

    def __init__(self, wrong: Callable[[Matrix, Matrix], Matrix]) -> None:
        self._wrong = wrong

    def fast(self, data: bytes) -> Any:
        return Off(self.load(data), self._wrong)


def crash(_rows: Matrix, _scores: Matrix) -> Matrix:
    raise OSError("no such function")


@pytest.mark.parametrize(
    ("wrong", "because"),
    [
        (lambda _, scores: scores + 1e-9, "it differs by up to 1e-09 from the plain path; 0 is allowed"),
        (
            lambda rows, scores: np.where(np.arange(len(rows)) == 3, 0.5, scores),
            "from the plain path; 0 is allowed",
        ),
        (lambda rows, scores: scores if len(rows) == 1 else np.nextafter(scores, 1), "it differs by up to"),
        (lambda rows, scores: scores if len(rows) > 1 else np.nextafter(scores, 1), "it differs by up to"),
        (
            lambda rows, scores: np.where(np.isnan(rows[:, 0]), np.nan, scores),
            "a number where the plain path gives",
        ),
        (crash, "it fails on real rows: OSError: no such function"),
    ],
    ids=["off", "one row", "together", "alone", "holes", "crash"],
)
def test_a_fast_path_that_is_not_the_plain_ones_equal_is_not_used(wrong: Any, because: str) -> None:
    models, data = StoredModels([OffTrees(wrong)]), trees()
    proof = models.prove(data, ROWS)
    assert proof["fast"] is False and because in str(proof["because"])
    opened = models.open(proved(proof), data, ())
    assert not opened.fast and because in opened.because
    assert opened.predictor.predict(ROWS).tobytes() == LIGHTGBM.load(data).predict(ROWS).tobytes()


def test_the_proof_stands_on_the_last_rows_and_says_how_many() -> None:
    proof = MODELS.prove(trees(), matrix(PROOF_ROWS + 7))
    assert proof == {
        "fast": True,
        "tolerance": 0.0,
        "rows": PROOF_ROWS,
        "largest_difference": 0.0,
        "libraries": {"lightgbm": version("lightgbm")},
        "path": 2,
    }
    assert MODELS.prove(trees(), ROWS[:0])["because"] == "there was no row to prove it on"
    last = OffTrees(lambda rows, scores: np.where(rows[:, 1] == marked[-1, 1], 2.0, scores))
    marked = matrix(PROOF_ROWS + 7, holes=False)
    assert StoredModels([last]).prove(trees(), marked)["fast"] is False
    assert StoredModels([last]).prove(trees(), marked[:-1])["fast"] is True


def test_a_proved_path_answers_and_an_unproved_one_does_not() -> None:
    data = trees()
    proof = MODELS.prove(data, ROWS)
    fast = MODELS.open(proved(proof), data, ())
    assert (fast.fast, fast.because) == (True, "")
    assert isinstance(fast.predictor, lightgbm_native.NativeBooster)
    older = MODELS.open(proved({}), data, ())
    assert (older.fast, older.because) == (False, "the release holds no proof of a fast path")
    other = MODELS.open(proved({**proof, "libraries": {"lightgbm": "4.0.0"}}), data, ())
    assert not other.fast
    installed = version("lightgbm")
    assert other.because == f"it was proved with lightgbm 4.0.0, and lightgbm {installed} is installed"
    former = MODELS.open(proved({**proof, "path": 1}), data, ())
    assert (former.fast, former.because) == (
        False,
        "it was proved of a fast path that another version of Trimtab has",
    )
    for one in (fast, older, other, former):
        assert one.predictor.predict(ROWS).tobytes() == fast.predictor.predict(ROWS).tobytes()


@pytest.fixture
def without_fast_functions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    lightgbm_native._library.cache_clear()
    monkeypatch.setattr(lightgbm_native, "_NEEDED", (*lightgbm_native._NEEDED, "LGBM_OfAnotherVersion"))
    yield
    lightgbm_native._library.cache_clear()


@pytest.mark.usefixtures("without_fast_functions")
def test_a_library_without_the_function_says_so_and_the_plain_path_answers() -> None:
    data = trees()
    proof = MODELS.prove(data, ROWS)
    assert proof["fast"] is False and "has no LGBM_OfAnotherVersion" in str(proof["because"])
    claimed: dict[str, Json] = {**proof, "fast": True, "libraries": {"lightgbm": version("lightgbm")}, "path": 2}
    opened = MODELS.open(proved(claimed), data, ())
    assert not opened.fast and "has no LGBM_OfAnotherVersion" in opened.because
    assert len(opened.predictor.predict(ROWS)) == len(ROWS)


def test_damaged_bytes_are_corrupt_on_either_path() -> None:
    proof = MODELS.prove(trees(), ROWS)
    for one in ({}, proof):
        with pytest.raises(Corrupt):
            MODELS.open(proved(one), trees()[:500], ())


def test_formats_that_run_code_are_for_systems_that_allow_them_by_name() -> None:
    with pytest.raises(InvalidValue) as kept:
        MODELS.store(times_two, (), where="system.py:7")
    assert (kept.value.where, kept.value.allowed) == ("system.py:7", "lightgbm-text")
    assert "allow_formats=['pickle']" in kept.value.do
    data = MODELS.store(times_two, ("pickle",), where="")
    with pytest.raises(Refused, match="its format 'pickle' runs code when it is loaded") as refused:
        MODELS.open(proved({}, "pickle"), data, ())
    assert "allow_formats=['pickle']" in refused.value.do
    opened = MODELS.open(proved({}, "pickle"), data, ("pickle",))
    assert opened.predictor.predict(ROWS[:2]).tolist() == (ROWS[:2, 0] * 2).tolist()
    with pytest.raises(InvalidValue):
        MODELS.store(object(), ("pickle",), where="")


def test_a_model_is_stored_without_code_wherever_that_can_be() -> None:
    [kept] = [one for one in kept_models() if one.format is LIGHTGBM]
    assert MODELS.store(kept.model, ("pickle",), where="") == trees()


def test_a_format_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(UnknownName) as unknown:
        MODELS.open(proved({}, "telepathy"), b"", ())
    assert unknown.value.allowed == "lightgbm-text, pickle"
    with pytest.raises(InvalidValue, match="bytes of no known format"):
        MODELS.of(b"?")
