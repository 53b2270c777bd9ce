"""How the figures of a lived period look."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from trimtab.cli.screen import MARKS, Screen, faint
from trimtab.kernel.canonical import Json
from trimtab.kernel.happening import Mark

_Row = tuple[str, str, str, str]  # mark, name, figure, what it means


def show_summary(screen: Screen, found: dict[str, Json]) -> None:
    """The figures, each with what it shows; those that prove something are marked as kept or broken."""
    screen.title("In production", "from answers that were served and labels that arrived")
    screen.console.print()
    screen.table(("",) * 4, [*_months(found), ("", "", "", ""), *_counts(found)], right=(2,))


def _months(found: dict[str, Json]) -> Iterator[_Row]:
    months, intervals = found["frozen_auc_by_month"], found["frozen_auc_interval_by_month"]
    assert isinstance(months, dict) and isinstance(intervals, dict)
    if not months:
        yield MARKS["routine"], "AUC", faint("-"), faint("no month is over and its labels in: --days 30")
    for month, value in months.items():
        interval = intervals[month]
        assert isinstance(interval, list)
        low, high = interval
        name = f"AUC, {datetime.fromisoformat(f'{month}-01'):%B %Y}"
        yield MARKS["step"], name, f"[bold]{value:.4f}[/]", faint(f"95 % interval {low:.4f} to {high:.4f}, by days")


def _counts(found: dict[str, Json]) -> Iterator[_Row]:
    once = found["predictions"] == found["predictions_distinct"]
    same = found["online_offline_mismatches"] == 0
    whole = bool(found["ledger_verified"])
    rows: list[tuple[Mark, str, str, str]] = [
        (_kept(once), "predictions", "predictions", "one for each flight" if once else "NOT one for each flight"),
        ("routine", "labels", "labels_joined", "joined when they became known"),
        (
            _kept(same),
            "mismatches",
            "online_offline_mismatches",
            "features online = offline" if same else "features online ≠ offline",
        ),
        ("routine", "quarantined", "quarantined_rows", "rows that broke a contract"),
        (
            _kept(whole),
            "ledger entries",
            "ledger_entries",
            "one chain, verified" if whole else "NOT whole: trimtab audit verify",
        ),
    ]
    for mark, name, figure, means in rows:
        yield MARKS[mark], name, f"{found[figure]:,}", faint(means) if mark != "bad" else f"[red]{means}[/]"
    yield MARKS["routine"], "wall time", f"{found['wall_s']:.1f}", faint("seconds, everything included")


def _kept(promise: bool) -> Mark:
    return "good" if promise else "bad"
