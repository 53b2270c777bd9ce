"""How a rollout goes on: facts in, plan out."""

from __future__ import annotations

import math

from trimtab.deployment.actions import Plan, Stage, Stay, StepRollout
from trimtab.deployment.decide import move_champion
from trimtab.deployment.rollout import Rollout
from trimtab.kernel.comparison import Comparison
from trimtab.kernel.route import Canary, Route


def decide_rollout(rollout: Rollout, route: Route, since_us: int, seen: Comparison) -> Plan:
    """Advance, promote, roll back, or wait.

    A canary that answers from features which the offline definition does not give, that cannot score, or whose harm
    is proven, goes back at once. One that has held its last step is promoted when any harm is below the margin, by
    the interval that holds at every look. The horizon's look is the one that was planned: there the ordinary bound
    of a fixed sample decides, and what it cannot clear goes back. A rollout with an audience is compared on its
    rows only; promoted, it answers all, and the reason says that of the others nothing is known.

    Args:
        rollout: as it was begun.
        route: in force, with the rollout's canary.
        since_us: when that route came into force.
        seen: the comparison at this look.
    """
    assert route.canary is not None
    broken = _broken(seen)
    if broken:
        return [_step(rollout, route, "rolled_back", broken, seen)]
    if seen.low > 0:
        return [_step(rollout, route, "rolled_back", f"it is worse: {_harm(rollout, seen)}", seen)]
    held = seen.at_us - since_us >= rollout.hold_us
    following = rollout.next_step(route.canary.buckets)
    harmless = seen.high <= rollout.margin
    if held and not following and harmless:
        told = f"{_harm(rollout, seen)}, below {rollout.margin:g}{_unseen(rollout)}"
        return [_step(rollout, route, "promoted", told, seen)]
    if seen.at_us - rollout.began_us >= rollout.horizon_us:
        if seen.upper == math.inf:
            told = f"at the horizon the labels of {_days(seen)} have settled, too few to bound the harm"
            return [_step(rollout, route, "rolled_back", told, seen)]
        told = f"at the horizon {_in(rollout, seen)} is at most {seen.upper:.4f} over {_days(seen)}"
        if seen.upper <= rollout.margin:
            told += f", below {rollout.margin:g}{_unseen(rollout)}"
            return [_step(rollout, route, "promoted", told, seen)]
        return [_step(rollout, route, "rolled_back", f"{told}, and {rollout.margin:g} is allowed", seen)]
    if held and following:
        return [_step(rollout, route, "advanced", _harm(rollout, seen), seen, following)]
    return [Stay(rollout.system, rollout.release, _harm(rollout, seen))]


def _broken(seen: Comparison) -> str:
    if seen.mismatched:
        return (
            f"parity: {seen.mismatched} of {seen.checked} answers were made from features that their offline "
            f"definition does not give, e.g. {seen.example}"
        )
    return f"it could not score {seen.unscored} rows" if seen.unscored else ""


def _harm(rollout: Rollout, seen: Comparison) -> str:
    if seen.days == 0:
        return "no day's labels have settled yet"
    return f"{_in(rollout, seen)} {seen.harm:+.4f} ({seen.low:+.4f} to {seen.high:+.4f}) over {_days(seen)}"


def _in(rollout: Rollout, seen: Comparison) -> str:
    among = "" if rollout.audience is None else f" among rows with {rollout.audience.words}"
    return f"harm in {seen.metric}{among}"


def _unseen(rollout: Rollout) -> str:
    return "" if rollout.audience is None else "; of all other rows, which it answers from now on, nothing is known"


def _days(seen: Comparison) -> str:
    return "1 day" if seen.days == 1 else f"{seen.days} days"


def _step(
    rollout: Rollout, route: Route, stage: Stage, because: str, seen: Comparison, buckets: int = 0
) -> StepRollout:
    champion = rollout.release if stage == "promoted" else route.champion
    canary = Canary(rollout.release, buckets, rollout.id, rollout.audience) if stage == "advanced" else None
    move = move_champion(rollout.system, champion, route, because, canary)
    ceiling = rollout.ceiling(buckets) if stage == "advanced" else ""
    return StepRollout(rollout.id, stage, rollout.release, move, ceiling, seen.body())
