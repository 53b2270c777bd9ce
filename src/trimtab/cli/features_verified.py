"""How verified answers and rebuilt training sets look."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.markup import escape

from trimtab.cli.screen import BAD, MARKS, Screen, faint
from trimtab.features.mismatch_cause import Kind
from trimtab.house.mismatched import Explained
from trimtab.house.rebuilding import Rebuilt
from trimtab.house.verifying import SEED, Verified
from trimtab.kernel.canonical import Json, short
from trimtab.kernel.counted import counted

_MEANS = {
    "late data": "facts came later than they say that they were known",
    "staleness": "the online store was behind the dataset versions",
    "version": "another definition of the view answered",
    "code": "the online path computes something else than the definition",
}


def show_verified(screen: Screen, system: str, found: Verified, most: int) -> None:
    """What was compared, then each kind of difference, then values."""
    screen.title("Features verified", system)
    if not found.answers:
        screen.note("no such answer is in the table; the newest come into it with: trimtab tick")
        return
    screen.facts(_facts(found))
    if not found.found:
        screen.hang(f"{MARKS['good']} ", "every value is what its offline definition gives")
        return
    broken = sum(one.fault for one in found.found)
    by = f"{broken:,} of them by a fault" if broken else "by no fault, see the causes"
    screen.hang(
        f"{MARKS['bad' if broken else 'unsure']} ",
        f"[bold]{counted(len(found.found), 'value')}[/] of {counted(_answers(found), 'answer')} are not what their "
        f"offline definition gives; {by}",
    )
    rows = [
        (short(release), f"[bold]{escape(feature)}[/]", f"[{BAD}]{cause}[/]", f"{count:,}", escape(because))
        for (release, feature, cause), (count, because) in _summary(found).items()
    ]
    screen.table(("release", "feature", "cause", "values", "for example"), rows, right=(3,))
    for cause in dict.fromkeys(one.cause for one in found.found):
        screen.note(f"{cause}: {_MEANS[cause]}")
    answers = _by_answer(found)
    shown = answers[:most]
    if shown:
        screen.title("Answers", "the oldest first: what was served, and what the definition gives")
    for values in shown:
        one = values[0]
        screen.hang(
            f"  {one.id}  {faint(f'{one.at:%Y-%m-%d %H:%M} UTC')}  ",
            f"[{BAD}]{one.cause}[/]: {escape(one.because)}",
        )
        screen.flow(
            [
                f"{faint(each.feature)} {_value(each.served)} {faint('not')} {_value(each.offline)}"
                for each in values
            ]
        )
    if len(shown) < len(answers):
        screen.note(f"{len(answers) - len(shown):,} more: --show {len(answers)}, or --json")


def _by_answer(found: Verified) -> list[list[Explained]]:
    """The values of each answer that have the same cause."""
    grouped: dict[tuple[str, str, str], list[Explained]] = {}
    for one in found.found:
        grouped.setdefault((one.id, one.cause, one.because), []).append(one)
    return list(grouped.values())


def _facts(found: Verified) -> list[tuple[str, str]]:
    answers = f"[bold]{found.answers:,}[/]"
    if found.answers < found.of:
        answers += f" of {found.of:,}  {faint(f'a sample, seed {SEED}')}"
    releases = ", ".join(map(short, found.releases))
    return [
        ("answers", answers),
        ("as of", f"{found.first_at:%Y-%m-%d %H:%M} to {found.last_at:%Y-%m-%d %H:%M} UTC"),
        ("releases", f"{len(found.releases)}  {faint(releases)}"),
        ("values", f"[bold]{found.values:,}[/] recomputed"),
    ]


def _answers(found: Verified) -> int:
    return len({one.id for one in found.found})


def _summary(found: Verified) -> dict[tuple[str, str, Kind], tuple[int, str]]:
    """By release, feature and cause: how many values, and why the first of them differs."""
    counts = Counter((one.release, one.feature, one.cause) for one in found.found)
    first: dict[tuple[str, str, Kind], str] = {}
    for one in found.found:
        first.setdefault((one.release, one.feature, one.cause), one.because)
    return {key: (counts[key], because) for key, because in sorted(first.items())}


def _value(value: Json) -> str:
    return escape(json.dumps(value, ensure_ascii=False))


def verified_json(found: Verified) -> dict[str, Any]:
    """The same for programs."""
    told = asdict(found)
    told["mismatches"] = told.pop("found")
    told["seed"] = SEED if found.answers < found.of else None
    told["summary"] = [
        {"release": release, "feature": feature, "cause": cause, "values": count, "example": because}
        for (release, feature, cause), (count, because) in _summary(found).items()
    ]
    return told


def show_rebuilt(screen: Screen, made: Rebuilt, asked: Path | None, file: Path | None) -> None:
    """From what, whether it is the same, and if not, why it may differ."""
    screen.title("Training set rebuilt", made.run)
    screen.facts(
        [
            ("rows", f"[bold]{made.rows:,}[/]"),
            ("from", ", ".join(made.sources)),
            ("files", f"{made.files:,}  {faint('each is what was written, by its SHA-256')}"),
            ("release", short(made.release) if made.release else faint("none was made from this run")),
            ("SHA-256", made.sha256),
        ]
    )
    if made.same:
        screen.hang(f"{MARKS['good']} ", "it is the training set of the run, byte for byte")
    else:
        screen.hang(f"{MARKS['bad']} ", f"the run has written down another SHA-256: {made.recorded}")
        for line in _why(made):
            screen.note(line)
    if file is not None:
        screen.note(f"the rows are in {file}")
    elif asked is not None:
        screen.note(f"{asked} was not written")


def _why(made: Rebuilt) -> list[str]:
    """What may have changed the bytes."""
    lines = []
    if made.kept == "the same rows":
        lines.append("the rows are the same as those that the run has kept: only the file is written otherwise")
    elif made.kept == "other rows":
        lines.append("the rows themselves are not those that the run has kept")
    if made.changed:
        then = ", ".join(f"{one.name} {one.then} (here {one.now})" for one in made.changed)
        lines.append(f"the release was made with {then}: another version may compute or write otherwise")
        lines.append("install those, then: trimtab features rebuild")
    else:
        lines.append("no library is known to have changed: a feature's function may read a clock, chance or a file")
    return lines


def rebuilt_json(made: Rebuilt, file: Path | None) -> dict[str, Any]:
    """The same for programs."""
    told = {name: value for name, value in asdict(made).items() if name != "data"}
    return {**told, "sha256": made.sha256, "same": made.same, "file": str(file) if file else None}
