"""Attempts of one call: a time-out for each, and exponential back-off between them.

A time-out ends Python code by an exception raised in its thread. Code inside a C call (a long query, a
training loop in a library) cannot be stopped: it is abandoned in a daemon thread, its result is thrown away,
and it may still be busy while the next attempt runs.
"""

from __future__ import annotations

import ctypes
import threading
import traceback
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from trimtab.kernel.errors import StepFailed, StepTimedOut
from trimtab.kernel.step import Step
from trimtab.runtime.step_log import StepLog

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 60.0


def wait_s(failures: int) -> float:
    """Seconds to wait after so many failed attempts.

    >>> [wait_s(failures) for failures in (1, 2, 3, 20)]
    [0.5, 1.0, 2.0, 60.0]
    """
    return min(FIRST_WAIT_S * 2.0 ** (failures - 1), LONGEST_WAIT_S)


def attempt(
    step: Step[..., Any], name: str, call: Callable[[], Any], log: StepLog, sleep: Callable[[float], None]
) -> Any:
    """The first result of `call` in `1 + step.retries` attempts.

    Args:
        name: of the call, for the error: the step's, or that of one item of a map.

    Raises:
        StepFailed: each attempt failed; the last failure is its cause.
    """
    for number in range(1, step.retries + 2):
        try:
            return call() if step.timeout is None else within(call, step.name, step.timeout.total_seconds())
        except Exception as error:
            log.write(
                f"attempt {number} of {step.retries + 1} failed\n{''.join(traceback.format_exception(error))}"
            )
            if number > step.retries:
                cause = str(error) if isinstance(error, StepTimedOut) else f"{type(error).__name__}: {error}"
                raise StepFailed(name, attempts=number, cause=cause, log=str(log.path)) from error
            log.write(f"next attempt in {wait_s(number):g} s\n")
            sleep(wait_s(number))
    raise AssertionError("unreachable: a step has at least one attempt")


class _Stopped(BaseException):
    """Raised inside the thread of an attempt that is out of time; no `except Exception` catches it."""


def within(call: Callable[[], Any], name: str, timeout_s: float) -> Any:
    """The result of `call`, run in a thread of its own with the caller's context.

    Raises:
        StepTimedOut: no result after `timeout_s` seconds.
    """
    outcome: list[tuple[Any, BaseException | None]] = []
    ended = threading.Event()
    lock = threading.Lock()

    def work() -> None:
        try:
            try:
                result, error = call(), None
            except _Stopped:
                raise
            except BaseException as raised:
                result, error = None, raised
            with lock:
                outcome.append((result, error))
                ended.set()
        except _Stopped:
            ended.set()

    thread = threading.Thread(target=copy_context().run, args=(work,), name=f"step {name}", daemon=True)
    thread.start()
    if not ended.wait(timeout_s):
        with lock:
            if not outcome and thread.ident is not None:
                # Under the lock: a thread that has handed in its result must not be hit.
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_Stopped))
        ended.wait(min(1.0, timeout_s))  # time for `finally` blocks, so that attempts do not overlap needlessly
    if not outcome:
        raise StepTimedOut(name, timeout_s)
    result, error = outcome[0]
    if error is not None:
        raise error
    return result
