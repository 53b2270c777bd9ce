"""The acceptance suite of the product: many questions, and none names a command that does not exist."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from trimtab.cli.lazy import lazy_group
from trimtab.cli.main import COMMANDS, app
from trimtab.kernel.errors import NotFound, UnknownName
from trimtab.questions.catalogue import GROUPS, counts, find
from trimtab.questions.question import Question

ALL = [one for group in GROUPS for one in group.questions]
ANSWERED = [one for one in ALL if not one.open]
USAGE = typer.BadParameter.__bases__[0]  # Typer does not export the class that all its usage errors share
OPEN = [one for one in ALL if one.open]


def parse(command: str) -> None:
    """Read a command with its arguments and options, as if it were to be run.

    Raises:
        USAGE: there is no such command, option or argument.
    """
    program, *words = shlex.split(command)
    assert program == "trimtab"
    group = lazy_group(app, "trimtab.cli", COMMANDS)
    context: Any = group.make_context("trimtab", words)
    while isinstance(context.command, TyperGroup):
        name, found, left = context.command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None
        context = found.make_context(name, left, parent=context)


def test_there_are_many_and_most_are_answered() -> None:
    assert len(ANSWERED) >= 50
    assert counts(GROUPS) == (len(ANSWERED), len(OPEN))
    texts = [one.text for one in ANSWERED]
    assert "What breaks when the schema changes?" in texts
    assert "What is your rollback plan if performance degrades silently?" in texts


def test_ids_and_texts_and_answers_are_unique() -> None:
    for part in ("id", "text", "answer"):
        repeated = {text: n for text, n in Counter(getattr(one, part) for one in ALL).items() if n > 1}
        assert not repeated
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", one.id) for one in ALL)


@pytest.mark.parametrize("one", ANSWERED, ids=lambda one: one.id)
def test_the_command_exists_with_its_options(one: Question) -> None:
    parse(one.command)


@pytest.mark.parametrize(
    "command", ["trimtab rolback", "trimtab rollback --too X", "trimtab audit prove", "trimtab explain"]
)
def test_a_command_that_does_not_exist_is_found(command: str) -> None:
    with pytest.raises(USAGE):
        parse(command)


def test_a_command_that_names_a_question_finds_it() -> None:
    for one in ANSWERED:
        if one.command.startswith("trimtab questions "):
            words = shlex.split(one.command)[2:]
            assert one in [found for group in find(words) for found in group.questions]


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.id)
def test_a_question_is_whole(one: Question) -> None:
    assert one.text.endswith("?") and one.answer.endswith(".")
    assert "|" not in one.text + one.answer + one.open
    assert bool(one.open) is not bool(one.command), "what is open has no command, what is answered has one"
    assert (one.evidence is None) is bool(one.open)


def test_an_answer_is_one_sentence() -> None:
    assert not [one.id for one in ALL if re.search(r"\. [A-Z]", one.answer)]


def test_words_find_questions_in_any_case() -> None:
    found = [one.id for group in find(["ROLLBACK", "silently"]) for one in group.questions]
    assert found == ["rollback-plan"]
    assert [group.name for group in find(group="data")] == ["data"]
    assert [one for group in find(only_open=True) for one in group.questions] == OPEN


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(UnknownName, match="rollback"):
        find(group="rollbacks")
    with pytest.raises(NotFound, match="zebra"):
        find(["zebra"])
