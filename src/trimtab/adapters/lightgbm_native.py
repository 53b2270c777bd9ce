"""LightGBM's C library without its Python package, which would import scikit-learn and pandas where they are.

One row: the single-row fast API, 5.6 µs against 22 µs of `Booster.predict`. Its calls keep the interpreter's lock:
giving it away for 5 µs lets another thread take it, and getting it back may take milliseconds. Several rows: by
tables of the same trees where they cover the model, else one call of the library.
"""

from __future__ import annotations

import ctypes
import threading
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.adapters.c_library import NativeError, c_library
from trimtab.adapters.lightgbm_tables import batch_tables

_FLOAT64, _ROW_MAJOR, _NORMAL, _FIRST, _ALL = 1, 1, 0, 0, -1  # of LightGBM's c_api.h
_ONE_THREAD = b"num_threads=1"
_FEW = 2  # rows: from 3 on, one call for all of them is quicker
_FILES = tuple(
    f"{folder}lib_lightgbm.{ending}" for folder in ("lib/", "bin/", "") for ending in ("so", "dylib", "dll")
)
_NEEDED = (
    "LGBM_BoosterLoadModelFromString",
    "LGBM_BoosterFree",
    "LGBM_BoosterGetNumFeature",
    "LGBM_BoosterCalcNumPredict",
    "LGBM_BoosterPredictForMat",
    "LGBM_BoosterPredictForMatSingleRowFastInit",
    "LGBM_BoosterPredictForMatSingleRowFast",
    "LGBM_FastConfigFree",
    "LGBM_GetLastError",
)


class _Library:
    """The functions that are needed, with the lock given away (`free`) and kept (`held`)."""

    def __init__(self, path: Path) -> None:
        self.free: Any = ctypes.CDLL(str(path))
        self.held: Any = ctypes.PyDLL(str(path))
        self.free.LGBM_GetLastError.restype = ctypes.c_char_p

    def check(self, code: int) -> None:
        """Raise what the library said, unless all went well."""
        if code != 0:
            raise NativeError(self.free.LGBM_GetLastError().decode(errors="replace"))


@cache
def _library() -> _Library:
    """The installed one.

    Raises:
        NativeError: it is not there, cannot be opened, or lacks a function.
    """
    return _Library(c_library("lightgbm", _FILES, _NEEDED))


class NativeBooster:
    """A model in the C library. Implements Predictor; may be called by several threads, one after another."""

    def __init__(self, text: bytes) -> None:
        """Parse.

        Raises:
            NativeError: the library cannot be used, or does not take the text.
        """
        self._booster, self._fast = ctypes.c_void_p(), ctypes.c_void_p()
        self._library = library = _library()
        iterations, outputs = ctypes.c_int(), ctypes.c_int64()
        columns = ctypes.c_int()
        free, check = library.free, library.check
        check(free.LGBM_BoosterLoadModelFromString(text, ctypes.byref(iterations), ctypes.byref(self._booster)))
        check(free.LGBM_BoosterGetNumFeature(self._booster, ctypes.byref(columns)))
        check(free.LGBM_BoosterCalcNumPredict(self._booster, 1, _NORMAL, _FIRST, _ALL, ctypes.byref(outputs)))
        if outputs.value != 1:
            raise NativeError(f"{outputs.value} numbers a row; one is served")
        self._columns = columns.value
        check(
            free.LGBM_BoosterPredictForMatSingleRowFastInit(
                self._booster, _NORMAL, _FIRST, _ALL, _FLOAT64, self._columns, _ONE_THREAD, ctypes.byref(self._fast)
            )
        )
        # One row in, one number out, at places that stay: a call then has nothing to convert.
        self._row, self._score, self._length = np.empty(self._columns), np.empty(1), ctypes.c_int64()
        self._call = library.held.LGBM_BoosterPredictForMatSingleRowFast
        self._arguments = (
            self._fast,
            ctypes.c_void_p(self._row.ctypes.data),
            ctypes.byref(self._length),
            ctypes.c_void_p(self._score.ctypes.data),
        )
        self._one = threading.Lock()
        self._tables = batch_tables(text)

    def __del__(self) -> None:
        if self._fast.value:
            self._library.free.LGBM_FastConfigFree(self._fast)
        if self._booster.value:
            self._library.free.LGBM_BoosterFree(self._booster)

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores by row, on one thread."""
        rows, columns = matrix.shape
        if columns != self._columns:
            # The library would read past the end of a row.
            raise ValueError(f"{columns} columns; the model has {self._columns}")
        if self._tables is not None and self._tables.pays(rows):
            return self._tables.predict(matrix)
        if rows > _FEW:
            return self._many(np.ascontiguousarray(matrix, dtype=np.float64))
        scores = np.empty(rows)
        with self._one:
            for place in range(rows):
                self._row[:] = matrix[place]
                if self._call(*self._arguments) != 0:
                    self._library.check(-1)
                scores[place] = self._score[0]
        return scores

    def _many(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        scores, length = np.empty(len(matrix)), ctypes.c_int64()
        self._library.check(
            self._library.free.LGBM_BoosterPredictForMat(
                self._booster,
                ctypes.c_void_p(matrix.ctypes.data),
                _FLOAT64,
                ctypes.c_int32(len(matrix)),
                ctypes.c_int32(self._columns),
                _ROW_MAJOR,
                _NORMAL,
                _FIRST,
                _ALL,
                _ONE_THREAD,
                ctypes.byref(length),
                ctypes.c_void_p(scores.ctypes.data),
            )
        )
        return scores
