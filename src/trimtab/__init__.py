"""Trimtab: the whole life of a production ML system as one closed loop.

The public names. They are loaded when they are first used, so that `trimtab --help` need not wait for a
dataframe library.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trimtab.appending import append_rows as append_rows
    from trimtab.appending import give_feedback as give_feedback
    from trimtab.data import checks as checks
    from trimtab.data.feedback import feedback as feedback
    from trimtab.data.readers.sql import sql as sql
    from trimtab.data.readers.stream import stream as stream
    from trimtab.deployment.policies import blue_green as blue_green
    from trimtab.deployment.policies import canary as canary
    from trimtab.deployment.segment import segment as segment
    from trimtab.features.aggregation import aggregate as aggregate
    from trimtab.features.on_request import request_features as request_features
    from trimtab.features.view import feature_view as feature_view
    from trimtab.kernel.artefact import attach as attach
    from trimtab.kernel.label import Label as Label
    from trimtab.kernel.question import Question as Question
    from trimtab.kernel.source import Source as Source
    from trimtab.kernel.step import pipeline as pipeline
    from trimtab.kernel.step import step as step
    from trimtab.monitoring import monitors as monitors
    from trimtab.pipelines import run as run
    from trimtab.retraining import triggers as triggers
    from trimtab.serving import fallbacks as fallbacks
    from trimtab.serving.retention import retention as retention
    from trimtab.system import System as System
    from trimtab.training.training_data import TrainingData as TrainingData
    from trimtab.validation import gates as gates

_HOMES = {
    "Label": "trimtab.kernel.label",
    "Question": "trimtab.kernel.question",
    "Source": "trimtab.kernel.source",
    "System": "trimtab.system",
    "TrainingData": "trimtab.training.training_data",
    "append_rows": "trimtab.appending",
    "aggregate": "trimtab.features.aggregation",
    "attach": "trimtab.kernel.artefact",
    "blue_green": "trimtab.deployment.policies",
    "checks": "trimtab.data",
    "canary": "trimtab.deployment.policies",
    "fallbacks": "trimtab.serving",
    "feature_view": "trimtab.features.view",
    "feedback": "trimtab.data.feedback",
    "gates": "trimtab.validation",
    "give_feedback": "trimtab.appending",
    "monitors": "trimtab.monitoring",
    "pipeline": "trimtab.kernel.step",
    "request_features": "trimtab.features.on_request",
    "retention": "trimtab.serving.retention",
    "run": "trimtab.pipelines",
    "segment": "trimtab.deployment.segment",
    "sql": "trimtab.data.readers.sql",
    "step": "trimtab.kernel.step",
    "stream": "trimtab.data.readers.stream",
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
