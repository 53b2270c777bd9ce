"""scikit-learn's linear models, and the plain steps before a model, as sums over one row after another.

The library leaves the sum to BLAS, which adds the last bits in another order for one row than for many. Here each
row is added up by itself: the answer is the same in any batch, and differs from the library's in the last bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trimtab.adapters.model_library import is_one_of
from trimtab.adapters.sklearn_trees import Forest, is_forest

Step: TypeAlias = "Callable[[NDArray[np.float64]], NDArray[np.float64]]"

_LOGISTIC = ("LogisticRegression", "LogisticRegressionCV")
_LINEAR = (
    "ElasticNet",
    "ElasticNetCV",
    "Lasso",
    "LassoCV",
    "LinearRegression",
    "Ridge",
    "RidgeCV",
)


class Unknown(Exception):
    """A model, or a step before it, that is not known here."""


def steps_of(model: Any, place: int) -> list[Step]:
    """What the model does to a matrix of finite numbers and holes, the scores last.

    Args:
        model: fitted, perhaps a pipeline.
        place: of the value to answer with, among those of a classifier; 0 for a regressor.

    Raises:
        Unknown: a step that is not known.
    """
    if is_one_of(model, "sklearn.pipeline", "Pipeline"):
        *before, (_, last) = model.steps
        return [*(_before(step) for _, step in before if step != "passthrough"), *steps_of(last, place)]
    if is_forest(model):
        return [Forest(model, place)]
    kind = type(model)
    if is_one_of(model, "sklearn.linear_model", *_LOGISTIC) and kind.__name__ in _LOGISTIC:
        from_scipy = _expit()
        return [_linear(model.coef_[0], float(model.intercept_[0])), from_scipy]
    if is_one_of(model, "sklearn.linear_model", *_LINEAR) and kind.__name__ in _LINEAR and model.coef_.ndim == 1:
        return [_linear(model.coef_, float(model.intercept_))]
    raise Unknown(kind.__name__)


def _before(step: Any) -> Step:
    if is_one_of(step, "sklearn.preprocessing", "StandardScaler"):
        return _scaled(step.mean_ if step.with_mean else None, step.scale_ if step.with_std else None)
    if is_one_of(step, "sklearn.impute", "SimpleImputer") and _fills_only(step):
        return _filled(np.asarray(step.statistics_, dtype=np.float64))
    raise Unknown(type(step).__name__)


def _fills_only(step: Any) -> bool:
    """Whether all columns stay where they are, and NaN is what is filled."""
    holes = isinstance(step.missing_values, float) and np.isnan(step.missing_values)
    numbers = np.asarray(step.statistics_).dtype.kind == "f" and np.isfinite(step.statistics_).all()
    return bool(holes and numbers and not step.add_indicator)


def _linear(weights: Any, bias: float) -> Step:
    weights = np.ascontiguousarray(weights, dtype=np.float64)
    return lambda matrix: np.add.reduce(np.ascontiguousarray(matrix * weights), axis=1) + bias


def _scaled(mean: Any, scale: Any) -> Step:
    def scaled(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        if mean is not None:
            matrix = matrix - mean
        return matrix if scale is None else matrix / scale

    return scaled


def _filled(values: NDArray[np.float64]) -> Step:
    return lambda matrix: np.where(np.isnan(matrix), values, matrix)


def _expit() -> Step:
    from scipy.special import expit  # noqa: PLC0415 - with scikit-learn, which needs it too, and never without

    found: Step = expit
    return found
