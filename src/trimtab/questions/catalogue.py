"""All questions, in the order of the loop; found by their words, and told with today's evidence."""

from __future__ import annotations

from collections.abc import Sequence

from trimtab.kernel.errors import NotFound, TrimtabError, UnknownName
from trimtab.questions.groups.data import DATA
from trimtab.questions.groups.deployment import DEPLOYMENT
from trimtab.questions.groups.features import FEATURES
from trimtab.questions.groups.governance import GOVERNANCE
from trimtab.questions.groups.labels import LABELS
from trimtab.questions.groups.monitoring import MONITORING
from trimtab.questions.groups.operations import OPERATIONS
from trimtab.questions.groups.release import RELEASE
from trimtab.questions.groups.retraining import RETRAINING
from trimtab.questions.groups.rollback import ROLLBACK
from trimtab.questions.groups.serving import SERVING
from trimtab.questions.groups.training import TRAINING
from trimtab.questions.groups.validation import VALIDATION
from trimtab.questions.phrases import brief
from trimtab.questions.question import Group, Question
from trimtab.questions.today import Today

GROUPS = (
    DATA,
    FEATURES,
    TRAINING,
    VALIDATION,
    RELEASE,
    DEPLOYMENT,
    SERVING,
    MONITORING,
    LABELS,
    RETRAINING,
    ROLLBACK,
    GOVERNANCE,
    OPERATIONS,
)


def find(words: Sequence[str] = (), *, group: str = "", only_open: bool = False) -> list[Group]:
    """Groups with the questions that are wanted; those without any are left out.

    Args:
        words: all of them must occur in the question, its id, its command or its answer, in any case of letters.
        group: the name of one group; all groups if not given.
        only_open: what no command answers.

    Raises:
        UnknownName: no such group.
        NotFound: no question is left.
    """
    names = [one.name for one in GROUPS]
    if group and group not in names:
        raise UnknownName("group", group, names)
    chosen = [
        Group(one.name, one.title, tuple(asked for asked in one.questions if _wanted(asked, words, only_open)))
        for one in GROUPS
        if group in ("", one.name)
    ]
    found = [one for one in chosen if one.questions]
    if not found:
        said = " ".join(words) or ("open ones" if only_open else "any")
        raise NotFound("question", said, do="see them all with: trimtab questions")
    return found


def _wanted(asked: Question, words: Sequence[str], only_open: bool) -> bool:
    text = " ".join((asked.id, asked.text, asked.command, asked.answer, asked.open)).lower()
    return all(word.lower() in text for word in words) and (bool(asked.open) or not only_open)


def counts(groups: Sequence[Group]) -> tuple[int, int]:
    """How many are answered, and how many are open."""
    asked = [one for group in groups for one in group.questions]
    unanswered = sum(bool(one.open) for one in asked)
    return len(asked) - unanswered, unanswered


def evidence(asked: Question, today: Today) -> str:
    """Today's evidence in one line; "" where there is nothing to compute."""
    if asked.evidence is None:
        return ""
    try:
        return asked.evidence(today)
    except Exception as error:  # one damaged store must not silence the evidence of all others
        return f"NOT readable: {brief(error.what if isinstance(error, TrimtabError) else repr(error))}"
