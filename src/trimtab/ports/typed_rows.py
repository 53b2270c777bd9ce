"""Rows of a request that were held to the types of their fields while they were decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from msgspec.structs import astuple

from trimtab.kernel.canonical import Json

if TYPE_CHECKING:
    import msgspec

Fields: TypeAlias = Sequence[tuple[str, str]]  # (field, Polars type)
Cells: TypeAlias = tuple[Any, ...]  # of a row, in the order of the fields


@dataclass(frozen=True, eq=False)
class SentNumbers:
    """Which fields of typed rows are features as they were sent, in their order: numbers all. One of a release.

    Args:
        fields: all that a row has.
        places: of those that are features.
    """

    fields: Fields
    places: slice


class TypedRows(Sequence[dict[str, Json]]):
    """Each of the fields, and nothing else, with a value of its type or null: nothing is left to check.

    They read like any rows. Whoever takes many of them at once takes their `cells`: to make a dictionary of each
    row, and then columns of all, takes longer than a small model does.

    Args:
        fields: what each row has.
        records: the rows; each is encoded as an object of its fields.
    """

    __slots__ = ("_cells", "_columns", "fields", "records")

    def __init__(self, fields: Fields, records: list[msgspec.Struct]) -> None:
        self.fields = fields
        self.records = records
        self._cells: list[Cells] | None = None
        self._columns: dict[str, list[Any]] = {}  # that were asked for

    @property
    def cells(self) -> list[Cells]:
        """The values of each row, in the order of the fields."""
        if self._cells is None:
            self._cells = list(map(astuple, self.records))
        return self._cells

    def column(self, field: str) -> list[Any]:
        """The values of one field; of a name that there is not, as many nulls."""
        found = self._columns.get(field)
        if found is None:
            place = next((place for place, (name, _) in enumerate(self.fields) if name == field), None)
            found = [None] * len(self.records) if place is None else [row[place] for row in self.cells]
            self._columns[field] = found
        return found

    def columns(self) -> dict[str, list[Any]]:
        """The values of each field."""
        return {
            name: list(values) for (name, _), values in zip(self.fields, zip(*self.cells, strict=True), strict=True)
        }

    def __len__(self) -> int:
        return len(self.records)

    @overload
    def __getitem__(self, index: int) -> dict[str, Json]: ...

    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Json]]: ...

    def __getitem__(self, index: int | slice) -> dict[str, Json] | list[dict[str, Json]]:
        if isinstance(index, slice):
            return [self._row(one) for one in self.cells[index]]
        return self._row(self.cells[index])

    def __iter__(self) -> Iterator[dict[str, Json]]:
        return map(self._row, self.cells)

    def _row(self, cells: Cells) -> dict[str, Json]:
        return {name: cell for (name, _), cell in zip(self.fields, cells, strict=True)}


def joined(some: Sequence[Sequence[dict[str, Json]]]) -> Sequence[dict[str, Json]]:
    """The rows of several requests, one after the other; typed if those of all are, by the same fields."""
    first = some[0]
    if len(some) == 1:
        return first
    if isinstance(first, TypedRows):
        records: list[msgspec.Struct] = []
        for rows in some:
            if not isinstance(rows, TypedRows) or rows.fields is not first.fields:
                break
            records += rows.records
        else:
            return TypedRows(first.fields, records)
    return [row for rows in some for row in rows]
