"""One answer, followed back to its raw rows, as the page shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from trimtab.features.provenance import Provenance
from trimtab.house.explanation import Explanation, audience_of
from trimtab.kernel.canonical import Json, short
from trimtab.kernel.counted import counted
from trimtab.kernel.dataset_version import version_id
from trimtab.web.report.wording import UNKNOWN, minute, number, span

_OUTCOMES = {"pass": ("✓", "good"), "fail": ("✗", "bad")}


@dataclass(frozen=True)
class ViewShown:
    """One feature view: its values, and the rows behind them."""

    name: str
    behind: str
    values: tuple[tuple[str, str], ...]
    rows: tuple[str, ...]  # the newest source rows, as text


@dataclass(frozen=True)
class GateShown:
    """One gate: sign, class of the sign, its name, its reason."""

    sign: str
    class_: str
    gate: str
    reason: str


@dataclass(frozen=True)
class Explained:
    """An explanation in words."""

    id: str
    key: str
    score: str
    truth: str
    truth_known: str
    facts: tuple[tuple[str, str], ...]
    views: tuple[ViewShown, ...]
    gates: tuple[GateShown, ...]


def explained(one: Explanation, zone: str) -> Explained:
    """Everything as text."""
    label = one.label
    return Explained(
        id=one.prediction.id,
        key=one.prediction.key,
        score=number(one.prediction.score),
        truth=_truth(str(one.release.label["column"]), label["value"]) if label else "not known yet",
        truth_known=f"known {minute(label['known_at'], zone)}, from {label['dataset_version']}" if label else "",
        facts=tuple(_facts(one, zone)),
        views=tuple(_view(behind, one, zone) for behind in one.provenance),
        gates=tuple(_gate(verdict) for verdict in one.release.verdicts),
    )


def _truth(column: str, value: object) -> str:
    if isinstance(value, bool):
        return column if value else f"not {column}"
    return f"{column} {value}"


def _facts(one: Explanation, zone: str) -> Iterator[tuple[str, str]]:
    asked, training, by = one.prediction, one.release.training, one.deployed_by
    yield "asked", f"as of {minute(one.at, zone)}, answered in {asked.latency_us / 1000:.1f} ms"
    if asked.fallback:
        could_not = f"release {short(one.unanswered_by)} could not answer: {asked.cause}"
        yield "fallback", f"{asked.fallback}, since {could_not}"
    yield "release", f"{short(asked.release)}, route generation {asked.generation}"
    if asked.others:
        since = dict.fromkeys(dict(asked.later), " when it was compacted")
        told = (f"{number(score)} by {short(name)}{since.get(name, '')}" for name, score in asked.others)
        yield "also scored", ", ".join(told)
    if by is not None:
        because = by.body.get("because", UNKNOWN)
        audience = audience_of(one)
        if audience is not None:
            yield "segment", f"{audience.words}: the canary answers a share of these rows"
        yield "deployed", f"{minute(by.at, zone)} by {by.actor}: {because} (ledger entry {by.seq})"
    rows = training.get("rows")
    if isinstance(rows, int):
        yield "trained on", f"{rows:,} rows, {_date(training.get('first_at'))} to {_date(training.get('last_at'))}"
    yield "model", short(one.release.model)


def _date(value: Json) -> str:
    return str(value)[:10] if value else UNKNOWN


def _view(found: Provenance, one: Explanation, zone: str) -> ViewShown:
    own = f"{found.view}."
    values = tuple(
        (name.removeprefix(own), _value(one.features[name])) for name in one.features if name.startswith(own)
    )
    rows = tuple(", ".join(f"{name} {_cell(cell, zone)}" for name, cell in row.items()) for row in found.shown)
    return ViewShown(found.view, _behind(found, one.at), values, rows)


def _behind(found: Provenance, at: datetime) -> str:
    if not found.rows:
        return f"{found.source}: no row was known"
    if not found.versions:
        return found.source
    versions = " to ".join(version_id(found.source, version) for version in found.versions)
    age = f", the newest {span(at - found.newest)} old" if found.newest else ""
    return f"{versions}, {counted(found.rows, 'row')}{age}"


def _value(value: Json) -> str:
    if value is None:
        return "missing"
    return f"{value:.4g}".replace("-", "−") if isinstance(value, float) else str(value)


def _cell(value: object, zone: str) -> str:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return minute(value, zone)
    return UNKNOWN if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _gate(verdict: object) -> GateShown:
    assert isinstance(verdict, dict)
    sign, class_ = _OUTCOMES.get(str(verdict["outcome"]), ("!", "unsure"))
    return GateShown(sign, class_, str(verdict["gate"]), str(verdict["reason"]))
