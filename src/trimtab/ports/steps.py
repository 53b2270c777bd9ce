"""Durable execution: a pipeline run that is resumed after a crash, never repeated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from trimtab.kernel.canonical import Json, JsonMap
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
            StepFailed: a step gave up after its retries, or the pipeline's own code raised.
            Conflict: the id has been used with another pipeline or other arguments.
            Busy: another executor is at this run.
        """
        ...

    def close(self) -> None:
        """Stop the library's threads; a run that is under way stops behind its present step."""
        ...


class Once(Protocol):
    """The journal of one run, as the code that executes the run sees it."""

    def __call__(self, name: str, key: str, work: Callable[[], JsonMap]) -> JsonMap:
        """What `work` returns; from the journal where an equal call of this run has finished before.

        Args:
            name: the step's.
            key: identity of the call; a journalled call with another key is out of date.
        """
        ...


class PipelineRuns(Protocol):
    """Executes pipelines, whichever journal makes them durable."""

    def execute(self, pipeline: Pipeline[..., Any], id: str, args: Sequence[Json], once: Once) -> JsonMap:
        """Run a pipeline; its result as small plain data.

        Raises:
            StepFailed: a step gave up after its retries, or the pipeline's own code raised.
        """
        ...

    def result(self, stored: JsonMap) -> Any:
        """The value behind what `execute` returned."""
        ...
