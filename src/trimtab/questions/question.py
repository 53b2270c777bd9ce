"""A question of an engineer, the command that answers it, and how today's evidence is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trimtab.questions.today import Today


@dataclass(frozen=True)
class Question:
    """One question."""

    id: str
    text: str
    command: str  # exactly as typed, capitals for what the reader fills in; "" if nothing answers it
    answer: str  # one sentence: what the product does about it, or what there is as long as it is open
    evidence: Callable[[Today], str] | None = None  # reads the stores; None where there is nothing to compute
    open: str = ""  # why no command answers it; "" if one does


@dataclass(frozen=True)
class Group:
    """The questions of one layer."""

    name: str  # as typed behind --group
    title: str
    questions: tuple[Question, ...]
