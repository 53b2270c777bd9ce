"""Explain: a plan in words. Every kind of action has its sentence; the type checker finds a forgotten one."""

from __future__ import annotations

from trimtab.deployment.actions import Action, MoveRoute, Refuse, Stay, StepRollout
from trimtab.kernel.canonical import short
from trimtab.kernel.happening import Mark


def explain(action: Action) -> str:
    """One sentence."""
    match action:
        case MoveRoute():
            kept = ", ".join(short(one) for one in action.warm) or "none"
            return f"release {short(action.champion)} answers {action.system}: {action.because}; kept warm: {kept}"
        case StepRollout():
            return f"release {short(action.release)} {_staged(action)}: {action.move.because}"
        case Refuse():
            return f"release {short(action.release) or '-'} does not answer {action.system}: {action.because}"
        case Stay() if action.because:
            return f"release {short(action.release)} goes on: {action.because}"
        case Stay():
            return f"release {short(action.release)} answers {action.system} already"


def _staged(action: StepRollout) -> str:
    system = action.move.system
    of = system if action.audience is None else f"the rows of {system} with {action.audience.words}"
    match action.stage:
        case "started":
            return f"answers at most {action.ceiling} of {of} as a canary"
        case "advanced":
            return f"goes on to at most {action.ceiling} of {of}"
        case "promoted":
            return f"is promoted, and answers {system}"
        case "rolled_back":
            return f"is rolled back, release {short(action.move.champion)} answers {system}"


def mark_of(action: Action) -> Mark:
    """How it is told."""
    match action:
        case StepRollout(stage="promoted") | MoveRoute():
            return "good"
        case StepRollout(stage="rolled_back") | Refuse():
            return "bad"
        case StepRollout():
            return "step"
        case Stay():
            return "routine"
