"""Steps and pipelines as declared by the user: a function, and how to run it durably.

A step called inside a pipeline goes through the run in force (`current_run`): cached, retried, journalled.
Called anywhere else it is the plain function, so that a notebook and a unit test need nothing of Trimtab.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from inspect import iscoroutinefunction
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

from trimtab.kernel.errors import InvalidValue
from trimtab.kernel.moment import duration

P = ParamSpec("P")
R = TypeVar("R")


class Run(Protocol):
    """What runs the steps of one pipeline run."""

    def call(self, step: Step[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run one step, or give back what an equal call gave before."""
        ...

    def map(self, step: Step[..., Any], items: list[Any]) -> list[Any]:
        """Run one step for each item in parallel; results in the order of the items."""
        ...


current_run: ContextVar[Run | None] = ContextVar("current_run", default=None)


@dataclass(frozen=True)
class Step(Generic[P, R]):
    """A function and how it is run: how often it is tried, how long it may take, whether it is cached."""

    function: Callable[P, R]
    name: str
    retries: int = 0
    timeout: timedelta | None = None
    cache: bool = True

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        run = current_run.get()
        if run is None:
            return self.function(*args, **kwargs)
        result: R = run.call(self, args, kwargs)
        return result

    def map(self, items: Iterable[Any]) -> list[R]:
        """The step for each item: in parallel inside a pipeline, one after the other outside."""
        run = current_run.get()
        if run is None:
            return [self.function(item) for item in items]  # type: ignore[call-arg]
        return run.map(self, list(items))


@dataclass(frozen=True)
class Pipeline(Generic[P, R]):
    """A function whose steps are durable. Its own code must be deterministic: what varies belongs in a step."""

    function: Callable[P, R]
    name: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def step(
    *, name: str = ..., retries: int = ..., timeout: str | timedelta | None = ..., cache: bool = ...
) -> Callable[[Callable[P, R]], Step[P, R]]: ...
def step(
    function: Callable[P, R] | None = None,
    /,
    *,
    name: str = "",
    retries: int = 0,
    timeout: str | timedelta | None = None,
    cache: bool = True,
) -> Step[P, R] | Callable[[Callable[P, R]], Step[P, R]]:
    """Declare a durable step.

    Args:
        name: defaults to the function's name.
        retries: further attempts after a failure, with exponential back-off.
        timeout: for one attempt, e.g. "10m".
        cache: give back the result of an equal earlier call (same code, same arguments), also of another run.
            False for a step whose effect counts rather than its result: it runs once in each run.

    Raises:
        InvalidValue: fewer than 0 retries, a time-out that is no duration, or an `async` function.

    >>> @step(retries=2)
    ... def double(x: int) -> int:
    ...     return 2 * x
    >>> double(21)
    42
    """

    def declare(function: Callable[P, R]) -> Step[P, R]:
        called = name or function.__name__
        limit = None if timeout is None else duration(timeout, "timeout")
        if retries < 0:
            raise InvalidValue(f"retries of step '{called}'", retries, allowed="0 or more")
        if iscoroutinefunction(function):
            raise InvalidValue(f"the function of step '{called}'", "async def", allowed="a plain function")
        return Step(function, called, retries, limit, cache)

    return declare if function is None else declare(function)


def pipeline(function: Callable[P, R]) -> Pipeline[P, R]:
    """Declare a pipeline: a function that calls steps."""
    return Pipeline(function, function.__name__)
