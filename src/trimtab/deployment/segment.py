"""A segment of the traffic, as it is declared: whose rows a canary may answer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trimtab.kernel.audience import Audience, Value
from trimtab.kernel.errors import InvalidValue, Misdeclared, TrimtabError, listed, shown
from trimtab.kernel.place import caller

# What values of a request field are, by the type of the field.
_VALUES: dict[str, tuple[tuple[type, ...], str]] = {
    "String": ((str,), "text"),
    "Int64": ((int,), "whole numbers of 64 bits"),
    "Float64": ((int, float), "finite numbers"),
    "Boolean": ((bool,), "True or False"),
}
_ANY: tuple[tuple[type, ...], str] = ((str, int, float), "text, numbers, True or False")


@dataclass(frozen=True)
class Segment:
    """What was written; `problems` says whether it is one."""

    field: Any
    values: Any
    place: str = ""

    @property
    def audience(self) -> Audience:
        """As routes have it, each value once; of a wrong declaration, what can be there."""
        values: Sequence[Any] = self.values if isinstance(self.values, list | tuple) else ()
        once: dict[tuple[bool, Value], Value] = {}
        for one in values:
            if isinstance(one, str | int | float):
                once.setdefault((isinstance(one, bool), one), one)
        return Audience(str(self.field), tuple(once.values()))

    def problems(self, fields: Mapping[str, str]) -> Iterator[TrimtabError]:
        """What is wrong with it.

        Args:
            fields: of a request → their Polars types, "" for a type that is not known; empty: no field is known.
        """
        kind = ""
        if not isinstance(self.field, str) or (fields and self.field not in fields):
            yield self._wrong(
                "names a field that no request carries",
                allowed=listed(fields),
                got=str(self.field),
                do="name one of them, or add the field to the question",
            )
        elif fields:
            kind = fields[self.field]
        if kind and kind not in _VALUES:
            allowed = f"a field of type {listed(_VALUES)}"
            yield self._wrong(
                "names a field of a type that no segment has", allowed=allowed, got=kind, do="name another field"
            )
            return
        types, allowed = _VALUES.get(kind, _ANY)
        if not isinstance(self.values, list | tuple) or not self.values:
            yield InvalidValue(
                "values", self.values, allowed=f"a list of at least one value: {allowed}", where=self.place
            )
            return
        wrong = [one for one in self.values if not _is_one(one, types)]
        if wrong:
            yield self._wrong(
                "has values of the wrong type" if kind else "has values that no request can carry",
                allowed=f"{allowed}, as field '{self.field}' is {kind}" if kind else allowed,
                got=listed([f"{type(one).__name__}: {shown(one)}" for one in wrong]),
                do="write the values as requests carry them",
            )

    def _wrong(self, what: str, *, allowed: str, got: str, do: str) -> TrimtabError:
        return Misdeclared("segment", str(self.field), what, where=self.place, allowed=allowed, got=got, do=do)


def _is_one(value: object, types: tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return bool in types or types is _ANY[0]
    if isinstance(value, int):
        return int in types and -(2**63) <= value < 2**63
    return isinstance(value, types) and (not isinstance(value, float) or math.isfinite(value))


def segment(field: str, values: Sequence[Value]) -> Segment:
    """A segment of the traffic: rows whose request field has one of some values.

    Args:
        field: of the request, the key or one of the question's fields.
        values: as requests carry them: text, numbers, True or False. 1 and 1.0 are the same, 1 and True are not.
    """
    return Segment(field, values, caller())
