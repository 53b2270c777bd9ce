"""Executes pipelines with cache, retries, logs and artefacts, on whichever journal is given to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trimtab.kernel.canonical import Json, JsonMap
from trimtab.kernel.errors import StepFailed, TrimtabError
from trimtab.kernel.step import Pipeline, current_run
from trimtab.ports.blobs import Blobs
from trimtab.ports.step_results import StepResults
from trimtab.ports.steps import Once
from trimtab.runtime.run import PARALLEL_CALLS, StepRun
from trimtab.runtime.step_log import captured
from trimtab.runtime.value import Values


class LoggedRuns:
    """Implements the port `PipelineRuns`.

    Args:
        folder: gets one folder for each run: `calls.jsonl` (one line for each call that ran or came from the
            cache, with digests of its artefacts) and a log for each call that said something.
        parallel: threads of one map.
        sleep: waits between attempts, in seconds.
    """

    def __init__(
        self,
        *,
        results: StepResults,
        blobs: Blobs,
        folder: Path,
        parallel: int = PARALLEL_CALLS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._results = results
        self._values = Values(blobs)
        self._folder = folder
        self._parallel = parallel
        self._sleep = sleep

    def execute(self, pipeline: Pipeline[..., Any], id: str, args: Sequence[Json], once: Once) -> JsonMap:
        """Run a pipeline; its result as small plain data.

        Raises:
            StepFailed: a step gave up after its retries, or the pipeline's own code raised.
            InvalidValue: its result cannot be stored.
        """
        run = StepRun(
            id=id,
            once=once,
            results=self._results,
            values=self._values,
            folder=self._folder,
            parallel=self._parallel,
            sleep=self._sleep,
        )
        outer = current_run.set(run)
        try:
            with captured():
                result = pipeline.function(*args)
        except TrimtabError:
            raise
        except Exception as error:
            raise StepFailed(pipeline.name, attempts=1, cause=f"{type(error).__name__}: {error}") from error
        finally:
            current_run.reset(outer)
        return {"value": self._values.encode(result, f"the result of pipeline '{pipeline.name}'")}

    def result(self, stored: JsonMap) -> Any:
        """The value behind what `execute` returned."""
        return self._values.decode(stored["value"])
