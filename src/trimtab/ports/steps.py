"""Durable execution: a pipeline run that is resumed after a crash, never repeated."""

from __future__ import annotations

from typing import Any, Protocol

from trimtab.kernel.step import Pipeline


class Steps(Protocol):
    """Runs pipelines. The id names the run: the same id again gives the same run's result."""

    def run(self, pipeline: Pipeline[..., Any], id: str, *args: Any) -> Any:
        """Run a pipeline to its end, or take up the run of this id where it stopped.

        Args:
            pipeline: any function declared with `pipeline`.
            id: derived from what the run is for: (system, stage, window).
            args: plain data (JSON), never frames.

        Raises:
            StepFailed: a step gave up after its retries.
        """
        ...

    def close(self) -> None:
        """Stop the library's threads."""
        ...
