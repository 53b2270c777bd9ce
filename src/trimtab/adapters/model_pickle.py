"""Pickled Python objects: whatever has `predict_proba` or `predict`, or can be called. Loading one runs its code.

For systems that allow it by name. Classes and functions of the project travel with the pickle, for the process that
loads it knows the project's modules under other names, or not at all; those of installed packages do not.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.adapters.model_library import corrupt, several_outputs
from trimtab.kernel.errors import InvalidValue
from trimtab.ports.predictor import NoFastPath

_HEAD = b"trimtab pickle 1\n"
_PROTOCOL = 5
_PROJECT = "trimtab_project_"  # how modules of projects are called, see project.py


class PickledObject:
    """Implements ModelFormat. The same object gives the same bytes within one process, not always beyond."""

    name = "pickle"
    file = "model.pkl"
    libraries: tuple[str, ...] = ("cloudpickle",)
    runs_code = True
    tolerance = 0.0

    def accepts(self, model: object) -> bool:
        """Whatever can be asked."""
        return _question(model) is not None

    def recognises(self, data: bytes) -> bool:
        """By a line of our own before the pickle."""
        return data.startswith(_HEAD)

    def dump(self, model: Any) -> bytes:
        """The line, and the pickle.

        Raises:
            InvalidValue: an object that cannot be pickled.
        """
        try:
            with _by_value() as cloudpickle:
                return _HEAD + bytes(cloudpickle.dumps(model, protocol=_PROTOCOL))
        except Exception as error:  # objects may raise what they like when they are asked for their state
            raise InvalidValue(
                "what the training function returned",
                f"{type(model).__name__}: {error}"[:300],
                allowed="an object that can be pickled",
                do="keep open files, locks and connections out of it",
            ) from error

    def load(self, data: bytes) -> ObjectPredictor:
        """Runs the code of the pickle."""
        if not self.recognises(data):
            raise corrupt("a pickled model", allowed=_HEAD.decode().strip(), got="other bytes at its beginning")
        try:
            model = pickle.loads(memoryview(data)[len(_HEAD) :])  # noqa: S301 - allowed by name
        except Exception as error:  # a pickle can raise whatever it is made to
            said = f"{type(error).__name__}: {error}"
            do = "install what it was made with, or train and release again"
            raise corrupt("a pickled model", allowed="a pickle that loads here", got=said, do=do) from error
        question = _question(model)
        if question is None:
            raise corrupt("a pickled model", allowed="an object that can be asked", got=type(model).__name__)
        return ObjectPredictor(question)

    def fast(self, data: bytes) -> NoFastPath:
        """None."""
        del data
        return NoFastPath("a Python object is asked as it is")


class ObjectPredictor:
    """Implements Predictor. Rows are asked one by one: nothing is known of what the object does with several."""

    def __init__(self, question: Callable[[NDArray[np.float64]], Any]) -> None:
        self._question = question

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores by row.

        Raises:
            InvalidValue: the object says several numbers to a row.
        """
        # A row of its own each: one that lies among others may be added up in another order.
        rows = [np.array(row, order="C", ndmin=2) for row in matrix]
        return np.array([self._one(row) for row in rows], dtype=np.float64)

    def _one(self, row: NDArray[np.float64]) -> float:
        told = np.asarray(self._question(row), dtype=np.float64).reshape(-1)
        if told.size != 1:
            raise several_outputs("Python", told.size)
        return float(told[0])


def _question(model: object) -> Callable[[NDArray[np.float64]], Any] | None:
    """How the object is asked for the scores of a matrix; None if it cannot be asked."""
    if isinstance(model, type):
        return None
    probabilities: Any = getattr(model, "predict_proba", None)
    if callable(probabilities):
        return lambda matrix: _of_yes(np.asarray(probabilities(matrix)))
    predict: Any = getattr(model, "predict", None)
    question: Any = predict if callable(predict) else model
    return question if callable(question) else None


def _of_yes(told: NDArray[Any]) -> NDArray[Any]:
    """Of two classes the second; anything else as it is."""
    return told[:, 1] if told.ndim == 2 and told.shape[1] == 2 else told


@contextmanager
def _by_value() -> Iterator[Any]:
    """cloudpickle, told to take the modules of projects along.

    A module of a project bears the name that its importer knows, and is kept under another one: cloudpickle must
    find it by the name that it bears.
    """
    cloudpickle = import_module("cloudpickle")
    ours = {name: module for name, module in sys.modules.items() if name.startswith(_PROJECT)}
    names = {name: module.__name__ for name, module in ours.items()}
    try:
        for name, module in ours.items():
            module.__name__ = name
            cloudpickle.register_pickle_by_value(module)
        yield cloudpickle
    finally:
        for name in cloudpickle.list_registry_pickle_by_value() & ours.keys():
            cloudpickle.unregister_pickle_by_value(ours[name])
        for name, module in ours.items():
            module.__name__ = names[name]
