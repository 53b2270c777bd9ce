"""Durable steps on DBOS.

A run is one or more DBOS workflows, its attempts: `ID`, `ID~2`, `ID~3`, … An attempt that a crash cut off is
recovered by DBOS, which replays the steps it has journalled. An attempt that failed is final to DBOS, so the
next call of `run` starts another one, which finds the finished steps in the step results. The same happens
when a journalled step's key is no longer that of the call, because code or arguments were changed since.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, cast

from dbos import DBOS, SetWorkflowID, WorkflowStatus
from dbos._error import DBOSUnexpectedStepError

from trimtab.adapters.dbos_library import (
    Superseded,
    address,
    error_from,
    error_parts,
    launch,
    log_to,
    sqlite_engine,
    stop_logging,
)
from trimtab.adapters.executor_lock import AdvisoryLock, ExecutorLock, FileLock
from trimtab.kernel.canonical import Json, JsonMap, canonical
from trimtab.kernel.errors import Busy, Conflict, InvalidValue, StepFailed
from trimtab.kernel.step import Pipeline
from trimtab.ports.steps import PipelineRuns

_POLL_S = 0.02
_UNFINISHED = ("PENDING", "ENQUEUED", "DELAYED")


class _OutOfDate(BaseException):
    """Leaves the pipeline past any `except Exception` of the user's."""


class _Closing(BaseException):
    """Leaves the pipeline without an outcome: its attempt stays unfinished and is recovered at the next start."""


