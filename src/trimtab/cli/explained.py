"""How an explanation looks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rich.markup import escape

from trimtab.cli.screen import MARKS, UNSURE, Screen, faint
from trimtab.features.feature_set import by_view
from trimtab.features.provenance import Provenance
from trimtab.house.explanation import Explanation, audience_of
from trimtab.kernel.audience import Audience
from trimtab.kernel.canonical import Json, JsonMap, short
from trimtab.kernel.counted import counted
from trimtab.kernel.dataset_version import version_id
from trimtab.kernel.happening import Mark
from trimtab.kernel.moment import from_us
from trimtab.kernel.prediction import Prediction

_MARK: dict[Json, Mark] = {"pass": "good", "fail": "bad"}


def show_explanation(screen: Screen, one: Explanation, zone: str = "UTC") -> None:
    """From the answer back to raw rows."""
    asked = one.prediction
    screen.title(f"Prediction {asked.id}", f"{asked.system} · {asked.key}")
    screen.facts(_facts(one, zone))
    screen.title("Features", "with dataset versions, source rows, and the age of the newest")
    behind = {found.view: found for found in one.provenance}
    views = by_view(list(one.features))
    width = max((len(view) for view in views), default=0)
    for view, columns in views.items():
        told = _behind(behind[view], one.at) if view in behind else faint("it came with the request")
        screen.hang(f"  [bold]{view:<{width}}[/]  ", told)
        screen.flow([f"{faint(column)} {_value(one.features[f'{view}.{column}'])}" for column in columns])
    if one.release.verdicts:
        screen.title("Gates", "on held-out days, before it was released")
    for verdict in one.release.verdicts:
        mark = MARKS[_MARK.get(verdict["outcome"], "unsure")]
        screen.hang(f"  {mark} ", escape(str(verdict["gate"])))
        screen.hang("    ", faint(str(verdict["reason"])))


def _facts(one: Explanation, zone: str) -> list[tuple[str, str]]:
    asked, by, mlflow = one.prediction, one.deployed_by, one.run["mlflow"]
    assert isinstance(mlflow, dict)
    deployed = faint("not for this answer: a batch asked for the release by its name")
    if by is not None:
        because = f"{_when(by.at, zone)} by {escape(by.actor)}: {escape(str(by.body['because']))}"
        deployed = f"{because}  {faint(f'ledger entry {by.seq}')}"
    how = f"in {asked.latency_us / 1000:.1f} ms" if asked.latency_us else "in a batch"
    took = f"as of {_when(one.at, zone)}, {how}"
    return [
        ("answer", f"[bold]{asked.score:.4f}[/]  {faint(took)}"),
        *(("scored too", f"{score:.4f}  {faint(_by(release, asked))}") for release, score in asked.others),
        *_fallback(one),
        ("truth", _truth(one, zone)),
        *(("feedback", _said(said, zone)) for said in one.feedback),
        ("release", f"{short(asked.release)}  {faint(f'route generation {asked.generation}')}"),
        ("deployed", deployed),
        *_segment(audience_of(one)),
        *_trained(one.release.training),
        ("model", f"{short(one.release.model)}  {faint('MLflow ' + str(mlflow['model_version']))}"),
        *_path(one.release.predictor),
    ]


def _by(release: str, asked: Prediction) -> str:
    """Who scored it, and that this was not before the answer."""
    return f"by {short(release)}{' when it was compacted' if release in dict(asked.later) else ''}"


def _segment(audience: Audience | None) -> list[tuple[str, str]]:
    """Why a canary of a segment was asked at all."""
    if audience is None:
        return []
    return [("segment", f"{escape(audience.words)}  {faint('the canary answers a share of these rows')}")]


def _fallback(one: Explanation) -> list[tuple[str, str]]:
    """What answered in the place of a release, and why."""
    asked = one.prediction
    if not asked.fallback:
        return []
    because = faint(f"release {short(one.unanswered_by)} could not answer: {escape(asked.cause)}")
    return [("fallback", f"[{UNSURE}]{escape(asked.fallback)}[/]  {because}")]


def _trained(training: JsonMap) -> list[tuple[str, str]]:
    """On what; of a model that existed before its system, where it is from."""
    if isinstance(existing := training.get("existing"), dict):
        run = f"MLflow run {existing['run']}" if existing["run"] else f"by MLflow {existing['mlflow']}"
        return [("trained", f"elsewhere  {faint(escape(run))}")]
    sources = training["sources"]
    assert isinstance(sources, dict)
    versions = [version_id(name, int(pin[0])) for name, pin in sources.items() if isinstance(pin, list)]  # type: ignore[arg-type]
    days = f"{str(training['first_at'])[:10]} to {str(training['last_at'])[:10]}"
    return [("trained", f"{training['rows']:,} rows  {faint(days)}"), ("from", ", ".join(versions))]


def _path(proof: JsonMap) -> list[tuple[str, str]]:
    """Which path of the model may answer, and on what grounds; nothing is known of older releases."""
    if not proof:
        return []
    if not proof["fast"]:
        return [("path", f"plain  {faint(escape(str(proof['because'])))}")]
    within = f", within {proof['tolerance']:.0e}" if proof["tolerance"] else ""
    equal = f"equal to the plain one on {proof['rows']:,} real rows{within}"
    return [("path", f"fast  {faint(equal)}")]


def _truth(one: Explanation, zone: str) -> str:
    column = escape(str(one.release.label["column"]))
    if one.label is None:
        return f"{column} is [{UNSURE}]not known yet[/]"
    known = f"known {_when(one.label['known_at'], zone)}, {one.label['dataset_version']}"
    return f"{column} is [bold]{escape(str(one.label['value']))}[/]  {faint(known)}"


def _said(said: dict[str, Any], zone: str) -> str:
    """One piece of feedback."""
    values = [said[name] for name in ("label", "value", "comment") if said[name] is not None]
    told = ", ".join(escape(str(one)) for one in values)
    return f"{escape(said['name'])}: [bold]{told}[/]  {faint('known ' + _when(said['known_at'], zone))}"


def _behind(found: Provenance, at: datetime) -> str:
    if not found.rows:
        return f"[{UNSURE}]{escape(found.source)}: no row was known[/]"
    if not found.versions:
        return faint(found.source)
    versions = " to ".join(version_id(found.source, number) for number in found.versions)
    count = counted(found.rows, "row")
    age = f" · {_span(at - found.newest)} old" if found.newest else ""
    return faint(f"{versions} · {count}{age}")


def _span(age: timedelta) -> str:
    minutes = age // timedelta(minutes=1)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2 * 24 * 60 else f"{age.days} days"


def _value(value: Json) -> str:
    if value is None:
        return f"[{UNSURE}]missing[/]"
    return f"{value:.4g}" if isinstance(value, float) else escape(str(value))


def _when(moment: datetime, zone: str) -> str:
    return moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M %Z")


def explanation_json(one: Explanation) -> dict[str, Any]:
    """Everything, for programs."""
    by = one.deployed_by
    return {
        "prediction": {**one.prediction.__dict__, "at": from_us(one.prediction.at_us).isoformat()},
        "features": one.features,
        "provenance": [found.__dict__ for found in one.provenance],
        "release": {"digest": one.prediction.release, **one.release.body()},
        "run": dict(one.run),
        "deployed_by": None if by is None else {**by.__dict__, "at": by.at.astimezone(UTC).isoformat()},
        "label": one.label,
        "feedback": one.feedback,
    }
