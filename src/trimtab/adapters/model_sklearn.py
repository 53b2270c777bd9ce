"""scikit-learn models in skops' format: an archive of arrays and of names of known types, never code.

Plain: the library's own `predict_proba` or `predict`; models whose batches agree with their rows bit by bit are
asked in batches, all others row by row. Fast: forests and linear models, walked and added up here.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.adapters.model_library import corrupt, is_one_of, library, several_outputs
from trimtab.adapters.sklearn_steps import Step, Unknown, steps_of
from trimtab.adapters.sklearn_trees import unsafe_tree
from trimtab.adapters.skops_archive import canonical_archive
from trimtab.kernel.errors import Corrupt, InvalidValue, listed
from trimtab.ports.predictor import NoFastPath

# Parts of scikit-learn's own models that skops does not trust of itself. Trees are looked through before any walk.
_TRUSTED = (
    "functools.partial",  # of a function that must be trusted itself
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils.validation.check_array",
)
# What answers each row by itself, in the same order of sums, however many there are.
_BY_ROW = frozenset(
    (
        "DecisionTreeClassifier",
        "DecisionTreeRegressor",
        "DummyClassifier",
        "DummyRegressor",
        "ExtraTreeClassifier",
        "ExtraTreeRegressor",
        "ExtraTreesClassifier",
        "ExtraTreesRegressor",
        "GradientBoostingClassifier",
        "GradientBoostingRegressor",
        "HistGradientBoostingClassifier",
        "HistGradientBoostingRegressor",
        "MaxAbsScaler",
        "MinMaxScaler",
        "OrdinalEncoder",
        "RandomForestClassifier",
        "RandomForestRegressor",
        "RobustScaler",
        "SimpleImputer",
        "StandardScaler",
    )
)


class SklearnSkops:
    """Implements ModelFormat."""

    name = "sklearn-skops"
    file = "model.skops"
    libraries: tuple[str, ...] = ("scikit-learn", "scipy", "skops")
    runs_code = False
    tolerance = 1e-12  # linear models: the order in which a row is added up

    def accepts(self, model: object) -> bool:
        """An estimator; what it is made of is looked at when it is dumped."""
        return is_one_of(model, "sklearn.base", "BaseEstimator")

    def recognises(self, data: bytes) -> bool:
        """A ZIP archive whose directory, at its end, names skops' schema."""
        return data.startswith(b"PK\x03\x04") and b"schema.json" in data[-1024:]

    def dump(self, model: Any) -> bytes:
        """skops' archive, without what changes from one writing to the next.

        Raises:
            InvalidValue: several classes or targets, no probabilities, or a type that skops does not know.
        """
        _check(model)
        skops = library("skops.io", of=self.name, extra="sklearn")
        data = canonical_archive(skops.dumps(model))
        unknown = set(skops.get_untrusted_types(data=data)) - set(_TRUSTED)
        if unknown:
            raise InvalidValue(
                "a scikit-learn model",
                f"types {listed(unknown)}",
                allowed="models made of scikit-learn's own types",
                do="leave them out of the pipeline, or allow System(…, allow_formats=['pickle'])",
            )
        told = self.load(data).ask(np.zeros((1, int(model.n_features_in_))))
        if told.ndim != 1:
            raise several_outputs("scikit-learn", told.shape[1])
        return data

    def load(self, data: bytes) -> SklearnPredictor:
        """Types that are not known are refused by name before anything is made of them."""
        skops = library("skops.io", of=self.name, extra="sklearn")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of another version; the release's environment tells it
                model = skops.loads(data, trusted=list(_TRUSTED))
            _check(model)
            unsafe = unsafe_tree(model)
        except Exception as error:  # a damaged archive breaks in as many ways as it has parts
            raise self._corrupt(error) from error
        if unsafe:
            raise self._corrupt(unsafe)
        return SklearnPredictor(model)

    def fast(self, data: bytes) -> SklearnSteps | NoFastPath:
        """Forests, linear models, and pipelines that only scale or fill before them."""
        plain = self.load(data)
        try:
            return SklearnSteps(steps_of(plain.model, plain.place), plain)
        except Unknown as unknown:
            return NoFastPath(f"{unknown} is answered by scikit-learn itself")

    def _corrupt(self, got: object) -> Corrupt:
        return corrupt("a scikit-learn model", allowed="skops' format, of scikit-learn's own types", got=got)


