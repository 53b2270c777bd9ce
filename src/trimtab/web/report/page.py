"""The report: a system's life in production as one HTML file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from trimtab.house.chronicle import Chronicle, Rollout
from trimtab.house.explanation import Explanation
from trimtab.kernel.canonical import Json, short
from trimtab.web.report.charts.drift_map import drift_map
from trimtab.web.report.charts.loss_gap import loss_gap
from trimtab.web.report.charts.monthly_lines import Series, monthly_lines
from trimtab.web.report.charts.rollout_strip import Common, common, rollout_strip
from trimtab.web.report.charts.time_axis import time_axis
from trimtab.web.report.decisions import shown_decisions, stages
from trimtab.web.report.drills import drills, leak
from trimtab.web.report.explained import explained
from trimtab.web.report.figure import Figure
from trimtab.web.report.figures import Figures
from trimtab.web.report.headline import bigs, sentence
from trimtab.web.report.method import methods
from trimtab.web.report.wording import count, day, long_day, minute, some, span

_FOLDER = "templates"
_SIGNS = {
    "promoted": ("✓", "good"),
    "rolled back": ("↩", "bad"),
    "refused": ("✗", "step"),
    "running": ("○", "step"),
}


@dataclass(frozen=True)
class RolloutShown:
    """One rollout: its words and its strip."""

    release: str
    replaces: str
    end: str
    sign: str
    class_: str
    when: str
    because: str
    answers: str
    among: str  # whose rows, if not everybody's
    strip: Figure


def render(
    chronicle: Chronicle, found: Mapping[str, Json], explanation: Explanation | None, *, made_at: datetime
) -> str:
    """One self-contained HTML file: no network, no fonts, no images; light and dark, for screens and paper.

    Args:
        chronicle: what happened.
        found: the figures of `trimtab demo --json`; what is absent is shown as unknown.
        explanation: one answer to be followed back to its raw rows.
        made_at: aware; stands in the footer.
    """
    figures = Figures(found)
    environment = Environment(
        loader=PackageLoader(__package__, _FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = _own("report.css"), _own("report.js")
    return environment.get_template("report.html.j2").render(
        chronicle=chronicle,
        style=Markup(style),  # noqa: S704 - a file of this package
        script=Markup(script),  # noqa: S704 - a file of this package
        style_hash=_hash(style),
        script_hash=_hash(script),
        period=f"{long_day(chronicle.began, chronicle.zone)} to {long_day(chronicle.until, chronicle.zone)}",
        sentence=sentence(chronicle, figures),
        bigs=bigs(chronicle, figures),
        auc=_auc(chronicle),
        log_loss=_log_loss(chronicle),
        loss_gap=loss_gap(chronicle.months),
        rollouts=_rollouts(chronicle),
        margins=sorted({one.margin for one in chronicle.rollouts if one.margin is not None}),
        drills=drills(figures),
        leak=leak(figures),
        drift=drift_map(chronicle.months),
        alarms=some(len(chronicle.alarms), "alarm"),
        axis=time_axis(chronicle),
        decisions=shown_decisions(chronicle),
        stages=stages(chronicle),
        explained=explained(explanation, chronicle.zone) if explanation else None,
        ledger=_ledger(figures),
        methods=methods(),
        made=minute(made_at, chronicle.zone),
    )


def _own(name: str) -> str:
    return (files(__package__) / _FOLDER / name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    """For the content security policy: nothing runs but what this package wrote."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _auc(one: Chronicle) -> Figure:
    series = (
        Series("managed", "managed", [month.managed_auc for month in one.months]),
        Series("frozen", "frozen", [month.frozen_auc for month in one.months]),
    )
    return monthly_lines("AUC by month", "", "AUC, 1 is perfect", [month.month for month in one.months], series)


def _log_loss(one: Chronicle) -> Figure:
    series = (
        Series("managed", "managed", [month.managed_log_loss for month in one.months]),
        Series("frozen", "frozen", [month.frozen_log_loss for month in one.months]),
    )
    return monthly_lines(
        "Log-loss by month",
        "",
        "nats per answer, lower is better",
        [month.month for month in one.months],
        series,
        230,
    )


def _rollouts(one: Chronicle) -> list[RolloutShown]:
    shared = common(one.rollouts, one.until)
    return [_rollout(each, one, shared) for each in sorted(one.rollouts, key=lambda rollout: rollout.began)]


def _rollout(each: Rollout, one: Chronicle, shared: Common) -> RolloutShown:
    sign, class_ = _SIGNS[each.end]
    when = day(each.began, one.zone)
    if each.ended is not None:
        when += f", {span(each.ended - each.began)}" if each.ended > each.began else ""
    else:
        when += ", until now"
    return RolloutShown(
        release=short(each.release),
        replaces=short(each.replaces),
        end=each.end,
        sign=sign,
        class_=class_,
        when=when,
        because=each.because,
        answers=count(each.answers),
        among=f" among rows with {each.segment}" if each.segment else "",
        strip=rollout_strip(each, one.until, one.zone, shared),
    )


def _ledger(found: Figures) -> list[tuple[str, str]]:
    whole = found.truth("ledger_verified")
    told = {True: "✓ every entry follows from the one before", False: "✗ NOT whole", None: "not checked here"}[
        whole
    ]
    head = found.text("ledger_head")
    rows = [("entries", count(found.count("ledger_entries"))), ("verified", told)]
    return [*rows, ("head", head)] if head else rows
