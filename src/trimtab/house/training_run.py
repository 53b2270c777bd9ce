"""From facts to a training spec, from a finished run to its record, its verdicts and its release."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import polars as pl

from trimtab.features.request_frame import request_type
from trimtab.house.environment import environment
from trimtab.house.house import House
from trimtab.kernel.canonical import Json, JsonMap
from trimtab.kernel.errors import NotFound, Refused
from trimtab.kernel.feature_schema import feature_from
from trimtab.kernel.moment import to_us
from trimtab.kernel.release import Release
from trimtab.kernel.verdict import Outcome, Verdict
from trimtab.stats.metrics import METRICS
from trimtab.system import System
from trimtab.training.pipeline import train
from trimtab.training.spec import TrainingSpec, spec_from
from trimtab.validation.trial import Trial, judge

KIND = "run"
_REFUSED = "untrained"
_DECIDED = ("route.moved", "release.refused", "deployment.refused")


def spec_of(house: House, now: datetime) -> TrainingSpec:
    """Everything that a training at `now` is made from.

    Raises:
        NotFound: a source has no dataset version yet.
    """
    pinned: dict[str, Json] = {}
    for source in house.system.sources:
        number = house.versions.current(source.name)
        if not number:
            raise NotFound("dataset version", source.name, do="ingest it first: trimtab tick")
        pinned[source.name] = [number, house.versions.version(source.name, number).digest]
    route = house.act.route(house.name)
    return TrainingSpec(
        system=house.name,
        until_us=to_us(now),
        holdout_us=house.system.holdout_us,
        sources=pinned,
        views=house.system.feature_set.versions,
        code=house.blobs.put(house.project.code()),
        champion="" if route is None else route.champion,
        champion_until_us=0 if route is None else _until_us(house.releases.get(route.champion)),
        windows_us=house.system.windows_us,
    )


def finish(house: House, spec: TrainingSpec, *, at: datetime, actor: str) -> None:
    """Run the pipeline to its end, from wherever a killed process has left it, and write down what came of it.

    Raises:
        Refused: there is too little to learn from, or to judge by.
    """
    house.workshop()
    try:
        with house.steps() as steps:
            result = steps.run(train, spec.id, spec.body())
    except Refused as refused:
        record_refusal(house, refused, at=at, actor=actor)
        raise
    record_run(house, spec, result, at=at, actor=actor)


def record_run(house: House, spec: TrainingSpec, result: Mapping[str, Any], *, at: datetime, actor: str) -> None:
    """Log the run to the tracking server, then write it down; a run that is written down stays as it is."""
    if house.reader.record(KIND, spec.id) is not None:
        return
    model = house.blobs.get(str(result["model"]))
    kept = house.workshop().model_format(model)
    trial = trial_of(house, result)
    tracked = house.tracking().log_run(
        experiment=house.name,
        key=spec.id,
        params={
            "rows": result["rows"],
            "first_at": result["first_at"],
            "last_at": result["last_at"],
            "code": spec.code,
        },
        metrics={
            f"trial_{name}": metric.function(trial.label, trial.challenger) for name, metric in METRICS.items()
        },
        tags={"trimtab.system": house.name, "trimtab.training_set": str(result["training_set"])},
        model=model,
        model_file=kept.file,
    )
    body: dict[str, Json] = {
        "spec": spec.body(),
        "result": dict(result),
        "model_format": kept.name,
        "libraries": list(kept.libraries),
        "mlflow": {"run": tracked.run_id, "model_version": tracked.model_version, "uri": tracked.uri},
        "trained_at": at.isoformat(),
    }
    with house.journal.begin(at=at, actor=actor) as unit:
        unit.append("run.finished", spec.id, {"rows": result["rows"], "model": result["model"]})
        unit.put(KIND, spec.id, body)
        unit.point(f"run/{house.name}", spec.id)


def run_record(house: House, run: str) -> JsonMap:
    """What is written down of a run; of the newest one if none is named.

    Raises:
        NotFound: no such run.
    """
    pointer = house.reader.pointer(f"run/{house.name}")
    id = run or ("" if pointer is None else pointer.value)
    body = house.reader.record(KIND, id)
    if body is None:
        raise NotFound("run", run or f"of {house.name}", do="make one with: trimtab train")
    return body


def record_refusal(house: House, refused: Refused, *, at: datetime, actor: str) -> None:
    """Write down that nothing could be trained, and why: the next training is due when the next reason comes."""
    with house.journal.begin(at=at, actor=actor) as unit:
        unit.append("training.refused", house.name, {"because": refused.got})
        unit.point(f"{_REFUSED}/{house.name}", str(to_us(at)))


def last_tried(house: House) -> datetime | None:
    """When a training was last finished, or refused since; None before the first one that was finished."""
    last, refused = (house.reader.pointer(f"{kind}/{house.name}") for kind in (KIND, _REFUSED))
    if last is None or refused is None:
        return None if last is None else last.moved_at
    return max(last.moved_at, refused.moved_at)


def undecided(house: House, actor: str) -> str:
    """The newest run, if `actor` made it and was stopped before anything was decided on it; otherwise ""."""
    last = house.reader.pointer(f"run/{house.name}")
    if last is None or next(house.reader.entries(after=last.ledger_seq - 1)).actor != actor:
        return ""
    later = [house.reader.entries(after=last.ledger_seq, kind=kind, subject=house.name) for kind in _DECIDED]
    return "" if any(True for entries in later for _ in entries) else last.value


def trial_of(house: House, result: Mapping[str, Any]) -> Trial:
    """The trial that a run kept."""
    frame = pl.read_ipc(io.BytesIO(house.blobs.get(str(result["trial"]))))
    arrays = {name: frame[name].to_numpy() for name in ("label", "challenger", "champion")}
    columns = {name: frame[name].to_list() for name in frame.columns if name not in (*arrays, "block")}
    return Trial(**arrays, champion_name="the champion", block=frame["block"].to_numpy(), columns=columns)


def verdicts_of(house: House, run: str) -> list[Verdict]:
    """What the gates say to a run's trial: those that were declared when it was trained."""
    body = run_record(house, run)
    result = cast("Mapping[str, Any]", body["result"])
    spec = spec_from(cast("JsonMap", body["spec"]))
    trial = trial_of(house, result)
    named = f"release {spec.champion[:12]}" if spec.champion else "the base rate (there is no champion yet)"
    trial = Trial(trial.label, trial.challenger, trial.champion, named, trial.block, trial.columns)
    return judge(list(_declared(house, spec).gates), trial)


