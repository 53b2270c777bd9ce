"""What went wrong on purpose, and how it was caught."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from trimtab.web.report.charts.leak_bars import leak_bars
from trimtab.web.report.figure import Figure
from trimtab.web.report.figures import Figures
from trimtab.web.report.wording import count, percent, span

_Reader = Callable[[Figures, str], str | None]


@dataclass(frozen=True)
class Drill:
    """One thing that was broken: what was done, how it was noticed, and the figures of it."""

    title: str
    done: str
    caught: str
    facts: tuple[tuple[str, str], ...]


def _count(found: Figures, name: str) -> str | None:
    value = found.count(name)
    return None if value is None else count(value)


def _percent(found: Figures, name: str) -> str | None:
    value = found.number(name)
    return None if value is None else percent(value)


def _after(found: Figures, name: str) -> str | None:
    seconds = found.number(name)
    return found.text(name) if seconds is None else span(timedelta(seconds=seconds))


@dataclass(frozen=True)
class _Kind:
    title: str
    done: str
    facts: Mapping[str, tuple[str, _Reader]]


_KINDS = {
    "bad_release": _Kind(
        "A bad release",
        "Its online path was given another unit than its training, and an operator let it past the gates.",
        {
            "exposed": ("answers given", _count),
            "share": ("share while live", _percent),
            "caught_after": ("caught after", _after),
        },
    ),
    "schema_change": _Kind(
        "An upstream schema change",
        "A source changed its columns without a word.",
        {
            "rows": ("rows quarantined", _count),
            "caught_after": ("caught after", _after),
            "repaired_after": ("repaired after", _after),
        },
    ),
    "poisoned_labels": _Kind(
        "Poisoned labels",
        "Labels of a source were flipped before a retraining.",
        {
            "rows": ("rows flipped", _count),
            "caught_after": ("caught after", _after),
            "caught_by": ("caught by", Figures.text),
        },
    ),
}


def drills(found: Figures) -> list[Drill]:
    """Those of which figures are known. `what` of a group says better than we do what was done."""
    told = []
    for name, kind in _KINDS.items():
        group = found.group(name)
        if group is None:
            continue
        read = ((label, reader(group, key)) for key, (label, reader) in kind.facts.items())
        facts = tuple((label, value) for label, value in read if value is not None)
        told.append(Drill(kind.title, group.text("what") or kind.done, group.text("reason") or "", facts))
    return told


def leak(found: Figures) -> Figure | None:
    """The leaky feature's three figures as bars."""
    group = found.group("leak")
    if group is None:
        return None
    offline, served, honest = (group.number(f"{name}_auc") for name in ("offline", "served", "honest"))
    if offline is None or served is None or honest is None:
        return None
    return leak_bars(offline, served, honest)
