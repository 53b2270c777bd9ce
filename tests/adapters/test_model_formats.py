"""Contract of ports/predictor.py over all families: the library's own numbers, by row, no trust in bytes."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.adapters.kept_models import (
    FORMATS,
    LIGHTGBM,
    ONNX,
    PICKLE,
    PYFUNC,
    SKLEARN,
    WIDTH,
    XGBOOST,
    Kept,
    kept_models,
    kept_pyfunc,
    matrix,
    truth,
)

from trimtab.adapters.skops_archive import canonical_archive
from trimtab.house.stored_models import StoredModels
from trimtab.kernel.errors import Corrupt, InvalidValue
from trimtab.kernel.model_formats import RUN_CODE
from trimtab.ports.predictor import ModelFormat, NoFastPath, Predictor
from trimtab.wiring.models import FORMATS as WIRED

MODELS = StoredModels(FORMATS)
COUNT = 18  # of models, the one that needs a folder last


@pytest.fixture(scope="module")
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    place: int = request.param
    if place == COUNT - 1:
        return kept_pyfunc(tmp_path_factory.getbasetemp() / "pyfunc")
    return kept_models()[place]


every_model = pytest.mark.parametrize("kept", range(COUNT), indirect=True)
safe = pytest.mark.parametrize("format", [LIGHTGBM, XGBOOST, SKLEARN, ONNX], ids=lambda one: one.name)


def paths(kept: Kept) -> list[Predictor]:
    """The plain path, and the fast one if there is one."""
    data = kept.format.dump(kept.model)
    fast = kept.format.fast(data)
    assert isinstance(fast, NoFastPath) != kept.fast
    return [kept.format.load(data), *([] if isinstance(fast, NoFastPath) else [fast])]


def some(kept: Kept, rows: int, seed: int = 3) -> Any:
    few = rows // 8 if kept.format is PYFUNC else rows  # MLflow takes milliseconds for each
    return matrix(few, seed, holes=kept.holes)


def test_all_families_are_there() -> None:
    assert len(kept_models()) == COUNT - 1
    assert [type(one) for one in WIRED] == [type(one) for one in FORMATS]
    assert sorted(one.name for one in WIRED if one.runs_code) == sorted(RUN_CODE)
    assert len({one.name for one in WIRED}) == len(WIRED) == len({one.file for one in WIRED})


@every_model
def test_a_loaded_model_says_what_its_library_says(kept: Kept) -> None:
    x = some(kept, 200)
    expected = np.asarray(kept.says(x), dtype=np.float64)
    assert len(set(expected.tolist())) > 5, "the model says something"
    for path in paths(kept):
        scores = path.predict(x)
        assert scores.shape == (len(x),) and scores.dtype == np.float64
        if kept.within:
            np.testing.assert_allclose(scores, expected, rtol=kept.within, atol=kept.within)
        else:
            assert scores.tobytes() == expected.tobytes()


@every_model
def test_a_row_alone_gets_the_same_bits_as_in_any_batch(kept: Kept) -> None:
    x = some(kept, 48)
    shuffled = np.random.default_rng(4).permutation(len(x))
    for path in paths(kept):
        whole = path.predict(x)
        alone = np.concatenate([path.predict(row[None, :]) for row in x])
        assert alone.tobytes() == whole.tobytes()
        for rows in (2, 5, 17):
            parts = [path.predict(x[first : first + rows]) for first in range(0, len(x), rows)]
            assert np.concatenate(parts).tobytes() == whole.tobytes(), rows
        assert path.predict(x[shuffled]).tobytes() == whole[shuffled].tobytes()
        assert path.predict(np.asfortranarray(x)).tobytes() == whole.tobytes()
        assert path.predict(np.repeat(x, 2, axis=1)[:, ::2]).tobytes() == whole.tobytes(), "every second column"


@every_model
def test_holes_and_numbers_beyond_32_bits_are_the_librarys_to_judge(kept: Kept) -> None:
    for odd in (np.nan, np.inf, 1e300):
        x = matrix(6, seed=8, holes=False)
        x[2, 0] = odd
        try:
            with np.errstate(over="ignore"):
                expected = np.asarray(kept.says(x), dtype=np.float64)
        except ValueError:
            for path in paths(kept):
                with pytest.raises(ValueError, match=r"."):
                    path.predict(x)
                with pytest.raises(ValueError, match=r"."):
                    path.predict(x[2:3])
                assert path.predict(x[3:]).shape == (3,), "rows of other requests are answered"
            continue
        for path in paths(kept):
            near = kept.within or 1e-12
            np.testing.assert_allclose(path.predict(x), expected, rtol=near, atol=near)


@every_model
def test_the_same_model_has_the_same_bytes(kept: Kept) -> None:
    data = kept.format.dump(kept.model)
    assert kept.format.dump(kept.model) == data
    assert [one for one in FORMATS if one.recognises(data)] == [kept.format]
    assert MODELS.of(data) is kept.format


@every_model
def test_a_fast_path_is_proved_on_real_rows(kept: Kept) -> None:
    data, x = kept.format.dump(kept.model), some(kept, 60)
    proof = MODELS.prove(data, x)
    assert proof["fast"] is kept.fast, proof
    if kept.fast:
        assert (proof["tolerance"], proof["rows"]) == (kept.format.tolerance, len(x))
        largest = proof["largest_difference"]
        assert isinstance(largest, float) and largest <= kept.format.tolerance
        assert proof["libraries"]
    else:
        assert proof["because"]


@every_model
def test_no_rows_no_scores_and_no_other_width(kept: Kept) -> None:
    for path in paths(kept):
        assert path.predict(np.empty((0, WIDTH))).shape == (0,)
        if kept.format is not PICKLE:
            with pytest.raises(Exception, match=r"."):
                path.predict(np.zeros((1, WIDTH + 1)))


@safe
@pytest.mark.parametrize(
    "junk", [b"", b"garbage", b"\xff\xfe\x00", b"{L", b"PK\x03\x04", b"\x08\x07\x12", b"tree\n"]
)
def test_bytes_of_another_kind_are_corrupt(format: ModelFormat, junk: bytes) -> None:
    for load in (format.load, format.fast):
        try:
            found = load(junk)
        except Corrupt:
            continue
        assert isinstance(found, NoFastPath) and found.because, "the plain path says what is wrong"
        assert load == format.fast


class Bomb:
    """Makes a file if it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@safe
