"""How the figures of a lived period look."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import cast

from trimtab.cli.bar import Axis, bar
from trimtab.cli.screen import MARKS, Screen, faint
from trimtab.kernel.canonical import Json
from trimtab.kernel.happening import Mark

_Row = tuple[str, str, str, str]  # mark, name, figure, what it means
_AXIS = Axis(0.64, 0.80, letters=28)  # AUC


def show_summary(screen: Screen, found: dict[str, Json]) -> None:
    """The figures, each with what it shows; those that prove something are marked as kept or broken."""
    screen.title("In production", "from answers that were served and labels that arrived")
    screen.console.print()
    months = list(_months(found))
    if months:
        heads = (
            "month",
            "managed",
            "frozen",
            "gain",
            _AXIS.told("AUC", "managed", "frozen"),
        )
        screen.table(heads, months, right=(1, 2, 3))
    else:
        screen.note("no month is over and its labels in: --days 31")
    screen.console.print()
    screen.table(("",) * 4, [*_mishaps(found), ("", "", "", ""), *_counts(found)], right=(2,))


def _months(found: dict[str, Json]) -> Iterator[tuple[str, ...]]:
    managed, frozen = (cast("dict[str, float]", found[f"{name}_auc_by_month"]) for name in ("managed", "frozen"))
    for month, value in managed.items():
        yield _month(f"{datetime.fromisoformat(f'{month}-01'):%B}", value, frozen[month])
    if len(managed) > 1:
        mean, other = (cast("float", found[f"{name}_auc_mean"]) for name in ("managed", "frozen"))
        yield ("", "", "", "", "")
        yield _month("mean", mean, other)


def _month(name: str, managed: float, frozen: float) -> tuple[str, ...]:
    gain = managed - frozen
    return (
        name,
        f"[bold]{managed:.4f}[/]",
        f"{frozen:.4f}",
        f"{gain:+.4f}" if gain else faint("-"),
        bar(managed, frozen, _AXIS),
    )


def _mishaps(found: dict[str, Json]) -> Iterator[_Row]:
    bad = found.get("bad_release")
    if isinstance(bad, dict):
        exposed, share = cast("int", bad["exposed"]), cast("float", bad["share"])
        told = f"answers of a bad release, {100 * share:.1f} % of the traffic; caught after {bad['caught_after']}"
        yield MARKS["good"], "bad release", f"{exposed:,}", faint(f"{told} by parity, rolled back")
    for name, title in (("schema_change", "schema change"), ("poisoned_labels", "poisoned labels")):
        one = found.get(name)
        if isinstance(one, dict):
            yield (
                MARKS["good"],
                title,
                f"{one['rows']:,}",
                faint(f"{one['told']}; repaired after {one['repaired_after']}"),
            )
    leak = found.get("leak")
    if isinstance(leak, dict):
        offline, served, honest = (cast("float", leak[f"{name}_auc"]) for name in ("offline", "served", "honest"))
        told = (
            f"AUC of a leaky feature offline, {served:.4f} once served; honest {honest:.4f}; refused when declared"
        )
        yield MARKS["good"], "leak", f"{offline:.4f}", faint(told)


def _counts(found: dict[str, Json]) -> Iterator[_Row]:
    once = found["predictions"] == found["predictions_distinct"]
    bad = found.get("bad_release")
    exposed = bad["exposed"] if isinstance(bad, dict) else 0
    same = found["mismatches_of_healthy_releases"] == 0 and found["online_offline_mismatches"] == exposed
    whole = bool(found["ledger_verified"])
    parity = "features online = offline" + (", but for the bad release's answers" if exposed else "")
    rows: list[tuple[Mark, str, str, str]] = [
        (_kept(once), "predictions", "predictions", "one for each flight" if once else "NOT one for each flight"),
        ("routine", "labels", "labels_joined", "joined when they became known"),
        (_kept(same), "mismatches", "online_offline_mismatches", parity if same else "features online ≠ offline"),
        ("routine", "retrainings", "retrains", _ends(found)),
        ("routine", "quarantined", "quarantined_rows", "rows that broke a contract"),
        ("routine", "alarms", "alarms", "each with its beginning and its end"),
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


def _ends(found: dict[str, Json]) -> str:
    return f"{found['promotions']} promoted, {found['refusals']} refused, {found['rollbacks']} rolled back"


def _kept(promise: bool) -> Mark:
    return "good" if promise else "bad"
