"""How an explanation looks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.markup import escape

from trimtab.cli.screen import BAD, FAINT, GOOD, Screen
from trimtab.features.feature_set import by_view
from trimtab.features.provenance import Provenance
from trimtab.house.explanation import Explanation
from trimtab.kernel.canonical import Json, short
from trimtab.kernel.dataset_version import version_id
from trimtab.kernel.moment import from_us

_COLOURS = {"pass": GOOD, "fail": BAD}


def show_explanation(screen: Screen, one: Explanation, zone: str = "UTC") -> None:
    """From the answer back to raw rows."""
    asked = one.prediction
    screen.title(f"Prediction {asked.id}", f"{asked.system} · {asked.key}")
    screen.table(("", ""), [(f"[{FAINT}]{name}[/]", text) for name, text in _facts(one, zone)])
    screen.title("Features", "value, the source rows behind it, and the dataset version that brought them")
    screen.table(("feature", "value", "from", "newest source row"), _features(one, zone), right=(1,))
    screen.title("Gates", f"judged on held-out days before {short(asked.release)} was released")
    rows = [
        (
            f"[{_COLOURS.get(str(v['outcome']), 'yellow')}]{v['outcome']}[/]",
            escape(str(v["gate"])),
            escape(str(v["reason"])),
        )
        for v in one.release.verdicts
    ]
    screen.table(("verdict", "gate", "reason"), rows)


def _facts(one: Explanation, zone: str) -> list[tuple[str, str]]:
    asked, training, by = one.prediction, one.release.training, one.deployed_by
    mlflow = one.run["mlflow"]
    assert isinstance(mlflow, dict)
    sources = training["sources"]
    assert isinstance(sources, dict)
    versions = ", ".join(version_id(name, int(pin[0])) for name, pin in sources.items() if isinstance(pin, list))  # type: ignore[arg-type]
    truth = "not known yet"
    if one.label is not None:
        known = _when(one.label["known_at"], zone)
        truth = f"[bold]{one.label['value']}[/], known {known} [{FAINT}]({one.label['dataset_version']})[/]"
    why = f"{escape(str(by.body['because']))} [{FAINT}](ledger entry {by.seq})[/]"
    return [
        (
            "answer",
            f"[bold]{asked.score:.4f}[/], asked as of {_when(one.at, zone)}, {asked.latency_us / 1000:.1f} ms",
        ),
        ("truth", truth),
        ("release", f"{short(asked.release)} [{FAINT}]route generation {asked.generation}[/]"),
        (
            "deployed",
            f"by {escape(by.actor)} at {_when(by.at, zone)}: {why}",
        ),
        (
            "trained",
            f"{training['rows']:,} rows, {str(training['first_at'])[:10]} to {str(training['last_at'])[:10]}",
        ),
        ("from", versions),
        ("model", f"{short(one.release.model)} [{FAINT}]MLflow {mlflow['model_version']}[/]"),
    ]


def _features(one: Explanation, zone: str) -> list[tuple[str, str, str, str]]:
    behind = {found.view: found for found in one.provenance}
    rows = []
    for view, columns in by_view(list(one.features)).items():
        for place, column in enumerate(columns):
            value = _value(one.features[f"{view}.{column}"])
            source = _source(behind[view]) if place == 0 else ""
            newest = _row(behind[view], zone) if place == 0 else ""
            rows.append((f"[{FAINT}]{view}.[/]{column}", value, source, newest))
    return rows


def _source(found: Provenance) -> str:
    if not found.versions:
        return found.source if found.rows else f"[yellow]{found.source}: none[/]"
    versions = " to ".join(version_id(found.source, number) for number in found.versions)
    return f"{versions} [{FAINT}]{found.rows} row{'s' if found.rows > 1 else ''}[/]"


def _row(found: Provenance, zone: str) -> str:
    if not found.shown or not found.versions:
        return ""
    cells = [_cell(name, value, zone) for name, value in list(found.shown[-1].items())[:4]]
    return f"[{FAINT}]{escape(', '.join(cells))}[/]"


def _cell(name: str, value: Any, zone: str) -> str:
    return f"{name}={_when(value, zone) if isinstance(value, datetime) else value}"


def _value(value: Json) -> str:
    if value is None:
        return "[yellow]missing[/]"
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
