"""A segment of the traffic: the rows of which one request field has one of some values.

The code calls it an audience, since a segment is a file of the prediction log here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from trimtab.kernel.canonical import Json, JsonMap, canonical

Value: TypeAlias = str | int | float | bool
_PLAIN = (str, int, float)  # bool is an int
_MOST = 6  # values that are named in a sentence


@dataclass(frozen=True)
class Audience:
    """Which rows a canary may answer. Equal requests give equal answers, in every worker and in a replay."""

    field: str  # of the request
    values: tuple[Value, ...]
    _wanted: frozenset[tuple[bool, Value]] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_wanted", frozenset((isinstance(one, bool), one) for one in self.values))

    def holds(self, row: JsonMap) -> bool:
        """Whether a row is in it: values are compared as JSON has them, so that true is not 1, but 1.0 is.

        A row without the field is not, and neither is one whose field is null.
        """
        value = row.get(self.field)
        return isinstance(value, _PLAIN) and (isinstance(value, bool), value) in self._wanted

    def among(self, rows: Sequence[JsonMap]) -> list[int]:
        """The numbers of the rows that are in it."""
        return [number for number, row in enumerate(rows) if self.holds(row)]

    @property
    def words(self) -> str:
        """As people read it, after "with".

        >>> Audience("carrier", ("UA", "AA")).words, Audience("premium", (True,)).words
        ('carrier UA or AA', 'premium true')
        """
        shown = [one if isinstance(one, str) else canonical(one).decode() for one in self.values]
        if len(shown) > _MOST:
            return f"{self.field} {', '.join(shown[:_MOST])} … ({len(shown)} values)"
        most, last = ", ".join(shown[:-1]), "".join(shown[-1:])
        return f"{self.field} {most} or {last}" if most else f"{self.field} {last}"

    def body(self) -> dict[str, Json]:
        """As stored."""
        return {"field": self.field, "values": list(self.values)}


def audience_from(body: JsonMap) -> Audience:
    """Read back what `Audience.body` wrote."""
    values = body["values"]
    assert isinstance(values, list)
    assert all(isinstance(one, _PLAIN) for one in values)
    return Audience(str(body["field"]), tuple(values))  # type: ignore[arg-type]
