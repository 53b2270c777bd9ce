"""Why a view was served with other values than its offline definition gives: decided by recomputing it.

Compared is all that one view gave an answer, and answers are judged together that were made while one dataset
version was in force. One value alone, above all a missing one, is soon given by something that has nothing to do
with it; what the store held, and whose code answered, is the same for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeAlias

from trimtab.features.parity import same
from trimtab.kernel.canonical import Json

Values: TypeAlias = "Sequence[Json]"  # of one view in one answer
ByAnswer: TypeAlias = "Mapping[str, Values]"  # by the answer's id
Kind = Literal["late data", "staleness", "version", "code"]
MOST = 50  # older dataset versions that are tried
_AHEAD = 1  # a replay's store is a look ahead of the questions


@dataclass(frozen=True)
class Cause:
    """What gives the served values, and from which dataset version on something else would have been served."""

    kind: Kind
    version: int = 0  # late data: the one that brought the facts; staleness: the one whose values were served
    definition: str = ""  # version: whose; code: "push" if the view's own function for the online store gives them
    oldest: int = 0  # code: the oldest dataset version that was tried


class Recomputation(Protocol):
    """One view of some answers, computed anew; answers that cannot be computed are left out."""

    def of_version(self, number: int) -> ByAnswer:
        """By the release's definition, from what was in the dataset at a version; 0 is before the first."""
        ...

    def by_others(self, number: int) -> Iterator[tuple[str, ByAnswer]]:
        """(whose, values) by each other definition of the view."""
        ...

    def by_push(self, number: int) -> ByAnswer:
        """By the functions that make its online facts, where they are not those that make the offline ones."""
        ...


def causes_of(served: ByAnswer, floor: int, in_force: int, newest: int, again: Recomputation) -> dict[str, Cause]:
    """The cause that gives most of the served values, of those that give an answer's; of equal ones the first.

    The order: late data, staleness (the newest version first), version, code.

    Args:
        served: what the view gave to answers; `again.of_version(newest)` is something else for each.
        floor: the dataset version that the online store held at least when the release went live.
        in_force: the dataset version that was the newest when they were made; 0 for features of the request.
        newest: the newest by now.
        again: computes what it is asked for.
    """
    oldest = max(min(floor, in_force), in_force - MOST)
    found: dict[str, tuple[int, Cause]] = {}
    for cause, values in _candidates(oldest, in_force, newest, again):
        given = [id for id, one in served.items() if id in values and equal(values[id], one)]
        found.update({id: (len(given), cause) for id in given if len(given) > found.get(id, (0,))[0]})
        if len(given) == len(served):
            break
    causes = {id: cause for id, (_, cause) in found.items()}
    for id, cause in causes.items():
        if cause.kind == "late data":
            causes[id] = replace(cause, version=_came(id, served[id], cause.version, newest, again))
    return {id: causes.get(id, Cause("code", oldest=oldest)) for id in served}


def _candidates(oldest: int, in_force: int, newest: int, again: Recomputation) -> Iterator[tuple[Cause, ByAnswer]]:
    for number in range(in_force, min(in_force + _AHEAD + 1, newest)):
        yield Cause("late data", number), again.of_version(number)
    for number in reversed(range(oldest, in_force)):
        yield Cause("staleness", number), again.of_version(number)
    tried = dict.fromkeys((in_force, newest))
    for number in tried:
        for whose, values in again.by_others(number):
            yield Cause("version", definition=whose), values
    for number in tried:
        yield Cause("code", definition="push"), again.by_push(number)


def equal(one: Values, other: Values) -> bool:
    """Whether all values are the same JSON."""
    return len(one) == len(other) and all(map(same, one, other))


def _came(id: str, served: Values, given: int, newest: int, again: Recomputation) -> int:
    """A version that the served values end with: they are those of the version before it, and not its own.

    Args:
        given: a version that gives them; the newest does not.
    """

    def gives(number: int) -> bool:
        return equal(again.of_version(number)[id], served)

    step, other = 1, min(given + 1, newest)
    while other < newest and gives(other):
        given, step = other, 2 * step
        other = min(given + step, newest)
    while other - given > 1:
        middle = (given + other) // 2
        given, other = (middle, other) if gives(middle) else (given, middle)
    return other