def test_no_format_that_needs_no_leave_runs_what_the_bytes_say(format: ModelFormat, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    bomb = pickle.dumps(Bomb(mark))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        node = {
            "__class__": "mkdir",
            "__module__": "os",
            "__loader__": "FunctionNode",
            "__id__": 1,
            "content": "os.mkdir",
        }
        out.writestr("schema.json", json.dumps({**node, "protocol": 2, "_skops_version": "0.16.0"}))
    for data in (bomb, b"trimtab pickle 1\n" + bomb, archive.getvalue()):
        with pytest.raises(Corrupt):
            format.load(data)
    assert not mark.exists()


@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("place", [0, 1, 3, 8, 13], ids=["lightgbm", "xgboost", "forest", "linear", "onnx"])
def test_bytes_that_break_off_are_corrupt(place: int, part: float) -> None:
    kept = kept_models()[place]
    data = kept.format.dump(kept.model)
    with pytest.raises(Corrupt):
        kept.format.load(data[: int(len(data) * part)])


def test_types_that_skops_does_not_know_are_refused_by_name(tmp_path: Path) -> None:
    import skops.io  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from tests.adapters.own_step import OwnStep  # noqa: PLC0415

    x = matrix(100, holes=False)
    model = make_pipeline(OwnStep(), LogisticRegression()).fit(x, truth(x))
    with pytest.raises(InvalidValue, match=r"tests\.adapters\.own_step\.OwnStep") as refused:
        SKLEARN.dump(model)
    assert "pickle" in refused.value.do
    with pytest.raises(Corrupt, match=r"tests\.adapters\.own_step\.OwnStep"):
        SKLEARN.load(canonical_archive(skops.io.dumps(model)))
    with pytest.raises(InvalidValue, match="OwnStep"):
        MODELS.store(model, (), where="system.py:1")
    assert MODELS.of(MODELS.store(model, ("pickle",), where="system.py:1")) is PICKLE


def test_trees_that_lead_nowhere_are_corrupt() -> None:
    forest = next(one for one in kept_models() if type(one.model).__name__ == "RandomForestClassifier")
    for field, value in (("left_child", 10**6), ("right_child", 0), ("feature", 77)):
        data = _changed_nodes(SKLEARN.dump(forest.model), field, value)
        with pytest.raises(Corrupt, match="a node names a"):
            SKLEARN.load(data)
    histogram = next(one for one in kept_models() if type(one.model).__name__ == "HistGradientBoostingClassifier")
    for field, value in (("left", 10**6), ("bitset_idx", 999)):
        data = _changed_nodes(SKLEARN.dump(histogram.model), field, value)
        with pytest.raises(Corrupt, match="a node names a"):
            SKLEARN.load(data)


def _changed_nodes(data: bytes, field: str, value: int) -> bytes:
    """An archive whose first structured array leads elsewhere."""
    out, done = io.BytesIO(), False
    with zipfile.ZipFile(io.BytesIO(data)) as read, zipfile.ZipFile(out, "w") as write:
        for name in read.namelist():
            part = read.read(name)
            if name.endswith(".npy"):
                array = np.load(io.BytesIO(part))
                if not done and array.dtype.fields and field in array.dtype.fields:
                    inner = (
                        (array["left_child"] != -1)
                        if field != "left" and "left_child" in array.dtype.fields
                        else None
                    )
                    if inner is None:
                        inner = array["is_leaf"] == 0
                        if field == "bitset_idx":
                            array["is_categorical"][inner] = 1
                    array[field][np.flatnonzero(inner)[0]] = value
                    made = io.BytesIO()
                    np.save(made, array)
                    part, done = made.getvalue(), True
            write.writestr(name, part)
    assert done
    return out.getvalue()


def test_several_numbers_a_row_are_refused_when_the_model_is_stored() -> None:
    import lightgbm  # noqa: PLC0415
    import xgboost  # noqa: PLC0415
    from sklearn.linear_model import LinearRegression, LogisticRegression  # noqa: PLC0415
    from sklearn.svm import LinearSVC  # noqa: PLC0415

    x = matrix(300, holes=False)
    three = np.arange(300) % 3
    quiet = {"objective": "multiclass", "num_class": 3, "verbose": -1, "num_threads": 1}
    soft = {"objective": "multi:softprob", "num_class": 3, "nthread": 1}
    for format, model in (
        (LIGHTGBM, lightgbm.train(quiet, lightgbm.Dataset(x, three), 2)),
        (XGBOOST, xgboost.train(soft, xgboost.DMatrix(x, three), 2)),
        (SKLEARN, LogisticRegression(max_iter=500).fit(x, three)),
        (SKLEARN, LinearRegression().fit(x, np.column_stack([three, three]))),
        (SKLEARN, LinearSVC().fit(x, three > 1)),
    ):
        with pytest.raises(InvalidValue) as refused:
            format.dump(model)
        assert refused.value.do
    with pytest.raises(InvalidValue, match="2 numbers a row"):
        PICKLE.load(PICKLE.dump(lambda rows: np.zeros((len(rows), 2)))).predict(x[:1])


LOADED = """
import sys
from importlib import import_module
for name in {imports!r}:
    import_module(name)
from trimtab.house.stored_models import StoredModels
before = set(sys.modules)
kind = getattr(import_module({module!r}), {kind!r})()
models = StoredModels([kind])
import json, numpy
from trimtab.kernel.release import Release
proof = json.load(open({proof!r}))
release = Release("s", "m", kind.name, "", (), (), (), "", {{}}, {{}}, (), {{}}, proof)
data = open({model!r}, "rb").read()
opened = models.open(release, data, ("mlflow-pyfunc", "pickle"))
score = opened.predictor.predict(numpy.zeros((1, {width})))
heavy = ("mlflow", "pandas", "sklearn", "lightgbm", "xgboost", "skops", "onnxruntime", "scipy", "cloudpickle")
print(json.dumps([opened.fast, opened.because, sorted(set(heavy) & (set(sys.modules) - before))]))
"""


@pytest.mark.parametrize(
    ("place", "fast", "allowed"),
    [(0, True, []), (1, True, []), (13, False, ["onnxruntime"])],
    ids=["lightgbm", "xgboost", "onnx"],
)
def test_a_worker_imports_nothing_that_its_model_does_not_need(
    place: int, fast: bool, allowed: list[str], tmp_path: Path
) -> None:
    kept = kept_models()[place]
    data = kept.format.dump(kept.model)
    (tmp_path / "model").write_bytes(data)
    (tmp_path / "proof").write_text(json.dumps(MODELS.prove(data, some(kept, 20))))
    program = LOADED.format(
        imports=[] if place else ["trimtab.cli.worker"],
        module=type(kept.format).__module__,
        kind=type(kept.format).__name__,
        proof=str(tmp_path / "proof"),
        model=str(tmp_path / "model"),
        width=WIDTH,
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) == [fast, "" if fast else "onnxruntime is asked directly", allowed]


def test_a_folder_of_mlflows_is_unpacked_below_its_own_place_only(tmp_path: Path) -> None:
    import tarfile  # noqa: PLC0415

    for name in ("../escaped", "/tmp/escaped"):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for entry in ("MLmodel", name):
                archive.addfile(tarfile.TarInfo(entry), io.BytesIO())
        assert PYFUNC.recognises(out.getvalue())
        with pytest.raises(Corrupt, match="no plain file below the folder"):
            PYFUNC.load(out.getvalue())
