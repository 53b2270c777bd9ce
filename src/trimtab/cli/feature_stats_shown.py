"""How features in numbers look: training beside what was served."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import timedelta
from itertools import groupby
from typing import Any

from rich.markup import escape

from trimtab.cli.screen import BAD, GOOD, UNSURE, Screen, faint
from trimtab.house.feature_stats import FAR, MOVED, FeatureStats, Numbers, Stats
from trimtab.kernel.canonical import short
from trimtab.kernel.counted import counted
from trimtab.questions.phrases import span

_FEW = 400  # answers: with fewer the index is above 0.1 by chance


def show_stats(screen: Screen, found: Stats, which: str) -> None:
    """Two lines a feature: as trained, and as served."""
    screen.title(
        which or "All features",
        f"as release {short(found.release)} was trained with it, and as it answered from it",
    )
    screen.facts([("trained", counted(found.trained_rows, "row")), ("served", _served(found)), *_ages(found)])
    moments = [one for one in found.features if not one.training.top]
    if moments:
        screen.console.print()
        screen.table(
            ("feature", "", "missing", "mean", "std", "min", "p50", "max", "PSI", ""),
            list(_lines(moments, which, _moments)),
            right=(2, 3, 4, 5, 6, 7, 8),
        )
    categories = [one for one in found.features if one.training.top]
    if categories:
        screen.console.print()
        screen.table(
            ("feature", "", "missing", "categories", "most frequent", "PSI", ""),
            list(_lines(categories, which, _categories)),
            right=(2, 3, 5),
        )
    if found.looked_at:
        screen.note(f"PSI: how far it has moved since training; ! from {MOVED}, ✗ from {FAR}. It pages nobody")
    if 0 < found.looked_at < _FEW:
        screen.note(f"of fewer than {_FEW} answers it is often above {MOVED} by chance: --last 30d")


def _served(found: Stats) -> str:
    if found.since is None or found.until is None:
        return f"[{UNSURE}]no answers yet[/]"
    days = f"{found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC"
    some = "" if found.looked_at == found.answers else f", {found.looked_at:,} of them looked at"
    return f"{counted(found.answers, 'answer')}  {faint(days + some)}"


def _ages(found: Stats) -> list[tuple[str, str]]:
    told = []
    for one in found.ages:
        if one.median_us is None or one.oldest_us is None:
            told.append((f"age {one.view}", f"[{BAD}]no answer had a fact[/]"))
            continue
        median, oldest = (span(timedelta(microseconds=us)) for us in (one.median_us, one.oldest_us))
        lacking = f"; missing in {_share(one.without)} of answers" if one.without else ""
        told.append((f"age {one.view}", f"{median} in the median, at most {oldest}{faint(lacking)}"))
    return told


def _lines(
    features: Sequence[FeatureStats], which: str, cells: Callable[[Numbers], tuple[str, ...]]
) -> Iterator[tuple[str, ...]]:
    """Two lines a feature; of several views under a line a view."""
    for view, group in groupby(features, lambda one: one.name.partition(".")[0]):
        if not which:
            yield (f"[bold]{escape(view)}[/]",)
        for one in group:
            column = escape(one.name.partition(".")[2])
            name = f"[bold]{column}[/]" if which else f"  {column}"
            first, second = one.training, one.served
            yield (name, faint("trained"), _missing(first, first), *cells(first), "", "")
            if second is not None:
                yield ("", faint("served"), _missing(second, first), *cells(second), *_psi(one.psi))


def _moments(numbers: Numbers) -> tuple[str, ...]:
    return tuple(map(_number, (numbers.mean, numbers.std, numbers.min, numbers.p50, numbers.max)))


def _categories(numbers: Numbers) -> tuple[str, ...]:
    top = ", ".join(f"{escape(name)} {faint(_share(share))}" for name, share in numbers.top)
    return f"{numbers.categories:,}", top


def _missing(numbers: Numbers, trained: Numbers) -> str:
    told = _share(numbers.missing) if numbers.missing else faint("0")
    return f"[{UNSURE}]{told}[/]" if numbers.missing > 2 * trained.missing + 0.01 else told


def _psi(value: float | None) -> tuple[str, str]:
    if value is None:
        return "", ""
    mark = f"[{BAD}]✗[/]" if value >= FAR else f"[{UNSURE}]![/]" if value >= MOVED else f"[{GOOD}]✓[/]"
    return f"{value:.3f}", mark


def _share(value: float) -> str:
    return f"{value:.1%}" if value >= 0.0005 or not value else "<0.1%"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def stats_json(found: Stats) -> dict[str, Any]:
    """The same for programs."""
    return asdict(found)
