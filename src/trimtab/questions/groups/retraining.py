"""Questions of retraining."""

from __future__ import annotations

from typing import Any, cast

from trimtab.house.training_run import last_tried
from trimtab.kernel.counted import counted
from trimtab.questions.phrases import NOTHING_DEPLOYED, brief, minute
from trimtab.questions.question import Group, Question
from trimtab.questions.today import Today
from trimtab.retraining.decide import decide_retraining


def _due(today: Today) -> str:
    triggers = today.house.system.retrain
    if not triggers:
        return "no trigger is declared: a person starts each training"
    names = ", ".join(one.name for one in triggers)
    last = last_tried(today.house)
    if last is None:
        return f"{names}; before the first release nothing is due"
    reason = decide_retraining(triggers, last, today.now)
    return f"{names}; last tried on {minute(last)}; {'due now' if reason else 'not due now'}"


def _no_gain(today: Today) -> str:
    refused = today.entries("release.refused")
    if not refused:
        runs, made = len(today.entries("run.finished")), len(today.entries("release.created"))
        return f"no release was refused yet: {counted(runs, 'run')} made {counted(made, 'release')}"
    verdicts = cast("list[dict[str, Any]]", refused[-1].body.get("verdicts", []))
    held = next((one["reason"] for one in verdicts if one["outcome"] != "pass"), "no gate was declared")
    return f"{counted(len(refused), 'release')} refused, the last on {minute(refused[-1].at)}: {brief(held)}"


def _poisoned(today: Today) -> str:
    rows = sum(one.quarantined for versions in today.versions.values() for one in versions)
    blocked = len(today.entries("source.blocked"))
    refused = len(today.entries("release.refused"))
    stopped = f"{counted(rows, 'row')} in quarantine, {counted(blocked, 'version')} blocked"
    return f"{stopped}, {counted(refused, 'release')} refused by gates"


def _history(today: Today) -> str:
    if today.champion is None:
        return NOTHING_DEPLOYED
    training = cast("dict[str, Any]", today.champion.training)
    return f"the champion learnt from {training['first_at'][:10]} to {training['last_at'][:10]}"


def _unattended(today: Today) -> str:
    mine = [one for one in today.entries("release.created", "release.refused") if one.actor == "loop"]
    if not mine:
        return "the loop has not retrained yet"
    made = sum(one.kind == "release.created" for one in mine)
    return f"the loop decided on {counted(len(mine), 'run')}: {made} released, {len(mine) - made} refused"


RETRAINING = Group(
    "retraining",
    "Retraining",
    (
        Question(
            "when-retrained",
            "When is it retrained?",
            "trimtab tick",
            "When a declared trigger says so; the reason is said, and the same facts give the same decision.",
            _due,
        ),
        Question(
            "unattended",
            "Does the loop close without a person?",
            "trimtab up",
            "Each turn retrains if it is due, lets the gates judge, and rolls out what passes.",
            _unattended,
        ),
        Question(
            "no-gain",
            "What if the new model is no better?",
            "trimtab audit log",
            "It is refused with numbers, the champion goes on, and the next attempt waits for the next reason.",
            _no_gain,
        ),
        Question(
            "poisoned",
            "What if the training data are poisoned?",
            "trimtab release",
            "The contract keeps bad rows out; what gets through must still not harm the held-out days.",
            _poisoned,
        ),
        Question(
            "how-much-history",
            "How much of the past did it learn from?",
            "trimtab explain ID",
            "A declared window, by default all that was known at the instant; its period stands in the release.",
            _history,
        ),
        Question(
            "worth-it",
            "What does a retraining cost, and is it worth it?",
            "",
            "Gates say whether a new model is better; nothing weighs that against money or energy.",
            open="no cost model of retraining",
        ),
    ),
)
