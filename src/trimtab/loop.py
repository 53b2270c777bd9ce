"""The closed loop, in order. Each function is one arrow of it; `tick` is one turn.

data → features → training → validation → deployment → serving → monitoring → retraining → data
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime

from trimtab.data.block import BROKEN
from trimtab.data.explain import told_of as ingested
from trimtab.deployment.explain import explain, mark_of
from trimtab.house import training_run
from trimtab.house.deploying import carry_out, deployment_plan, move, rollback_plan, rollout_plan, shadow_plan
from trimtab.house.house import House
from trimtab.house.projecting import project
from trimtab.house.source_alarms import blocked, whole
from trimtab.kernel.canonical import short
from trimtab.kernel.counted import counted
from trimtab.kernel.errors import Busy, Refused
from trimtab.kernel.happening import Happening
from trimtab.kernel.source import Source
from trimtab.monitoring.explain import told_of as measured
from trimtab.retraining.decide import decide_retraining
from trimtab.serving.explain import told_of as compacted

SEAL_WITHIN_S = 20.0  # a worker that does not answer for so long has been replaced


def tick(house: House, now: datetime) -> Iterator[Happening]:
    """One turn: do whatever is due at `now`, and say it. A second turn at the same instant does nothing."""
    yield from take(house, now)
    yield from turn(house, now)


def take(house: House, now: datetime, sources: Sequence[Source] = ()) -> Iterator[Happening]:
    """The first half of a tick: what has become known, of some sources or of all."""
    with house.alone():
        yield from ingest(house, now, sources)
        yield from materialise(house)


def turn(house: House, now: datetime) -> Iterator[Happening]:
    """The second half: what follows from it."""
    with house.alone():
        yield from compact(house, now)
        yield from monitor(house, now)
    house.act.publish()
    yield from roll_out(house, now)
    yield from retrain(house, now)


def ingest(house: House, now: datetime, sources: Sequence[Source] = ()) -> Iterator[Happening]:
    """Data: what became known since the last turn becomes a dataset version, if its contract holds."""
    for source, versions in house.ingest.each(sources or house.system.sources, now):
        try:
            for version in versions:
                yield from ingested(version)
        except BROKEN as error:
            yield from blocked(house, source, error, now)
        else:
            yield from whole(house, source, now)


def materialise(house: House) -> Iterator[Happening]:
    """Features: new dataset versions are projected into the online store."""
    if done := project(house):
        yield Happening(
            "features", f"{counted(done, 'dataset version')} projected into the online store", "routine"
        )


def train(house: House, now: datetime, actor: str) -> str:
    """Training: a durable run on everything known at `now`; its id. The same facts give the same run.

    Raises:
        Refused: there is too little to learn from, or to judge by.
    """
    spec = training_run.spec_of(house, now)
    training_run.finish(house, spec, at=now, actor=actor)
    return spec.id


def release(house: House, run: str, now: datetime, actor: str, override: str = "") -> str:
    """Validation: the gates judge the run's trial; if they let it, the release is written down. Its digest.

    Raises:
        Refused: a gate holds it, and nobody says in `override` why it is to be released all the same.
    """
    verdicts = training_run.verdicts_of(house, run)
    made = training_run.release_of(house, run, verdicts)
    admits = training_run.admitted(house)
    return house.release_writer.create(made, verdicts, run, at=now, actor=actor, admits=admits, override=override)


def deploy(house: House, digest: str, now: datetime, actor: str) -> str:
    """Deployment: the rollout policy plans, the plan is carried out; what was done, in words."""
    return move(house, deployment_plan(house, digest, now), now, actor)


def shadow(house: House, digest: str, now: datetime, actor: str, *, on: bool = True) -> str:
    """Deployment: a release scores every row and answers none, or no longer; what was done, in words."""
    return move(house, shadow_plan(house, digest, on=on), now, actor)


def rollback(house: House, now: datetime, actor: str, to: str = "") -> str:
    """Rollback: one pointer move, acknowledged by every worker; what was done, in words."""
    return move(house, rollback_plan(house, to), now, actor)


def roll_out(house: House, now: datetime) -> Iterator[Happening]:
    """Deployment: a canary is compared with the champion, and goes on, takes over or goes back."""
    plan = rollout_plan(house, now)
    try:
        carry_out(house, plan, now, "loop")
    except Refused as refused:  # somebody has moved the route since the look: the next turn looks again
        yield Happening("deployment", refused.got, "unsure")
        return
    yield from (Happening("deployment", explain(action), mark_of(action)) for action in plan)


def compact(house: House, now: datetime) -> Iterator[Happening]:
    """Serving: answers recorded so far move from segments into the predictions table; what is too old leaves it."""
    house.seals.unsealed(house.seals.request_seal(), within_s=SEAL_WITHIN_S)
    with suppress(Busy):  # another process is at it
        yield from compacted(house.compactor.compact(at=now, actor="loop"))
        yield from house.expire(at=now, actor="loop").told()


def monitor(house: House, now: datetime) -> Iterator[Happening]:
    """Monitoring: months whose labels have settled are measured."""
    yield from map(measured, house.measure(house.name, house.system.monitors, house.system.label, now))


def retrain(house: House, now: datetime) -> Iterator[Happening]:
    """Retraining: if a trigger is due, train, judge and deploy; a refusal is an outcome, not an accident."""
    run = training_run.undecided(house, "loop")
    try:
        if not run:
            reason = decide_retraining(house.system.retrain, training_run.last_tried(house), now)
            if not reason or house.act.rollout(house.name) is not None:
                return  # one challenger at a time
            yield Happening("retraining", reason)
            run = train(house, now, "loop")
        digest = release(house, run, now, "loop")
        yield Happening("validation", f"release {short(digest)} may be rolled out", "good")
        yield Happening("deployment", deploy(house, digest, now, "loop"), "good")
    except Refused as refused:
        yield Happening("retraining", f"kept the champion: {refused.got}", "bad")
