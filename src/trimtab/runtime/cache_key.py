"""The cache key of a call: name of the step, its code, and the values of its arguments."""

from __future__ import annotations

import inspect
from typing import Any

from trimtab.kernel.canonical import digest
from trimtab.kernel.errors import InvalidValue
from trimtab.kernel.step import Step
from trimtab.runtime.code_digest import code_digest
from trimtab.runtime.value import Values

# Raised when the meaning of a key changes: all results are then made again.
_KEY_VERSION = 1


class CacheKeys:
    """Keys of one run. A step's code is read once for each run, so that a long process sees a reload."""

    def __init__(self, run_id: str, values: Values) -> None:
        self._run_id = run_id
        self._values = values
        self._code: dict[Step[..., Any], str] = {}
        self._signatures: dict[Step[..., Any], inspect.Signature] = {}
        self._seen: dict[str, int] = {}

    def key(self, step: Step[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """The key of the next call: of its content, or for an uncached step of its place in this run.

        `f(1)` and `f(x=1)` are the same call. Of equal calls of an uncached step the first is the first again
        when the run is taken up; its code does not count, for a finished step is not run again.

        Raises:
            InvalidValue: an argument that cannot pass between steps; arguments that the step does not take.
        """
        arguments = [
            [name, self._values.digest(value, f"argument '{name}' of step '{step.name}'")]
            for name, value in self._bound(step, args, kwargs).items()
        ]
        if step.cache:
            return digest([_KEY_VERSION, "content", step.name, self._code_of(step), arguments])
        call = digest([_KEY_VERSION, "run", self._run_id, step.name, arguments])
        self._seen[call] = self._seen.get(call, 0) + 1
        return digest([call, self._seen[call]])

    def _code_of(self, step: Step[..., Any]) -> str:
        if step not in self._code:
            self._code[step] = code_digest(step.function, self._values)
        return self._code[step]

    def _bound(self, step: Step[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        if step not in self._signatures:
            self._signatures[step] = inspect.signature(step.function)
        signature = self._signatures[step]
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise InvalidValue(
                f"a call of step '{step.name}'", str(error), allowed=f"{step.name}{signature}"
            ) from error
        bound.apply_defaults()
        return bound.arguments
