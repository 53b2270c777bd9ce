"""A sequence whose members are made when they are looked at: of many that could be, nobody may ever look."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar, overload

_From = TypeVar("_From")
_To_co = TypeVar("_To_co", covariant=True)


class Lazily(Sequence[_To_co], Generic[_From, _To_co]):
    """Each of some things, made anew each time it is asked for.

    >>> squares = Lazily([1, 2, 3], lambda one: one * one)
    >>> squares[1], squares[1:], list(squares), len(squares)
    (4, [4, 9], [1, 4, 9], 3)
    """

    __slots__ = ("_make", "_some")

    def __init__(self, some: Sequence[_From], make: Callable[[_From], _To_co]) -> None:
        self._some, self._make = some, make

    def __len__(self) -> int:
        return len(self._some)

    @overload
    def __getitem__(self, index: int) -> _To_co: ...

    @overload
    def __getitem__(self, index: slice) -> list[_To_co]: ...

    def __getitem__(self, index: int | slice) -> _To_co | list[_To_co]:
        if isinstance(index, slice):
            return list(map(self._make, self._some[index]))
        return self._make(self._some[index])

    def __iter__(self) -> Iterator[_To_co]:
        return map(self._make, self._some)
