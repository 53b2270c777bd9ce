"""Entries of the ledger in words: those that moved something, or refused to."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from trimtab.kernel.audience import audience_from
from trimtab.kernel.canonical import JsonMap, short
from trimtab.kernel.happening import Happening, Mark, Stage
from trimtab.kernel.ledger_entry import LedgerEntry
from trimtab.kernel.verdict import Outcome

_Told = tuple[Stage, Mark, Callable[[LedgerEntry], str]]


def told(entry: LedgerEntry) -> Happening | None:
    """The entry as a line of the story; None for what is routine."""
    known = _TOLD.get(entry.kind)
    if known is None:
        return None
    stage, mark, words = known
    return Happening(stage, words(entry), mark)


def _named(entry: LedgerEntry) -> str:
    """The release that a subject like `system/digest` names."""
    return f"release {short(entry.subject.rpartition('/')[2])}"


def _rolled(entry: LedgerEntry, does: str) -> str:
    return f"release {short(str(entry.body['release']))} {does}: {entry.body['because']}"


def _share(body: JsonMap) -> str:
    audience = body.get("audience")
    among = "" if audience is None else f" with {audience_from(cast('JsonMap', audience)).words}"
    return f"{body['ceiling']} of the traffic{among}"


def _held(body: JsonMap) -> str:
    verdicts = cast("list[JsonMap]", body["verdicts"])
    failed = [str(one["reason"]) for one in verdicts if one["outcome"] == Outcome.FAIL]
    return "; ".join(failed or [str(one["reason"]) for one in verdicts if one["outcome"] != Outcome.PASS])


def _moved(body: JsonMap) -> str:
    if body["champion"] == body["replaces"]:
        return str(body["because"])
    return f"release {short(str(body['champion']))} answers: {body['because']}"


_TOLD: dict[str, _Told] = {
    "source.blocked": ("data", "bad", lambda one: f"source {one.subject} is blocked: {one.body['broken']}"),
    "run.finished": ("training", "step", lambda one: f"run {one.subject} finished on {one.body['rows']:,} rows"),
    "training.refused": ("training", "bad", lambda one: f"training refused: {one.body['because']}"),
    "release.created": ("validation", "good", lambda one: f"{_named(one)} made"),
    "release.refused": ("validation", "bad", lambda one: f"release refused: {_held(one.body)}"),
    "gates.overridden": (
        "validation",
        "unsure",
        lambda one: f"gates overridden for {_named(one)}: {one.body['because']}",
    ),
    "deployment.refused": ("deployment", "bad", lambda one: f"deployment refused: {one.body['because']}"),
    "route.moved": ("deployment", "good", lambda one: _moved(one.body)),
    "rollout.started": (
        "deployment",
        "step",
        lambda one: _rolled(one, f"becomes a canary, at most {_share(one.body)}"),
    ),
    "rollout.advanced": (
        "deployment",
        "step",
        lambda one: _rolled(one, f"goes on to at most {_share(one.body)}"),
    ),
    "rollout.promoted": ("deployment", "good", lambda one: _rolled(one, "is promoted")),
    "rollout.rolled_back": ("deployment", "bad", lambda one: _rolled(one, "is rolled back")),
    "alarm.raised": (
        "monitoring",
        "unsure",
        lambda one: f"alarm, {one.body['subject']}: {one.body['text']}",
    ),
    "alarm.over": ("monitoring", "good", lambda one: f"alarm over, {one.subject.partition('/')[2]}"),
}