def admitted(house: House) -> tuple[Outcome, ...]:
    """What the gates may say together to a release.

    Without a champion there is nothing that a rollout could compare with: then every gate must pass.
    """
    return house.system.rollout.admits if house.act.route(house.name) else (Outcome.PASS,)


def release_of(house: House, run: str, verdicts: list[Verdict]) -> Release:
    """The release that a run makes: the same run and the same verdicts make the same release."""
    body = run_record(house, run)
    result = cast("Mapping[str, Any]", body["result"])
    spec = spec_from(cast("JsonMap", body["spec"]))
    system = _declared(house, spec)
    return Release(
        system=house.name,
        model=str(result["model"]),
        model_format=str(body["model_format"]),
        code=spec.code,
        features=tuple(feature_from(one) for one in result["features"]),
        views=spec.views,
        request=_request(house, system, spec),
        key=system.question.key,
        label=system.label.body(),
        training={
            "sources": dict(spec.sources),
            "until_us": spec.until_us,
            "rows": result["rows"],
            "first_at": result["first_at"],
            "last_at": result["last_at"],
            "base_rate": result["base_rate"],
            "training_set": result["training_set_sha256"],
        },
        verdicts=tuple(one.body() for one in verdicts),
        environment=environment(cast("Sequence[str]", body.get("libraries", ()))),
        predictor=dict(result.get("predictor", {})),
    )


def _declared(house: House, spec: TrainingSpec) -> System:
    """The system as it was when the run was started, whatever the working tree says now."""
    return house.code.declared(spec.code, spec.views, f"run {spec.id}")


def _request(house: House, system: System, spec: TrainingSpec) -> tuple[tuple[str, str], ...]:
    """(field, type) of a request, from the rows that the run was trained on."""
    asked = system.question
    pinned = cast("Sequence[int]", spec.sources[asked.source.name])
    schema = house.versions.frame(asked.source.name, pinned[0]).collect_schema()
    return tuple((name, request_type(name, schema[name], asked.place)) for name in system.request_fields)


def _until_us(release: Release) -> int:
    return cast("int", release.training["until_us"])