class SklearnPredictor:
    """Implements Predictor: the library's own answer, on one thread."""

    def __init__(self, model: Any) -> None:
        # Names of a data frame's columns: a matrix has none, and the library would warn of that for each row.
        for one in _nested(model):
            vars(one).pop("feature_names_in_", None)
            if "n_jobs" in vars(one):
                one.n_jobs = 1
        self.model = model
        self.columns = int(model.n_features_in_)
        self.place = 1 if _is_classifier(model) else 0
        self._by_row = all(type(one).__name__ in _BY_ROW for one in _steps(model))

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores by row.

        Raises:
            ValueError: a value that the model does not take, e.g. NaN, or another number of columns.
        """
        if self._by_row and len(matrix):
            return self.ask(matrix)
        # A row of its own each: BLAS takes another way through one that lies among others, with other last bits.
        rows = [np.array(row, order="C", ndmin=2) for row in matrix]
        return np.concatenate([np.empty(0), *map(self.ask, rows)])

    def ask(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """All rows at once, as the library answers them."""
        with np.errstate(over="ignore"):  # the library refuses such numbers itself
            if self.place:
                return np.asarray(self.model.predict_proba(matrix)[:, 1], dtype=np.float64)
            return np.asarray(self.model.predict(matrix), dtype=np.float64)


class SklearnSteps:
    """Implements Predictor: the same steps without the library's errands. What is not plain goes to the library."""

    def __init__(self, steps: Sequence[Step], plain: SklearnPredictor) -> None:
        self._steps = steps
        self._plain = plain
        self._columns = plain.columns
        self._fills = is_one_of(_steps(plain.model)[0], "sklearn.impute", "SimpleImputer")

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores by row."""
        with np.errstate(all="ignore"):
            sizes = np.abs(matrix)
            largest = np.fmax.reduce(sizes, axis=None, initial=0.0) if self._fills else sizes.max(initial=0.0)
            if matrix.shape[1] != self._columns or not len(matrix) or not largest < _LARGEST:
                return self._unusual(matrix)
            for step in self._steps:
                matrix = step(matrix)
            return matrix

    def _unusual(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Holes and numbers beyond 32 bits, row by row: those beside them must not notice."""
        if matrix.shape[1] != self._columns or len(matrix) <= 1:
            return self._plain.predict(matrix)
        return np.concatenate([self.predict(matrix[row : row + 1]) for row in range(len(matrix))])


_LARGEST = float(np.finfo(np.float32).max)


def _check(model: Any) -> None:
    """Raise InvalidValue unless the model has one number for a row."""
    if _is_classifier(model):
        if not hasattr(model, "predict_proba"):
            raise InvalidValue(
                "a scikit-learn model",
                f"{type(model).__name__}, which has no probabilities",
                allowed="classifiers with predict_proba",
                do="wrap it in sklearn.calibration.CalibratedClassifierCV",
            )
        classes = model.classes_
        if isinstance(classes, list) or len(classes) != 2:
            raise several_outputs("scikit-learn", len(classes))
    elif not is_one_of(model, "sklearn.base", "BaseEstimator") or not _library_base().is_regressor(model):
        raise InvalidValue(
            "a scikit-learn model",
            type(model).__name__,
            allowed="a fitted classifier or regressor, or a pipeline that ends with one",
        )


def _is_classifier(model: Any) -> bool:
    return bool(_library_base().is_classifier(model))


def _library_base() -> Any:
    return library("sklearn.base", of=SklearnSkops.name, extra="sklearn")


def _steps(model: Any) -> list[Any]:
    if is_one_of(model, "sklearn.pipeline", "Pipeline"):
        return [part for _, step in model.steps if step != "passthrough" for part in _steps(step)]
    return [model]


def _nested(model: Any) -> list[Any]:
    """The model and the estimators that it was made with and of."""
    found, waiting = [], [model]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, list | tuple):
            waiting += one
        elif is_one_of(one, "sklearn.base", "BaseEstimator") and id(one) not in seen:
            seen.add(id(one))
            found.append(one)
            waiting += vars(one).values()
    return found
