"""What an engineer asks of a model in production, the command that answers it, and today's evidence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape

from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import ACCENT, BAD, MARKS, UNSURE, Screen, faint
from trimtab.cli.session import session
from trimtab.kernel.errors import NotAProject
from trimtab.questions.catalogue import GROUPS, counts, evidence, find
from trimtab.questions.question import Group, Question
from trimtab.questions.today import Today

app = plain_app()
_NAMES = ", ".join(one.name for one in GROUPS)
_ALARMING = ("NOT ", " DIFFER", " CHANGED")  # how evidence says that a promise is broken


@app.command()
def questions(
    words: Annotated[
        list[str] | None, typer.Argument(help="Only questions with all of these words; each with its answer.")
    ] = None,
    only_open: bool = typer.Option(False, "--open", help="Only questions that no command answers yet."),
    group: str = typer.Option("", help=f"Only one group: {_NAMES}."),
    as_json: bool = typer.Option(False, "--json", help="Print everything as JSON."),
) -> None:
    """What an engineer asks of a model in production, the command that answers it, and today's evidence."""
    found = find(words or (), group=group, only_open=only_open)
    system, told = _told(found)
    if as_json:
        print(json.dumps(_json(found, system, told), indent=2, ensure_ascii=False))
        return
    _show(found, system, told, in_full=bool(words or group))


def _told(groups: Sequence[Group]) -> tuple[str, dict[str, str]]:
    """The system's name, and the evidence by the question's id; nothing outside of a project."""
    try:
        with session(checked=False) as open_:
            today = Today(open_.house, open_.now)
            told = {one.id: evidence(one, today) for group in groups for one in group.questions if not one.open}
            return open_.house.name, told
    except NotAProject:
        return "", {}


def _show(groups: Sequence[Group], system: str, told: dict[str, str], *, in_full: bool) -> None:
    screen = Screen()
    for group in groups:
        screen.title(group.title)
        width = max(len(one.command) for one in group.questions)
        for one in group.questions:
            screen.hang(f"  {MARKS['unsure' if one.open else 'good']} ", f"[bold]{escape(one.text)}[/]")
            if one.open:
                screen.hang(
                    f"    [{UNSURE}]open[/]  ", f"{escape(one.open)}{faint(f'; today: {_lowered(one.answer)}')}"
                )
                continue
            found = told.get(one.id, "")
            head = f"    [{ACCENT}]{escape(one.command.ljust(width))}[/]  "
            screen.hang(head, _evidence(found) if found else faint(one.answer))
            if found and in_full:
                screen.hang("    ", faint(one.answer))
    answered, unanswered = counts(groups)
    screen.title(f"{answered} answered, {unanswered} open", f"{system}, as of now; times are UTC" if system else "")
    if not system:
        screen.note("evidence is computed from a project's stores: cd into one, or make one with trimtab demo")
    elif not in_full:
        screen.note("trimtab questions WORD … shows what each answer rests on, e.g. trimtab questions rollback")


def _evidence(text: str) -> str:
    return f"[{BAD}]{escape(text)}[/]" if any(one in text for one in _ALARMING) else escape(text)


def _lowered(sentence: str) -> str:
    first, rest = sentence[:1], sentence[1:]
    return (first if rest[:1].isupper() else first.lower()) + rest.rstrip(".")


def _json(groups: Sequence[Group], system: str, told: dict[str, str]) -> dict[str, Any]:
    answered, unanswered = counts(groups)
    asked = [_body(group, one, told.get(one.id, "")) for group in groups for one in group.questions]
    return {"system": system, "answered": answered, "open": unanswered, "questions": asked}


def _body(group: Group, one: Question, found: str) -> dict[str, str]:
    return {
        "id": one.id,
        "group": group.name,
        "question": one.text,
        "command": one.command,
        "answer": one.answer,
        "evidence": found,
        "open": one.open,
    }
