"""The closed loop, in order. Each function is one arrow of it; `tick` is one turn.

data → features → training → validation → deployment → serving → monitoring → retraining → data
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from trimtab.deployment.decide import decide_rollback
from trimtab.deployment.explain import explain
from trimtab.house import training_run
from trimtab.house.house import House
from trimtab.kernel.canonical import short
from trimtab.kernel.errors import Busy, ContractBreach, Refused
from trimtab.kernel.happening import Happening
from trimtab.kernel.moment import from_us
from trimtab.retraining.decide import decide_retraining
from trimtab.training.pipeline import train as training

SEAL_WITHIN_S = 20.0  # a worker that does not answer for so long has been replaced


def tick(house: House, now: datetime) -> Iterator[Happening]:
    """One turn: do whatever is due at `now`, and say it. A second turn at the same instant does nothing."""
    with house.alone():
        yield from ingest(house, now)
        yield from materialise(house)
        yield from compact(house, now)
        yield from monitor(house, now)
    house.act.publish()
    yield from retrain(house, now)


def ingest(house: House, now: datetime) -> Iterator[Happening]:
    """Data: what became known since the last turn becomes a dataset version, if its contract holds."""
    for source in house.system.sources:
        try:
            version = house.ingest(source, now)
        except ContractBreach as breach:
            house.ingest.block(source, breach, now)
            yield Happening("data", f"source {source.name} is blocked: {breach.got}", "bad")
            continue
        if version is not None:
            yield Happening("data", f"{version.id}: {version.rows:,} rows", "routine")
            if version.quarantined:
                rows = "1 row" if version.quarantined == 1 else f"{version.quarantined:,} rows"
                told = f"{version.id}: {rows} broke the contract, now in quarantine"
                yield Happening("data", told, "unsure")


def materialise(house: House) -> Iterator[Happening]:
    """Features: new dataset versions are projected into the online store, for every definition that is in use."""
    route = house.act.route(house.name)
    in_use = [] if route is None else [house.code.system(house.releases.get(one)) for one in route.releases()]
    for system in (house.system, *in_use):
        house.materialise(system.feature_set)
    done = house.outbox.pending("materialise")
    house.outbox.done([message.id for message in done])
    if done:
        yield Happening("features", f"{len(done)} dataset versions projected into the online store", "routine")


def train(house: House, now: datetime, actor: str) -> str:
    """Training: a durable run on everything known at `now`; its id. The same facts give the same run.

    Raises:
        Refused: there is too little to learn from, or to judge by.
    """
    spec = training_run.spec_of(house, now)
    house.workshop()
    try:
        with house.steps() as steps:
            result = steps.run(training, spec.id, spec.body())
    except Refused as refused:
        training_run.record_refusal(house, refused, at=now, actor=actor)
        raise
    training_run.record_run(house, spec, result, at=now, actor=actor)
    return spec.id


def release(house: House, run: str, now: datetime, actor: str) -> str:
    """Validation: the gates judge the run's trial; if all pass, the release is written down. Its digest.

    Raises:
        Refused: a gate did not pass.
    """
    verdicts = training_run.verdicts_of(house, run)
    made = training_run.release_of(house, run, verdicts)
    return house.release_writer.create(made, verdicts, run, at=now, actor=actor)


def deploy(house: House, digest: str, now: datetime, actor: str) -> str:
    """Deployment: the rollout policy plans, the plan is carried out; what was done, in words."""
    plan = house.system.rollout.decide(house.releases.get(digest), house.act.route(house.name))
    with house.alone():
        list(materialise(house))
    house.act(plan, at=now, actor=actor)
    return "; ".join(explain(action) for action in plan)


def rollback(house: House, now: datetime, actor: str, to: str = "") -> str:
    """Rollback: one pointer move, acknowledged by every worker; what was done, in words."""
    known = house.releases.been_in_production(house.name)
    plan = decide_rollback(house.name, house.act.route(house.name), to, known)
    house.act(plan, at=now, actor=actor)
    return "; ".join(explain(action) for action in plan)


def compact(house: House, now: datetime) -> Iterator[Happening]:
    """Serving: answers recorded so far move from the workers' segments into the predictions table."""
    house.seals.unsealed(house.seals.request_seal(), within_s=SEAL_WITHIN_S)
    try:
        done = house.compactor.compact(at=now, actor="loop")
    except Busy:
        return  # another process is at it
    if done.rows:
        told = f"{done.rows:,} predictions compacted from {len(done.segments)} segments"
        yield Happening("serving", told, "routine")


def monitor(house: House, now: datetime) -> Iterator[Happening]:
    """Monitoring: months whose labels have settled are measured."""
    for one in house.measure(house.name, house.system.monitors, house.system.label, now):
        when = from_us(one.since_us).strftime("%B %Y")
        told = f"{one.metric} of {when}: {one.value:.4f} ({one.low:.4f} to {one.high:.4f}), {one.rows:,} labels"
        yield Happening("monitoring", told)


def retrain(house: House, now: datetime) -> Iterator[Happening]:
    """Retraining: if a trigger is due, train, judge and deploy; a refusal is an outcome, not an accident."""
    run = training_run.undecided(house, "loop")
    try:
        if not run:
            reason = decide_retraining(house.system.retrain, training_run.last_tried(house), now)
            if not reason:
                return
            yield Happening("retraining", reason)
            run = train(house, now, "loop")
        digest = release(house, run, now, "loop")
        yield Happening("validation", f"release {short(digest)} passed its gates", "good")
        yield Happening("deployment", deploy(house, digest, now, "loop"), "good")
    except Refused as refused:
        yield Happening("retraining", f"kept the champion: {refused.got}", "bad")
