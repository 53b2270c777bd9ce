"""The cause of a mismatch follows from recomputed values alone; what is named holds, wherever one looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.features.mismatch_cause import MOST, ByAnswer, Cause, Values, causes_of, equal

NOTHING: dict[str, Values] = {}


@dataclass
class Again:
    """Implements Recomputation: a value by version, and what was asked for."""

    versions: Sequence[int]
    others: Mapping[str, Values] = field(default_factory=dict)
    push: Values | None = None
    asked: list[int] = field(default_factory=list)

    def of_version(self, number: int) -> ByAnswer:
        self.asked.append(number)
        return {"a": [self.versions[number], None]}

    def by_others(self, _: int) -> Iterator[tuple[str, ByAnswer]]:
        yield from ((whose, {"a": values}) for whose, values in self.others.items())

    def by_push(self, _: int) -> ByAnswer:
        return {} if self.push is None else {"a": self.push}


def found(served: int, in_force: int, again: Again, floor: int = 0) -> Cause:
    return one_cause([served, None], floor, in_force, len(again.versions) - 1, again)


def one_cause(served: Values, floor: int, in_force: int, newest: int, again: Again) -> Cause:
    causes = causes_of({"a": served}, floor, in_force, newest, again)
    assert list(causes) == ["a"]
    return causes["a"]


@pytest.mark.parametrize(
    ("served", "in_force", "versions", "cause"),
    [
        (1, 1, [0, 1, 2], Cause("late data", 2)),
        (1, 1, [0, 1, 1, 1, 1, 1, 1, 2], Cause("late data", 7)),
        (1, 0, [0, 1, 2], Cause("late data", 2)),  # a replay's store is a look ahead
        (0, 1, [0, 1, 1], Cause("staleness", 0)),
        (1, 3, [0, 1, 1, 2], Cause("staleness", 2)),  # the newest of those that give it
        (9, 2, [0, 1, 2], Cause("code")),
        (9, 0, [0], Cause("code")),
    ],
)
def test_by_versions(served: int, in_force: int, versions: list[int], cause: Cause) -> None:
    assert found(served, in_force, Again(versions)) == cause


def test_late_data_before_staleness_before_version_before_code() -> None:
    others, push = {"the working tree": [7, None]}, [7, None]
    assert found(7, 1, Again([7, 7, 8], others, push)).kind == "late data"
    assert found(7, 1, Again([7, 8, 8], others, push)).kind == "staleness"
    assert found(7, 1, Again([6, 8, 8], others, push)) == Cause("version", definition="the working tree")
    assert found(7, 1, Again([6, 8, 8], {"release a": [6, None]}, push)) == Cause("code", definition="push")
    assert found(7, 1, Again([6, 8, 8], {"release a": [7]}, [7, 7])) == Cause("code")


def test_one_value_of_several_is_not_enough() -> None:
    """A view that lost a value is not stale because an older version has none either."""
    again = Again([1, 2])
    assert one_cause([1, 5], 0, 1, 1, again) == Cause("code")
    assert one_cause([1, None], 0, 1, 1, again) == Cause("staleness", 0)
    assert one_cause([1.0, None], 0, 1, 1, again) == Cause("code")


class Many:
    """Implements Recomputation: for several answers, of which some agree with more than one explanation."""

    def __init__(self, versions: Sequence[Mapping[str, int]], push: Mapping[str, int]) -> None:
        self._versions = versions
        self._push = push

    def of_version(self, number: int) -> ByAnswer:
        return {id: [value] for id, value in self._versions[number].items()}

    def by_others(self, _: int) -> Iterator[tuple[str, ByAnswer]]:
        yield "release b", {}

    def by_push(self, _: int) -> ByAnswer:
        return {id: [value] for id, value in self._push.items()}


def test_what_gives_most_answers_is_the_cause_of_each() -> None:
    """One of three pushed values happens to be that of an older version."""
    again = Many([{"a": 4, "b": 9, "c": 9}, {"a": 2, "b": 3, "c": 4}], {"a": 4, "b": 6, "c": 8})
    served: ByAnswer = {"a": [4], "b": [6], "c": [8]}
    assert set(causes_of(served, 0, 1, 1, again).values()) == {Cause("code", definition="push")}
    assert causes_of({"a": [4]}, 0, 1, 1, again) == {"a": Cause("staleness", 0)}
    served = {"a": [4], "b": [9], "c": [8]}
    assert causes_of(served, 0, 1, 1, again) == {
        "a": Cause("staleness", 0),  # two each: the first in the order
        "b": Cause("staleness", 0),
        "c": Cause("code", definition="push"),
    }


def test_the_search_is_bounded_and_says_so() -> None:
    versions = [7, *range(100, 100 + 2 * MOST)]
    again = Again(versions)
    newest = len(versions) - 1
    assert found(7, newest, again) == Cause("code", oldest=newest - MOST)
    assert min(again.asked) == newest - MOST
    assert found(versions[newest - MOST], newest, Again(versions)) == Cause("staleness", newest - MOST)
    assert found(7, MOST, Again(versions)) == Cause("staleness", 0)


@settings(max_examples=200, deadline=None)
@given(versions=st.lists(st.integers(0, 2), min_size=1, max_size=40), data=st.data())
def test_what_is_named_is_so(versions: list[int], data: st.DataObject) -> None:
    newest = len(versions) - 1
    in_force = data.draw(st.integers(0, newest))
    floor = data.draw(st.integers(0, newest))
    served = data.draw(st.sampled_from([value for value in range(4) if value != versions[newest]]))
    cause = found(served, in_force, Again(versions), floor)
    late = [number for number in (in_force, in_force + 1) if number < newest and versions[number] == served]
    older = [number for number in range(floor, in_force) if versions[number] == served]
    if late:
        assert cause.kind == "late data" and cause.version > late[0]
        assert versions[cause.version - 1] == served != versions[cause.version]
    elif older:
        assert cause == Cause("staleness", older[-1])
    else:
        assert cause == Cause("code", oldest=min(floor, in_force))


def test_what_the_store_held_when_the_release_went_live_is_the_oldest() -> None:
    """A missing value does not come from before that, though it is missing there."""
    assert found(0, 4, Again([0, 0, 1, 2, 3]), floor=2) == Cause("code", oldest=2)
    assert found(1, 4, Again([0, 0, 1, 2, 3]), floor=2) == Cause("staleness", 2)
    assert found(9, 1, Again([0, 1, 2]), floor=2) == Cause("code", oldest=1)


def test_a_far_away_end_is_found_in_few_steps() -> None:
    versions = [1] * 5000 + [2] * 3000
    again = Again(versions)
    assert found(1, 10, again) == Cause("late data", 5000)
    assert len(again.asked) < 40


def test_equal_values() -> None:
    assert equal([1, None, "a"], [1, None, "a"])
    assert not equal([1], [1, 2]) and not equal([1], [True]) and not equal([0.1], [0.2])
