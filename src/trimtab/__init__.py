"""Trimtab: the whole life of a production ML system as one closed loop.

The public names. They are loaded when they are first used, so that `trimtab --help` need not wait for a
dataframe library.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trimtab.deployment.policies import blue_green
    from trimtab.features.aggregation import aggregate
    from trimtab.features.on_request import request_features
    from trimtab.features.view import feature_view
    from trimtab.kernel.artefact import attach
    from trimtab.kernel.label import Label
    from trimtab.kernel.question import Question
    from trimtab.kernel.source import Source
    from trimtab.kernel.step import pipeline, step
    from trimtab.monitoring import monitors
    from trimtab.retraining import triggers
    from trimtab.system import System
    from trimtab.training.training_data import TrainingData
    from trimtab.validation import gates

_HOMES = {
    "Label": "trimtab.kernel.label",
    "Question": "trimtab.kernel.question",
    "Source": "trimtab.kernel.source",
    "System": "trimtab.system",
    "TrainingData": "trimtab.training.training_data",
    "aggregate": "trimtab.features.aggregation",
    "attach": "trimtab.kernel.artefact",
    "blue_green": "trimtab.deployment.policies",
    "feature_view": "trimtab.features.view",
    "gates": "trimtab.validation",
    "monitors": "trimtab.monitoring",
    "pipeline": "trimtab.kernel.step",
    "request_features": "trimtab.features.on_request",
    "step": "trimtab.kernel.step",
    "triggers": "trimtab.retraining",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605 - the table above is the one list of names


def __getattr__(name: str) -> Any:
    """Load a public name."""
    if name not in _HOMES:
        raise AttributeError(f"module 'trimtab' has no attribute '{name}'; it has {', '.join(__all__)}")
    home = _HOMES[name]
    value = getattr(import_module(home), name, None) or import_module(f"{home}.{name}")
    globals()[name] = value
    return value
