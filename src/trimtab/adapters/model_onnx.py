"""ONNX models, answered by onnxruntime on one thread.

There is no fast path, nor a plain one beside it: an ONNX file answers as it answers. One that was converted from
another model is another model (thresholds of 32 bits have moved predictions by 0.14), and is judged as one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.adapters.model_library import corrupt, is_one_of, library, several_outputs
from trimtab.kernel.errors import Corrupt, InvalidValue
from trimtab.ports.predictor import NoFastPath

_NUMBERS = {"tensor(float)": np.float32, "tensor(double)": np.float64}
_ALLOWED = "an ONNX model with one input of numbers, shape (rows, features)"
_SCORES = ("probabilities", "output_probability", "probability", "variable", "output")  # as converters name them


class OnnxFile:
    """Implements ModelFormat. The bytes are a graph of operators, never code."""

    name = "onnx"
    file = "model.onnx"
    libraries: tuple[str, ...] = ("onnxruntime",)
    runs_code = False
    tolerance = 0.0

    def accepts(self, model: object) -> bool:
        """A model of the `onnx` package."""
        return is_one_of(model, "onnx", "ModelProto")

    def recognises(self, data: bytes) -> bool:
        """By the first field of the message, its version of the format."""
        return len(data) > 2 and data[0] == 0x08 and data[1] < 0x40

    def dump(self, model: Any) -> bytes:
        """The message, in the order of its fields.

        Raises:
            InvalidValue: a model that cannot be asked for one number a row.
        """
        data: bytes = model.SerializeToString(deterministic=True)
        try:
            self.load(data)
        except Corrupt as error:
            do = (
                "convert it with one matrix as input and one output of scores (skl2onnx: options={'zipmap': False})"
            )
            raise InvalidValue("an ONNX model", error.got, allowed=error.allowed, do=do) from error
        return data

    def load(self, data: bytes) -> OnnxPredictor:
        """A session of its own."""
        if not self.recognises(data):
            raise _corrupt("other bytes at its beginning")
        onnxruntime = library("onnxruntime", of=self.name, extra="onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the library has an exception for each kind of damage
            raise _corrupt(error) from error
        return OnnxPredictor(session)

    def fast(self, data: bytes) -> NoFastPath:
        """None."""
        del data
        return NoFastPath("onnxruntime is asked directly")


class OnnxPredictor:
    """Implements Predictor. Rows are asked one by one: kernels may add up the rows of a batch in another order."""

    def __init__(self, session: Any) -> None:
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if len(inputs) != 1 or inputs[0].type not in _NUMBERS:
            raise _corrupt(f"inputs {[(one.name, one.type) for one in inputs]}")
        self._session = session
        self._name = inputs[0].name
        self._kind = _NUMBERS[inputs[0].type]
        shape = inputs[0].shape
        self._columns = shape[1] if len(shape) == 2 and isinstance(shape[1], int) else None
        self._output = _score_of(outputs)
        if self._columns is not None:
            self._one(np.zeros((1, self._columns)))

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores by row."""
        if self._columns is not None and matrix.shape[1] != self._columns:
            raise ValueError(f"{matrix.shape[1]} columns; the model has {self._columns}")
        return np.array([self._one(matrix[row : row + 1]) for row in range(len(matrix))], dtype=np.float64)

    def _one(self, row: NDArray[np.float64]) -> float:
        with np.errstate(over="ignore"):
            asked = np.ascontiguousarray(row, dtype=self._kind)
        told = self._session.run([self._output], {self._name: asked})[0]
        if isinstance(told, list):  # a map from class to probability, as older converters have it
            classes = list(told[0].values())
            told = np.array([classes])
        told = np.asarray(told, dtype=np.float64).reshape(-1)
        if told.size > 2:
            raise several_outputs("ONNX", told.size)
        return float(told[-1])  # of two: the probability of yes


def _score_of(outputs: list[Any]) -> str:
    """The output with the scores: the only one, or one that bears a name that says so."""
    names = [one.name for one in outputs]
    for name in names if len(names) == 1 else _SCORES:
        if name in names:
            return str(name)
    raise _corrupt(f"outputs {names}")


def _corrupt(got: object) -> Corrupt:
    return corrupt("an ONNX model", allowed=_ALLOWED, got=got)
