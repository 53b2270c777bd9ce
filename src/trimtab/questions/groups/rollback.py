"""Questions of rollback."""

from __future__ import annotations

from trimtab.deployment.actions import Refuse
from trimtab.deployment.decide import decide_rollback
from trimtab.deployment.explain import explain
from trimtab.kernel.canonical import short
from trimtab.kernel.counted import counted
from trimtab.kernel.ledger_entry import LedgerEntry
from trimtab.questions.phrases import NOTHING_DEPLOYED, because, minute
from trimtab.questions.question import Group, Question
from trimtab.questions.today import Today

_NONE = "no rollback yet"
_BACK = "rollback"


def _backs(today: Today) -> list[LedgerEntry]:
    """Moves back, made by a person or by the loop."""
    steps = today.entries("rollout.rolled_back")
    moves = [one for one in today.entries("route.moved") if str(one.body.get("because", "")).startswith(_BACK)]
    behind = {one.seq + 1 for one in steps}  # a step back is entered before the move that it makes
    return sorted((*steps, *(one for one in moves if one.seq not in behind)), key=lambda one: one.seq)


def _plan(today: Today) -> str:
    known = today.house.releases.been_in_production(today.house.name)
    plan = decide_rollback(today.house.name, today.route, "", known)
    held = [action.because for action in plan if isinstance(action, Refuse)]
    return f"it would be refused today: {held[0]}" if held else f"today: {'; '.join(explain(one) for one in plan)}"


def _fast(today: Today) -> str:
    backs = _backs(today)
    warm = [] if today.route is None else [short(one) for one in today.route.warm]
    ready = f"warm, so that nothing has to be loaded: {', '.join(warm)}" if warm else "nothing is kept warm yet"
    return f"{counted(len(backs), 'rollback') if backs else _NONE}; {ready}"


def _last(today: Today) -> str:
    backs = _backs(today)
    return f"{minute(backs[-1].at)} by {backs[-1].actor}: {because(backs[-1])}" if backs else _NONE


def _own_code(today: Today) -> str:
    been = today.house.releases.been_in_production(today.house.name)
    if not been:
        return NOTHING_DEPLOYED
    kept = {one: today.house.releases.get(one).code for one in been}
    codes = ", ".join(dict.fromkeys(map(short, kept.values())))
    return f"{counted(len(kept), 'release')} in production so far, each with its code: {codes}"


def _broken(today: Today) -> str:
    try:
        today.house.project.system()
    except Exception as error:  # the project's own file may raise anything
        return f"the working tree is broken ({type(error).__name__}), and this command has worked"
    return "the working tree is whole today; a rollback does not need it"


def _by_itself(today: Today) -> str:
    own = [one for one in _backs(today) if not one.actor.startswith("user:")]
    if not own:
        return "the system has not rolled back by itself yet"
    return f"{counted(len(own), 'time')}, the last on {minute(own[-1].at)} by {own[-1].actor}: {because(own[-1])}"


ROLLBACK = Group(
    "rollback",
    "Rollback",
    (
        Question(
            "rollback-plan",
            "What is your rollback plan if performance degrades silently?",
            "trimtab rollback",
            "One move of the pointer to the champion before, which is kept warm; the months measured by release "
            "say when, and the move is in the ledger.",
            _plan,
        ),
        Question(
            "rollback-time",
            "How long does a rollback take?",
            "trimtab rollback",
            "Every live worker must acknowledge within a second if the release is warm; one that does not is "
            "replaced.",
            _fast,
        ),
        Question(
            "rollback-features",
            "Does a rollback bring the old features back, too?",
            "trimtab rollback --to RELEASE",
            "Yes: a release answers with its own code and definitions, which stay materialised while it is warm.",
            _own_code,
        ),
        Question(
            "rollback-broken-tree",
            "Can I roll back while the working tree is broken?",
            "trimtab rollback",
            "Yes: status, explain, rollback and audit need no declaration that works.",
            _broken,
        ),
        Question(
            "rollback-undone",
            "Can a rollback be undone, and who did the last one?",
            "trimtab rollback",
            "The release that was left stays warm; the same command goes back to it.",
            _last,
        ),
        Question(
            "rollback-by-itself",
            "Who rolls back at three in the morning?",
            "trimtab up",
            "A canary that is proven worse, or that answers from wrong features, is rolled back by the loop.",
            _by_itself,
        ),
        Question(
            "rollback-data",
            "Can I roll the data back to an older version?",
            "",
            "Old versions stay readable and releases pin them; a bad version is overruled by rows known later.",
            open="no command withdraws a dataset version",
        ),
    ),
)
