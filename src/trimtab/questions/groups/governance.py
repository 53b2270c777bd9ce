"""Questions of governance and audit."""

from __future__ import annotations

from collections import Counter

from trimtab.kernel.counted import counted
from trimtab.questions.phrases import NO_ANSWERS, NOTHING_DEPLOYED, because, minute
from trimtab.questions.question import Group, Question
from trimtab.questions.today import Today

_REFUSED = ("release.refused", "deployment.refused", "training.refused")


def _who(today: Today) -> str:
    moves = today.entries("route.moved")
    if not moves:
        return NOTHING_DEPLOYED
    return f"{moves[-1].actor} on {minute(moves[-1].at)}: {because(moves[-1])}; ledger entry {moves[-1].seq}"


def _whole(today: Today) -> str:
    return today.audit.lines()[0]


def _kept(today: Today) -> str:
    report = today.audit
    if report.head is None:
        return "the ledger is empty"
    return f"a saved head vouches for entry {report.vouched} of {report.entries}; keep this one: {report.head}"


def _acts(today: Today) -> str:
    found = Counter(entry.actor for entry in today.house.reader.entries())
    return (
        ", ".join(f"{actor} {counted(number, 'entry')}" for actor, number in found.most_common(4)) or "nobody yet"
    )


def _refusals(today: Today) -> str:
    refused = today.entries(*_REFUSED)
    if not refused:
        return "nothing was ever refused"
    kinds = Counter(one.kind.partition(".")[0] for one in refused)
    told = ", ".join(f"{kind} {number}" for kind, number in sorted(kinds.items()))
    return f"{counted(len(refused), 'refusal')} in the ledger: {told}; the last on {minute(refused[-1].at)}"


def _trail(today: Today) -> str:
    if today.answers.is_empty():
        return NO_ANSWERS
    known = {digest for digest, _ in today.house.releases.all(today.house.name)}
    found = set(today.answers["release"].unique())
    lost = len(found - known)
    told = f"{counted(today.answers.height, 'answer')} by {counted(len(found), 'release')}"
    return f"{told}, {f'{lost} NOT registered' if lost else 'all registered with run, data and gates'}"


GOVERNANCE = Group(
    "governance",
    "Governance and audit",
    (
        Question(
            "who-deployed",
            "Who put this model into production, and why?",
            "trimtab audit log",
            "No pointer can move without a ledger entry in the same transaction: actor, instant, reason.",
            _who,
        ),
        Question(
            "edited-history",
            "Has anybody edited the history?",
            "trimtab audit verify",
            "Entries are chained by hash, and each commit's head is saved outside of the database.",
            _whole,
        ),
        Question(
            "cut-history",
            "What if somebody rewrites the whole chain, or cuts its end?",
            "trimtab audit verify --head HEAD",
            "A head that you kept elsewhere convicts it.",
            _kept,
        ),
        Question(
            "who-acts",
            "Who has done what, people and loop?",
            "trimtab audit log",
            "Every entry names its actor: a person by the account, or the part of the system.",
            _acts,
        ),
        Question(
            "refusals",
            "What was refused, and why?",
            "trimtab audit log",
            "A refusal is an entry with the plan or the verdicts that led to it, never just a log line.",
            _refusals,
        ),
        Question(
            "raw-rows",
            "Can any answer be followed back to raw rows?",
            "trimtab explain ID --json",
            "From the record to the source rows behind each feature, by dataset version, as they were known then.",
            _trail,
        ),
        Question(
            "access",
            "Who may deploy, and who may only look?",
            "",
            "Who can write the project's folder and database can do everything; the ledger tells who did.",
            open="no roles, keys or approvals",
        ),
        Question(
            "erasure",
            "Can one person's data be erased?",
            "",
            "The ledger holds no personal data, so that erasure stays possible; sources and records are "
            "append-only.",
            open="no command erases rows",
        ),
    ),
)
