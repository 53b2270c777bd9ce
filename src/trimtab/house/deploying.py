"""Plans for the route from what the stores hold, and carrying them out."""

from __future__ import annotations

from datetime import datetime

from trimtab.deployment.actions import MoveRoute, Plan, StepRollout
from trimtab.deployment.decide import decide_rollback, decide_shadow
from trimtab.deployment.decide_rollout import decide_rollout
from trimtab.deployment.explain import explain
from trimtab.house.comparing import look
from trimtab.house.house import House
from trimtab.house.parity import traffic
from trimtab.house.projecting import project
from trimtab.kernel.canonical import short
from trimtab.kernel.moment import to_us
from trimtab.kernel.release import Release


def deployment_plan(house: House, digest: str, now: datetime) -> Plan:
    """The rollout policy's plan for a release."""
    facts = house.releases.facts(house.name, digest)
    return house.system.rollout.decide(
        house.releases.get(digest),
        house.act.route(house.name),
        number=len(house.act.rollouts(house.name)) + 1,
        at_us=to_us(now),
        traffic=traffic(house, now, house.system.rollout.audience),
        override=str(facts.get("override", "")),
    )


def shadow_plan(house: House, digest: str, *, on: bool) -> Plan:
    """A release becomes a shadow, or is one no longer."""
    return decide_shadow(house.name, digest, house.act.route(house.name), on=on)


def rollback_plan(house: House, to: str) -> Plan:
    """Back to a release that has answered before; to the champion before this one if none is named."""
    known = house.releases.been_in_production(house.name)
    return decide_rollback(house.name, house.act.route(house.name), to, known)


def rollout_plan(house: House, now: datetime) -> Plan:
    """How the rollout under way goes on, after a look at it; nothing if none is."""
    under_way = house.act.rollout(house.name)
    if under_way is None:
        return []
    rollout, route, since = under_way
    if to_us(now) <= rollout.began_us:
        return []  # the turn that began it, once more: there is nothing to see yet
    return decide_rollout(rollout, route, to_us(since), look(house, rollout, now))


def loaded_by(house: House, plan: Plan) -> list[Release]:
    """Releases that score once the plan is carried out."""
    moves = [action.move if isinstance(action, StepRollout) else action for action in plan]
    digests = [digest for move in moves if isinstance(move, MoveRoute) for digest in move.route().scoring()]
    return [house.releases.get(digest) for digest in dict.fromkeys(digests)]


def move(house: House, plan: Plan, now: datetime, actor: str) -> str:
    """`carry_out`, once the features of what will score are in the online store."""
    with house.alone():
        project(house, *loaded_by(house, plan))
    return carry_out(house, plan, now, actor)


def carry_out(house: House, plan: Plan, now: datetime, actor: str) -> str:
    """Do what the plan says; what was done, in words."""
    house.act(plan, at=now, actor=actor)
    alarm_of_rollbacks(house)
    return "; ".join(explain(action) for action in plan)


def alarm_of_rollbacks(house: House) -> None:
    """A release that has gone back by itself is an alarm. It follows from the ledger, so that no death loses it."""
    known = {(one.subject, one.at): one for one in house.alarms.all()}
    for entry in house.reader.entries(kind="rollout.rolled_back", subject=house.name):
        subject = f"release {short(str(entry.body['release']))}"
        if entry.actor != "loop":
            continue
        alarm = known.get((subject, entry.at))
        if alarm is None:
            house.alarms.raise_(subject, f"rolled back: {entry.body['because']}", entry.at)
        if alarm is None or alarm.over is None:
            house.alarms.end(subject, entry.at)
