"""Explain: a plan in words. Every kind of action has its sentence; the type checker finds a forgotten one."""

from __future__ import annotations

from trimtab.deployment.actions import Action, MoveRoute, Refuse, Stay
from trimtab.kernel.canonical import short


def explain(action: Action) -> str:
    """One sentence."""
    match action:
        case MoveRoute():
            kept = ", ".join(short(one) for one in action.warm) or "none"
            return f"release {short(action.champion)} answers {action.system}: {action.because}; kept warm: {kept}"
        case Refuse():
            return f"release {short(action.release) or '-'} does not answer {action.system}: {action.because}"
        case Stay():
            return f"release {short(action.release)} answers {action.system} already"
