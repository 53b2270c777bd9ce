"""`docs/questions.md`: every question with the command that answers it; those without one are listed as open."""

from __future__ import annotations

from trimtab.questions.catalogue import GROUPS, counts
from trimtab.questions.question import Group

HEAD = """\
<!-- Made by tools/generate_docs.py from src/trimtab/questions/. Change that, then: make docs -->

# Questions

What an engineer asks of a model in production: {answered} questions that a command answers, and {unanswered} that
are open. In a project, `trimtab questions` prints them with the evidence of today, computed from its stores;
`trimtab questions rollback` prints those about rollbacks, and what each answer rests on. Capitals in a command
stand for what you fill in.

{contents}
"""
_OPEN = (
    "\n## Open\n\nNo command answers these yet.\n\n| question | what is missing | what there is |\n|---|---|---|\n"
)


def page() -> str:
    """The page."""
    answered, unanswered = counts(GROUPS)
    names = [*(one.title for one in GROUPS), "Open"]
    contents = " ·\n".join(f"[{name}](#{name.lower().replace(' ', '-')})" for name in names)
    head = HEAD.format(answered=answered, unanswered=unanswered, contents=contents)
    gaps = [one for group in GROUPS for one in group.questions if one.open]
    rows = [f"| {one.text} | {one.open} | {one.answer} |\n" for one in gaps]
    return head + "".join(_section(one) for one in GROUPS) + _OPEN + "".join(rows)


def _section(group: Group) -> str:
    rows = [f"| {one.text} | `{one.command}` | {one.answer} |\n" for one in group.questions if not one.open]
    return f"\n## {group.title}\n\n| question | command | answer |\n|---|---|---|\n" + "".join(rows)
