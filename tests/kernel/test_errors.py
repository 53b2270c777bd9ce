"""What each error derives from its values; the promises that all keep are tested in tests/docs."""

import pickle
from datetime import datetime

import pytest

from trimtab.kernel.errors import (
    DeclarationInvalid,
    InvalidValue,
    NaiveTime,
    NoEvidence,
    NotAcknowledged,
    StepFailed,
    TrimtabError,
    UnknownName,
    listed,
)


def test_the_five_parts_are_read_in_order_and_empty_ones_are_left_out() -> None:
    error = TrimtabError("the tap is open", do="close it", got="water", where="kitchen")
    assert str(error) == "the tap is open\n  where:   kitchen\n  got:     water\n  do:      close it"
    assert error.lines() == [("where", "kitchen"), ("got", "water"), ("do", "close it")]
    assert str(TrimtabError("only this")) == "only this"


def test_an_unknown_name_lists_what_is_known_in_order() -> None:
    error = UnknownName(
        "gate", "flor", (name for name in ("slice_floor", "floor", "not_worse")), where="system.py:7"
    )
    assert str(error).splitlines() == [
        "unknown gate 'flor'",
        "  where:   system.py:7",
        "  allowed: floor, not_worse, slice_floor",
        "  got:     flor",
        "  do:      use one of the gates listed, or declare 'flor'",
    ]
    assert UnknownName("gate", "flor", []).allowed == "nothing"
    assert UnknownName("gate", "flor", [], do="declare a gate").do == "declare a gate"


def test_a_list_is_capped_and_says_how_long_it_is() -> None:
    names = [f"column_{number:03}" for number in reversed(range(400))]
    assert listed(names, most=2) == "column_000, column_001 … (400 in all)"
    assert len(listed(names)) < 200
    assert listed(["b", "a"], most=2) == "a, b"
    assert listed([10, 9]) == "10, 9"
    assert listed([]) == "nothing"


def test_a_value_is_shown_as_it_was_given() -> None:
    assert InvalidValue("workers", "2", allowed="a number").got == "'2'"
    assert InvalidValue("workers", 0, allowed="1 or more").got == "0"
    assert "datetime(2013, 4, 1" in NaiveTime("at", datetime(2013, 4, 1)).got  # noqa: DTZ001 - the mistake


@pytest.mark.parametrize(("count", "words"), [(1, "has 1 problem"), (2, "has 2 problems")])
def test_a_declaration_shows_all_its_problems_at_once(count: int, words: str) -> None:
    problems = [InvalidValue(f"setting_{number}", number, allowed="less") for number in range(count)]
    error = DeclarationInvalid("flight-delay", problems)
    assert words in error.what
    text = str(error)
    for number, problem in enumerate(problems, 1):
        assert f"\n{number}. {problem}" in text
    assert text.splitlines()[0].endswith("nothing has been applied")


def test_a_declaration_s_problems_cross_a_process_border() -> None:
    problem = InvalidValue("setting", 1, allowed="less")
    back = pickle.loads(pickle.dumps(DeclarationInvalid("flight-delay", [problem])))
    assert [str(one) for one in back.problems] == [str(problem)]


@pytest.mark.parametrize(("attempts", "words"), [(1, "after 1 attempt"), (3, "after 3 attempts")])
def test_a_step_says_how_often_it_was_tried(attempts: int, words: str) -> None:
    assert StepFailed("fit", attempts=attempts, cause="no rows").what == f"step 'fit' failed {words}"


def test_lists_in_errors_are_derived() -> None:
    assert NoEvidence(["pointer b", "pointer a"]).got == "pointer a, pointer b"
    assert NotAcknowledged(7, [12, 11], 1.0).got == "silent: process 12, 11"
    assert NotAcknowledged(7, [12], 0.5).allowed == "every live worker within 0.5 s"
