"""One run of a pipeline: each call of a step is looked up, attempted, stored and noted."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from trimtab.kernel.artefact import Artefact, current_attach
from trimtab.kernel.canonical import Json, JsonMap, digest, short
from trimtab.kernel.step import Step, current_run
from trimtab.ports.step_results import StepResults
from trimtab.ports.steps import Once
from trimtab.runtime.attempts import attempt
from trimtab.runtime.cache_key import CacheKeys
from trimtab.runtime.step_log import StepLog, current_log
from trimtab.runtime.value import Values

PARALLEL_CALLS = min(32, (os.cpu_count() or 1) * 2)


@dataclass(frozen=True)
class _Call:
    step: Step[..., Any]
    name: str  # the step's, or "score[3]" for an item of a map
    number: int  # of the call within the run, from 1
    key: str
    function: Callable[[], Any]


class StepRun:
    """Implements `kernel.step.Run`. Inside a step no run is in force: a step that calls a step calls a function."""

    def __init__(
        self,
        *,
        id: str,
        once: Once,
        results: StepResults,
        values: Values,
        folder: Path,
        parallel: int = PARALLEL_CALLS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._id = id
        self._once = once
        self._results = results
        self._values = values
        self._folder = folder / folder_name(id)
        self._parallel = parallel
        self._sleep = sleep
        self._keys = CacheKeys(id, values)
        self._calls = 0
        self._note_lock = threading.Lock()

    def call(self, step: Step[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run one step, or give back what an equal call gave before."""
        self._calls += 1
        key = self._keys.key(step, args, kwargs)
        call = _Call(step, step.name, self._calls, key, partial(step.function, *args, **kwargs))
        # Frames of a fresh result stay alive until it is decoded, so that they are not read back from disk.
        fresh: list[Any] = []
        stored = self._once(step.name, key, lambda: {"value": self._finished(call, fresh)})
        return self._values.decode(stored["value"])

    def map(self, step: Step[..., Any], items: list[Any]) -> list[Any]:
        """Run one step for each item in parallel; results in the order of the items.

        One entry in the journal; each item's result is stored as it finishes, so that a run that is taken up
        does only the items that are missing.
        """
        self._calls += 1
        number = self._calls
        calls = [
            _Call(
                step,
                f"{step.name}[{at}]",
                number,
                self._keys.key(step, (item,), {}),
                partial(step.function, item),
            )
            for at, item in enumerate(items)
        ]
        fresh: list[Any] = []
        key = digest([call.key for call in calls])
        stored = self._once(f"{step.name}.map", key, lambda: {"values": self._all_finished(calls, fresh)})
        return [self._values.decode(value) for value in stored["values"]]  # type: ignore[union-attr]

    def _all_finished(self, calls: list[_Call], fresh: list[Any]) -> list[Json]:
        different = {call.key: call for call in reversed(calls)}
        stopped = threading.Event()

        def finished(call: _Call) -> Json:
            # Items that have begun are let finish and are stored; the others wait for the next attempt.
            if stopped.is_set():
                raise CancelledError
            try:
                return self._finished(call, fresh)
            except BaseException:
                stopped.set()
                raise

        with ThreadPoolExecutor(self._parallel, thread_name_prefix="step") as pool:
            futures: dict[str, Future[Json]] = {
                call.key: pool.submit(copy_context().run, finished, call) for call in reversed(different.values())
            }
            try:
                wait(futures.values())
            except BaseException:
                stopped.set()
                raise
        failures = [error for error in (future.exception() for future in futures.values()) if error]
        for error in failures:
            if not isinstance(error, CancelledError):
                raise error
        return [futures[call.key].result() for call in calls]

    def _finished(self, call: _Call, fresh: list[Any]) -> Json:
        stored = self._results.get(call.key)
        if stored is not None:
            self._note(call, "cache", 0.0, stored)
            return stored["value"]
        began = time.perf_counter()
        # Another process may have finished the same call first: all go on with the result that was kept.
        kept = self._results.put(call.key, self._performed(call, fresh))
        self._note(call, "ran", time.perf_counter() - began, kept)
        return kept["value"]

    def _performed(self, call: _Call, fresh: list[Any]) -> JsonMap:
        log = StepLog(self._folder / f"{call.number:03d}-{file_name(call.name)}.log")
        attached: dict[str, Artefact] = {}

        def keep(name: str, data: bytes) -> Artefact:
            attached[name] = self._values.artefact(name, data)
            return attached[name]

        def function() -> Any:
            attached.clear()
            return call.function()

        outer = current_run.set(None), current_log.set(log), current_attach.set(keep)
        try:
            result = attempt(call.step, call.name, function, log, self._sleep)
        finally:
            current_run.reset(outer[0])
            current_log.reset(outer[1])
            current_attach.reset(outer[2])
            log.close()
        fresh.append(result)
        return {
            "value": self._values.encode(result, f"the result of step '{call.name}'"),
            "step": call.step.name,
            "run": self._id,
            "artefacts": {name: artefact.digest for name, artefact in sorted(attached.items())},
        }

    def _note(self, call: _Call, source: str, seconds: float, stored: JsonMap) -> None:
        line = {
            "number": call.number,
            "step": call.name,
            "key": call.key,
            "from": source,
            "duration_ms": round(seconds * 1000, 3),
            "artefacts": stored["artefacts"],
        }
        with self._note_lock:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / "calls.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


def folder_name(id: str) -> str:
    """The name of a run's folder: its id where that can be a file name, else made unique by a digest.

    >>> folder_name("flights-2013-04")
    'flights-2013-04'
    >>> folder_name("flights/train")
    'flights_train-ebc7fd347d83'
    """
    name = file_name(id)
    return name if name == id else f"{name}-{short(digest(id))}"


def file_name(text: str) -> str:
    """Text with everything that a file name should not hold replaced, at most 80 characters.

    >>> file_name("score[3]")
    'score[3]'
    """
    return re.sub(r"[^\w.\[\]=+-]", "_", text.lstrip("."), flags=re.ASCII)[:80]
