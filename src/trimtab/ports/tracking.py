"""Runs, parameters, metrics and model versions, kept where the team already looks: MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class TrackedRun:
    """One finished training run as the tracking server knows it."""

    run_id: str
    model_version: str  # "models:/flight-delay/3"
    uri: str  # the tracking server, without a password


class Tracking(Protocol):
    """One method: all of a run at once, so that a crash leaves no half-logged run behind."""

    def log_run(
        self,
        *,
        experiment: str,
        key: str,
        params: Mapping[str, str | int | float],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        model: bytes,
        model_file: str,
    ) -> TrackedRun:
        """Log a run with its model and register the model version under `experiment`.

        Args:
            key: what the run is for; a second call with the same key and content gives back the first one's run.
            model: the model's bytes in its own safe format, stored as `model_file`.

        Raises:
            Conflict: a run of this key is finished and has other content.
            InvalidValue: a key or file name that cannot be used.
            TrackingFailed: the tracking server does not answer, or does not take the run.
        """
        ...
