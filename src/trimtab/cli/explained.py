"""How an explanation looks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rich.markup import escape

from trimtab.cli.screen import MARKS, UNSURE, Screen, faint
from trimtab.features.feature_set import by_view
from trimtab.features.provenance import Provenance
from trimtab.house.explanation import Explanation
from trimtab.kernel.canonical import Json, short
from trimtab.kernel.counted import counted
from trimtab.kernel.dataset_version import version_id
from trimtab.kernel.happening import Mark
from trimtab.kernel.moment import from_us

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
        screen.hang(f"  [bold]{view:<{width}}[/]  ", _behind(behind[view], one.at))
        screen.flow([f"{faint(column)} {_value(one.features[f'{view}.{column}'])}" for column in columns])
    screen.title("Gates", "on held-out days, before it was released")
    for verdict in one.release.verdicts:
        mark = MARKS[_MARK.get(verdict["outcome"], "unsure")]
        screen.hang(f"  {mark} ", escape(str(verdict["gate"])))
        screen.hang("    ", faint(str(verdict["reason"])))


def _facts(one: Explanation, zone: str) -> list[tuple[str, str]]:
    asked, training, by = one.prediction, one.release.training, one.deployed_by
    mlflow, sources = one.run["mlflow"], training["sources"]
    assert isinstance(mlflow, dict) and isinstance(sources, dict)
    versions = [version_id(name, int(pin[0])) for name, pin in sources.items() if isinstance(pin, list)]  # type: ignore[arg-type]
    deployed = f"{_when(by.at, zone)} by {escape(by.actor)}: {escape(str(by.body['because']))}"
    took = f"as of {_when(one.at, zone)}, in {asked.latency_us / 1000:.1f} ms"
    days = f"{str(training['first_at'])[:10]} to {str(training['last_at'])[:10]}"
    return [
        ("answer", f"[bold]{asked.score:.4f}[/]  {faint(took)}"),
        ("truth", _truth(one, zone)),
        ("release", f"{short(asked.release)}  {faint(f'route generation {asked.generation}')}"),
        ("deployed", f"{deployed}  {faint(f'ledger entry {by.seq}')}"),
        ("trained", f"{training['rows']:,} rows  {faint(days)}"),
        ("from", ", ".join(versions)),
        ("model", f"{short(one.release.model)}  {faint('MLflow ' + str(mlflow['model_version']))}"),
    ]


def _truth(one: Explanation, zone: str) -> str:
    column = escape(str(one.release.label["column"]))
    if one.label is None:
        return f"{column} is [{UNSURE}]not known yet[/]"
    known = f"known {_when(one.label['known_at'], zone)}, {one.label['dataset_version']}"
    return f"{column} is [bold]{escape(str(one.label['value']))}[/]  {faint(known)}"


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
    return {
        "prediction": {**one.prediction.__dict__, "at": from_us(one.prediction.at_us).isoformat()},
        "features": one.features,
        "provenance": [found.__dict__ for found in one.provenance],
        "release": {"digest": one.prediction.release, **one.release.body()},
        "run": dict(one.run),
        "deployed_by": {**one.deployed_by.__dict__, "at": one.deployed_by.at.astimezone(UTC).isoformat()},
        "label": one.label,
    }
