"""XGBoost's C library without its Python package, which imports scikit-learn and pandas where they are.

The package takes 230 µs for a row, most of it to find out what it was given; the same call from here is told.
"""

from __future__ import annotations

import ctypes
import json
import threading
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.adapters.c_library import NativeError, c_library

_FILES = tuple(
    f"{folder}{name}" for folder in ("lib/", "") for name in ("libxgboost.so", "libxgboost.dylib", "xgboost.dll")
)
_NEEDED = (
    "XGBoosterCreate",
    "XGBoosterFree",
    "XGBoosterLoadModelFromBuffer",
    "XGBoosterSetParam",
    "XGBoosterGetNumFeature",
    "XGBoosterPredictFromDense",
    "XGBGetLastError",
)
_CONFIG = json.dumps(
    {
        "type": 0,
        "training": False,
        "iteration_begin": 0,
        "iteration_end": 0,
        "missing": float("nan"),
        "strict_shape": False,
        "cache_id": 0,
    }
).encode()


@cache
def _library() -> Any:
    """The installed one.

    Raises:
        NativeError: it is not there, cannot be opened, or lacks a function.
    """
    found: Any = ctypes.CDLL(str(c_library("xgboost", _FILES, _NEEDED)))
    found.XGBGetLastError.restype = ctypes.c_char_p
    return found


class NativeBooster:
    """A model in the C library. Implements Predictor; may be called by several threads, one after another."""

    def __init__(self, data: bytes) -> None:
        """Parse.

        Raises:
            NativeError: the library cannot be used, or does not take the bytes.
        """
        self._booster = ctypes.c_void_p()
        self._library = library = _library()
        columns = ctypes.c_uint64()
        self._check(library.XGBoosterCreate(None, 0, ctypes.byref(self._booster)))
        self._check(library.XGBoosterLoadModelFromBuffer(self._booster, data, ctypes.c_uint64(len(data))))
        self._check(library.XGBoosterSetParam(self._booster, b"nthread", b"1"))
        self._check(library.XGBoosterGetNumFeature(self._booster, ctypes.byref(columns)))
        self._columns = columns.value
        self._row = np.empty((1, self._columns))
        self._of_row = _interface(self._row)
        self._shape, self._dimensions = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
        self._scores = ctypes.POINTER(ctypes.c_float)()
        self._answer = (ctypes.byref(self._shape), ctypes.byref(self._dimensions), ctypes.byref(self._scores))
        self._one = threading.Lock()

    def __del__(self) -> None:
        if self._booster.value:
            self._library.XGBoosterFree(self._booster)

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores by row, on one thread."""
        rows, columns = matrix.shape
        if columns != self._columns:
            raise ValueError(f"{columns} columns; the model has {self._columns}")
        if not rows:
            return np.empty(0)
        with self._one:  # the answer lies in the library's own memory until the next call
            if rows == 1:
                self._row[:] = matrix
                asked = self._of_row
            else:
                matrix = np.ascontiguousarray(matrix, dtype=np.float64)
                asked = _interface(matrix)
            self._check(self._library.XGBoosterPredictFromDense(self._booster, asked, _CONFIG, None, *self._answer))
            if self._dimensions.value != 1 or self._shape[0] != rows:
                raise NativeError("several numbers a row; one is served")
            if rows == 1:
                return np.array([self._scores[0]], dtype=np.float64)
            return np.ctypeslib.as_array(self._scores, shape=(rows,)).astype(np.float64)

    def _check(self, code: int) -> None:
        if code != 0:
            raise NativeError(self._library.XGBGetLastError().decode(errors="replace").strip().splitlines()[0])


def _interface(matrix: NDArray[np.float64]) -> bytes:
    """Where the numbers of a matrix lie, as the library reads it."""
    place = [matrix.ctypes.data, True]
    return json.dumps({"data": place, "typestr": "<f8", "shape": list(matrix.shape), "version": 3}).encode()
