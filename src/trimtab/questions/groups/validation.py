"""Questions of validation."""

from __future__ import annotations

from typing import Any, cast

from trimtab.kernel.canonical import JsonMap, short
from trimtab.kernel.counted import counted
from trimtab.kernel.verdict import Outcome
from trimtab.questions.phrases import NOTHING_DEPLOYED, because, brief, minute
from trimtab.questions.question import Group, Question
from trimtab.questions.today import Today


def _verdicts(today: Today, prefix: str) -> list[JsonMap]:
    verdicts = today.champion.verdicts if today.champion else ()
    return [one for one in verdicts if str(one["gate"]).startswith(prefix)]


def _gates(today: Today) -> str:
    if today.champion is None:
        return f"{counted(len(today.house.system.gates), 'gate')} declared; {NOTHING_DEPLOYED}"
    told = ", ".join(f"{one['gate']} {one['outcome']}" for one in today.champion.verdicts)
    return f"release {short(today.champion.digest)}: {told}"


def _said(today: Today, prefix: str, undeclared: str) -> str:
    if today.champion is None:
        return NOTHING_DEPLOYED
    found = _verdicts(today, prefix)
    return str(found[0]["reason"]) if found else undeclared


def _luck(today: Today) -> str:
    if today.champion is None:
        return NOTHING_DEPLOYED
    narrow = [one for one in today.champion.verdicts if one["low"] is not None and one["high"] is not None]
    told = [f"{one['metric']} {one['low']:.4f} to {one['high']:.4f} over {one['blocks']} days" for one in narrow]
    return "; ".join(told) or "no verdict has an interval"


def _undecided(today: Today) -> str:
    refused = today.entries("release.refused")
    verdicts = [one for entry in refused for one in cast("list[JsonMap]", entry.body.get("verdicts", []))]
    unsure = [one for one in verdicts if one["outcome"] == Outcome.INCONCLUSIVE]
    if not unsure:
        return (
            f"{counted(len(refused), 'release')} refused, none of them for want of evidence"
            if refused
            else "no release was refused"
        )
    return f"{counted(len(unsure), 'inconclusive verdict')}, the last: {brief(unsure[-1]['reason'])}"


def _same_bytes(today: Today) -> str:
    if not today.champion_facts or today.champion is None:
        return NOTHING_DEPLOYED
    run = today.house.reader.record("run", today.champion_facts["run"])
    trained = cast("dict[str, Any]", run["result"])["model"] if run else ""
    same = "the model that its run trained" if trained == today.champion.model else "NOT what its run trained"
    return f"the champion's model {short(today.champion.model)} is {same}"


def _overridden(today: Today) -> str:
    found = today.entries("gates.overridden")
    if not found:
        made = counted(len(today.entries("release.created")), "release")
        return f"no gate was ever overridden: {made}"
    last = found[-1]
    return f"{counted(len(found), 'time')}, the last on {minute(last.at)} by {last.actor}: {because(last)}"


VALIDATION = Group(
    "validation",
    "Validation",
    (
        Question(
            "good-enough",
            "Who decides that a model is good enough?",
            "trimtab release",
            "Gates that are declared with the system; their verdicts, with numbers, are part of the release.",
            _gates,
        ),
        Question(
            "no-worse",
            "Is the new model worse than the one in production?",
            "trimtab release",
            "Both score the same held-out rows; the harm, with its interval, must stay below the margin.",
            lambda today: _said(today, "not_worse", "the champion was not compared: no gate not_worse is declared"),
        ),
        Question(
            "luck",
            "Is it better, or was it lucky?",
            "trimtab release",
            "Every verdict has an interval, resampled by whole days, since the rows of one day are not "
            "independent.",
            _luck,
        ),
        Question(
            "slices",
            "Does a good mean hide a group that is served badly?",
            "trimtab release",
            "A floor for each value of a request field; all slices share one error probability.",
            lambda today: _said(today, "slice_floor", "no gate slice_floor is declared"),
        ),
        Question(
            "undecided",
            "What if there is too little evidence to judge?",
            "trimtab release",
            "Inconclusive is not a pass: it is refused, or compared with the champion on real traffic by a canary.",
            _undecided,
        ),
        Question(
            "judged-is-served",
            "Is what was judged also what is served?",
            "trimtab explain ID --json",
            "A release names model, code and definitions by digest, and a worker checks them when it loads.",
            _same_bytes,
        ),
        Question(
            "overrides",
            "Can somebody skip the gates, and would it be seen?",
            "trimtab audit log",
            "Nobody can do it unseen: whatever goes live without its gates stands in the ledger, with who and why.",
            _overridden,
        ),
        Question(
            "fairness",
            "Is the model fair to protected groups?",
            "",
            "slice_floor holds quality above a floor in every slice of a request field; that is not fairness.",
            open="no fairness metric or gate",
        ),
    ),
)