class DbosSteps:
    """Implements `Steps`. One at a time in a process, because DBOS is one for each process."""

    _open: ClassVar[DbosSteps | None] = None
    _opening: ClassVar[threading.Lock] = threading.Lock()

    def __init__(
        self,
        url: str,
        *,
        runs: PipelineRuns,
        executor_id: str,
        application_version: int,
        log: Path,
        pipelines: Sequence[Pipeline[..., Any]] = (),
    ) -> None:
        """Start the library and take up what this executor left unfinished.

        Args:
            url: sqlite:///FILE or postgresql://…
            executor_id: names this process's place; a run belongs to the executor that started it.
            application_version: raised when attempts under way cannot be replayed by this code any more.
            log: where the library's own warnings go.
            pipelines: those taken up in the background at once; others are taken up by `run`.

        Raises:
            InvalidValue: not such a URL.
            Busy: another process is this executor, or this process has durable steps open already.
        """
        self._runs = runs
        self._executor_id = executor_id
        self._version = str(application_version)
        self._known = {pipeline.name: pipeline for pipeline in pipelines}
        self._turns: dict[str, tuple[threading.Lock, int]] = {}
        self._turns_lock = threading.Lock()
        self._running: set[str] = set()
        self._closing = False
        where = address(url)
        with DbosSteps._opening:
            if DbosSteps._open is not None:
                raise Busy("the durable library", where="this process", do="close the other DbosSteps first")
            sqlite = where.get_backend_name() == "sqlite"
            self._lock: ExecutorLock = (FileLock if sqlite else AdvisoryLock)(where, executor_id)
            self._engine = sqlite_engine(where) if sqlite else None
            self._handler = log_to(log)
            DbosSteps._open = self
            try:
                launch(where, self._engine, executor_id=executor_id, application_version=application_version)
            except BaseException:
                self._shut()
                raise

    def run(self, pipeline: Pipeline[..., Any], id: str, *args: Any) -> Any:
        """Run a pipeline to its end, or take up the run of this id where it stopped.

        Raises:
            StepFailed: a step gave up after its retries, or the pipeline's own code raised.
            Conflict: the id has been used with another pipeline or other arguments.
            Busy: another executor is at this run.
            InvalidValue: arguments that are not JSON.
        """
        try:
            plain: list[Json] = json.loads(canonical(args))
        except (TypeError, ValueError) as error:
            raise InvalidValue(
                f"the arguments of pipeline '{pipeline.name}'", args, allowed="plain data (JSON)", do=str(error)
            ) from error
        self._known[pipeline.name] = pipeline
        with self._turn(id):
            try:
                return self._runs.result(self._outcome(pipeline.name, id, plain))
            except _Closing:
                raise Busy(f"run '{id}'", where="this process, which closes", do="run it again") from None

    def close(self) -> None:
        """Stop the library's threads; a run that is under way stops behind its present step."""
        with DbosSteps._opening:
            if DbosSteps._open is not self:
                return
            self._closing = True
            # The executor id is not given away while one of its steps is at work.
            while self._running:
                time.sleep(_POLL_S)
            self._shut()

    def _shut(self) -> None:
        DBOS.destroy()
        if self._engine is not None:
            self._engine.dispose()
        stop_logging(self._handler)
        self._lock.release()
        DbosSteps._open = None

    def _outcome(self, name: str, id: str, args: list[Json]) -> JsonMap:
        for number in itertools.count(1):
            attempt = id if number == 1 else f"{id}~{number}"
            status = DBOS.get_workflow_status(attempt)
            if status is None:
                return self._start(attempt, name, id, args)
            if status.input is None or list(status.input["args"]) != [name, id, args]:
                raise Conflict("run", id)
            if status.status in _UNFINISHED and self._is_ours(status, id):
                status = self._awaited(attempt)
                if status.error is not None and not isinstance(status.error, Superseded):
                    raise status.error
            if status.status == "SUCCESS":
                return cast("JsonMap", status.output)
        raise AssertionError("unreachable: numbers do not end")

    def _start(self, attempt: str, name: str, id: str, args: list[Json]) -> JsonMap:
        # In the caller's thread, not the library's: an interrupt from the keyboard reaches the step.
        try:
            with SetWorkflowID(attempt):
                return _pipeline(name, id, args)
        except BaseException as error:
            if not isinstance(error, Exception | _Closing):
                DBOS.cancel_workflow(attempt)
            raise

    def _is_ours(self, status: WorkflowStatus, id: str) -> bool:
        """Whether the library has taken up this unfinished attempt; one of an older version is ended."""
        if status.executor_id != self._executor_id:
            raise Busy(
                f"run '{id}'",
                where=f"executor '{status.executor_id}'",
                do=f"wait for it; or, if that process is dead, start executor '{status.executor_id}' again",
            )
        if status.app_version != self._version:
            DBOS.cancel_workflow(status.workflow_id)
            return False
        return True

    def _awaited(self, attempt: str) -> WorkflowStatus:
        while True:
            status = DBOS.get_workflow_status(attempt)
            if status is not None and status.status not in _UNFINISHED:
                return status
            time.sleep(_POLL_S)

    def execute(self, name: str, id: str, args: list[Json]) -> JsonMap:
        """The body of an attempt, fresh or recovered; called by the library only."""
        pipeline = self._known.get(name)
        if pipeline is None:
            raise Superseded(f"pipeline '{name}' was not known when run '{id}' was recovered")
        self._running.add(id)
        try:
            return self._runs.execute(pipeline, id, args, self._once)
        except _OutOfDate as error:
            raise Superseded(str(error)) from error
        finally:
            self._running.discard(id)

    def _once(self, name: str, key: str, work: Callable[[], JsonMap]) -> JsonMap:
        if self._closing:
            raise _Closing
        failed: list[StepFailed] = []

        def journalled() -> dict[str, Any]:
            try:
                return {"key": key, "result": work()}
            except StepFailed as error:
                failed.append(error)
                return {"key": key, "failed": error_parts(error)}

        try:
            entry = DBOS.run_step({"name": name}, journalled)
        except DBOSUnexpectedStepError as error:
            raise _OutOfDate(str(error)) from error
        if entry["key"] != key:
            raise _OutOfDate(f"step '{name}' was journalled with other code or arguments")
        if failed:
            raise failed[0]
        if "failed" in entry:
            raise error_from(entry["failed"])
        result: JsonMap = entry["result"]
        return result

    @contextmanager
    def _turn(self, id: str) -> Iterator[None]:
        """Callers of one id take turns: the second one gets the first one's result."""
        with self._turns_lock:
            lock, users = self._turns.get(id, (threading.Lock(), 0))
            self._turns[id] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self._turns_lock:
                lock, users = self._turns.pop(id)
                if users > 1:
                    self._turns[id] = (lock, users - 1)


@DBOS.workflow(name="trimtab.pipeline", max_recovery_attempts=None)
def _pipeline(name: str, id: str, args: list[Json]) -> JsonMap:
    steps = DbosSteps._open
    if steps is None:
        raise AssertionError("the library runs a pipeline though no DbosSteps is open")
    return steps.execute(name, id, args)
