"""Rule: a function of the row as it was sent, which asks neither the model nor the feature store."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from trimtab.kernel.canonical import JsonMap
from trimtab.kernel.errors import Misdeclared, TrimtabError
from trimtab.kernel.place import caller
from trimtab.ports.fallback import Said, Unanswered


@dataclass(frozen=True)
class Rule:
    """Implements DeclaredFallback. The function is the one of the release's own code, and versioned with it."""

    function: Callable[[dict[str, Any]], float]
    place: str = ""
    kind = "rule"
    last = False

    @property
    def name(self) -> str:
        """With its function."""
        return f"rule({self._named})"

    @property
    def _named(self) -> str:
        return str(getattr(self.function, "__qualname__", None) or repr(self.function))

    def problems(self, label: str) -> Iterator[TrimtabError]:  # noqa: ARG002 - all fallbacks are asked alike
        """What cannot be called with one row."""
        if not callable(self.function):
            yield self._wrong("is no function", repr(self.function))
        elif inspect.iscoroutinefunction(self.function):
            yield self._wrong("is asynchronous: nobody waits for it", f"async def {self._named}")
        elif not _takes_one(self.function):
            yield self._wrong("cannot be called with a row alone", f"{self._named}{_signature(self.function)}")

    def answer(self, asked: Unanswered) -> Sequence[Said | None]:
        """Each row for itself: one that the function breaks on does not take the others with it."""
        return [self._said(row, asked) for row in asked.rows]

    def _said(self, row: JsonMap, asked: Unanswered) -> Said | None:
        try:
            return Said(_score(self.function({**row})))  # a copy: what it does to the row must not be recorded
        except Exception:
            asked.failed()
            return None

    def _wrong(self, what: str, got: str) -> TrimtabError:
        allowed = "a function of one row, a dict of its fields, that returns a finite number"
        do = "declare fallback=[…, trimtab.fallbacks.rule(function)]"
        return Misdeclared("fallback", "rule", what, where=self.place, allowed=allowed, got=got, do=do)


def _score(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise ValueError(f"a rule has returned {value!r}, which is no finite number")
    return float(value)


def _signature(function: Callable[..., Any]) -> str:
    try:
        return str(inspect.signature(function))
    except (TypeError, ValueError):  # of some functions written in C nothing is known
        return ""


def _takes_one(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind({})
    except ValueError:
        return True
    except TypeError:
        return False
    return True


def rule(function: Callable[[dict[str, Any]], float]) -> Rule:
    """Answer each row with what a function of it returns.

    Args:
        function: of the row as it was sent, a dict, to a finite number. It lives in the project's code, which each
            release pins: a changed rule takes effect with the next release.
    """
    return Rule(function, caller())
