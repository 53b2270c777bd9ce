"""A model that exists already becomes a release: in its own library's format where that says the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.house.environment import environment
from trimtab.house.house import House
from trimtab.house.stored_models import StoredModels
from trimtab.kernel.canonical import Json, short
from trimtab.kernel.errors import Corrupt, InvalidValue, ProjectInvalid, TrimtabError, listed
from trimtab.kernel.feature_schema import Feature
from trimtab.kernel.release import Release
from trimtab.ports.existing_models import ExistingModel, ExistingModels
from trimtab.ports.predictor import ModelFormat, Predictor, RowPredictor

RUN = "run"
PYFUNC = "mlflow-pyfunc"
_NARROW_BY_THEMSELVES = ("xgboost-ubj", "onnx")  # formats that compute in 32 bits whatever they are shown
_NEAR = 1e-6  # MLflow's own flavours may answer in 32 bits


@dataclass(frozen=True)
class Chosen:
    """The stored form of a model, and what there is to say of the choice."""

    data: bytes
    format: ModelFormat
    predictor: dict[str, Json]  # what was proved of its fast path
    notes: tuple[str, ...]


def choose(model: ExistingModel, models: StoredModels, source: ExistingModels, *, pyfunc: bool) -> Chosen:
    """A native format where the model has one that says what MLflow says; MLflow's own otherwise.

    Args:
        model: fetched.
        models: the formats.
        source: where the model is from.
        pyfunc: whether somebody wants MLflow's own in any case.

    Raises:
        TrimtabError: as MLflow's format says when it cannot load the model.
    """
    packed = models.named(PYFUNC)
    found = "it was asked for" if pyfunc else _native(model, models, source)
    if isinstance(found, Chosen):
        return found
    data = packed.dump(model.folder)
    try:
        answers = _said(packed.load(data), model.example)
    except TrimtabError as error:
        error.got = f"{error.got}; and not without MLflow, for {found}"
        raise
    notes = [f"answered by MLflow's pyfunc: {found}", "loading it runs the model's own code"]
    if isinstance(answers, str):
        notes.append(f"it does not answer its own input example: {answers}")
    return Chosen(data, packed, {"fast": False, "because": "MLflow's pyfunc is asked as it is"}, tuple(notes))


def adopt(house: House, model: ExistingModel, chosen: Chosen, *, at: datetime, actor: str) -> str:
    """Write the model down as a release of the house's system, with the run that it came from; its digest.

    Once written down it stays: the same model makes the same release.
    """
    system = house.system
    kept = house.blobs.put(chosen.data)
    names = [name for name, _ in getattr(system, "inputs", ())]
    [view] = [name for name, _ in system.feature_set.versions]
    release = Release(
        system=house.name,
        model=kept,
        model_format=chosen.format.name,
        code=house.blobs.put(house.project.code()),
        features=tuple(Feature(f"{view}.{name}") for name in names),
        views=system.feature_set.versions,
        request=system.request_types(house.project.folder),
        key=getattr(system, "key", ""),
        label=system.label.body(),
        training={"existing": model.facts, "sources": {}, "until_us": 0, "rows": 0},
        verdicts=(),
        environment=environment(chosen.format.libraries),
        predictor=chosen.predictor,
    )
    run = f"existing-{house.name}-{short(release.digest)}"
    if house.reader.record(RUN, run) is None:
        body: dict[str, Json] = {
            "spec": {"system": house.name},
            "result": {"model": kept},
            "model_format": chosen.format.name,
            "mlflow": {"run": model.facts["run"], "model_version": model.uri, "uri": ""},
            "trained_at": at.isoformat(),
        }
        with house.journal.begin(at=at, actor=actor) as unit:
            unit.append("model.adopted", house.name, {"uri": model.uri, "model": kept})
            unit.put(RUN, run, body)
    because = f"{model.uri} is served as it is: no gate of this system has judged it"
    return house.release_writer.create(release, [], run, at=at, actor=actor, override=because)


def _native(model: ExistingModel, models: StoredModels, source: ExistingModels) -> Chosen | str:
    """The model in its own library's format; or why that is not to be."""
    other = [one.name for one in model.inputs if one.type not in ("Float64", "Int64", "Boolean")]
    if other:
        return f"inputs {listed(other)} are no numbers"
    native = source.native(model)
    if isinstance(native, str):
        return native
    try:
        data = native.model if isinstance(native.model, bytes) else models.store(native.model, (), where=model.uri)
        kept = models.of(data)
        plain = kept.load(data)
    except (InvalidValue, Corrupt, ProjectInvalid) as error:
        return f"{native.flavour}: {error.what}, {error.got}"
    narrow = [one.name for one in model.inputs if one.narrow]
    if narrow and kept.name not in _NARROW_BY_THEMSELVES:
        return f"inputs {listed(narrow)} have 32 bits, which MLflow rounds to"
    if b"\npandas_categorical:[[" in data[-100_000:]:
        return "it was trained on pandas' categories, whose codes MLflow makes"
    notes = [f"answered by {native.flavour} itself, without MLflow"]
    own = getattr(plain, "model", native.model)  # bytes were read without MLflow
    unlike = _unlike(model, models, plain, own)
    if unlike:
        return unlike
    if _says_classes(own):
        yes = str(own.classes_[1])[:40]
        notes.append(f"it answers the probability of class {yes}; MLflow's own predict says the class (--pyfunc)")
    proof = models.prove(data, _matrix(model))
    if not proof["fast"] and "rows" in proof:
        notes.append(f"not by its fast path: {proof['because']}")
    return Chosen(data, kept, proof, tuple(notes))


def _unlike(model: ExistingModel, models: StoredModels, plain: Predictor, native: Any) -> str:
    """How the native answers to the model's own example differ from MLflow's; "" if they do not."""
    if not model.example or _says_classes(native):
        return ""
    packed = models.named(PYFUNC)
    try:
        told = _said(packed.load(packed.dump(model.folder)), model.example[:20])
    except TrimtabError as error:
        told = error.what
    ours = _said(plain, model.example[:20])
    if isinstance(ours, str):
        return f"its own library does not answer its input example: {ours}"
    if not isinstance(told, str) and not np.allclose(ours, told, rtol=_NEAR, atol=_NEAR, equal_nan=True):
        return "its own library says something else to its input example than MLflow does"
    return ""


def _says_classes(native: Any) -> bool:
    """Whether MLflow would answer a class where the format answers a probability."""
    return hasattr(native, "predict_proba") and hasattr(native, "classes_")


def _said(predictor: Predictor, rows: Sequence[Sequence[Json]]) -> NDArray[np.float64] | str:
    """Scores of rows; or why there are none."""
    try:
        if isinstance(predictor, RowPredictor):
            return np.array(predictor.predict_rows(rows))
        return predictor.predict(_numbers(rows))
    except Exception as error:  # a model may raise what it likes
        return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _matrix(model: ExistingModel) -> NDArray[np.float64]:
    return _numbers(model.example).reshape(len(model.example), len(model.inputs))


def _numbers(rows: Sequence[Sequence[Json]]) -> NDArray[np.float64]:
    return np.array([[np.nan if cell is None else cell for cell in row] for row in rows], dtype=np.float64)
