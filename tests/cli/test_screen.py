"""The screen: wrapping under its own column, what is left out, and plain lines without a terminal."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime, timedelta
from typing import TextIO

import pytest
from rich.console import Console
from rich.text import Text

from trimtab.cli.screen import Screen
from trimtab.cli.summary import show_summary
from trimtab.kernel.canonical import Json
from trimtab.kernel.happening import Happening

AT = datetime(2013, 4, 1, 4, tzinfo=UTC)
LONG = "of 15 slices judged the weakest was carrier 9E with 0.6985, which is above the floor of 0.55"


def screen(columns: int, *, terminal: bool = True, zone: str = "America/New_York") -> tuple[Screen, io.StringIO]:
    file = io.StringIO()
    console = Console(file=file, width=columns, force_terminal=terminal, color_system=None, highlight=False)
    return Screen(zone, console), file


def lines(file: io.StringIO) -> list[str]:
    return [line.rstrip() for line in file.getvalue().splitlines()]


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_a_line_of_the_story_is_wrapped_under_its_own_column(columns: int) -> None:
    shown, file = screen(columns)
    shown.told(AT, Happening("validation", LONG, "good"))
    first, *rest = lines(file)
    edge = first.index("of 15")
    assert first[:edge] == "  Apr 01 00:00  validation  ✓ "
    assert rest and all(line[:edge].isspace() and not line[edge].isspace() for line in rest)
    assert max(map(len, (first, *rest))) <= columns
    assert " ".join(line[edge:] for line in (first, *rest)) == LONG


def test_what_is_as_in_the_line_above_is_left_out() -> None:
    shown, file = screen(80)
    hour = timedelta(hours=1)
    for at, stage in [(AT, "data"), (AT, "data"), (AT + hour, "data"), (AT + 24 * hour, "serving")]:
        shown.told(at, Happening(stage, "x"))  # type: ignore[arg-type]
    assert lines(file) == [
        "  Apr 01 00:00  data        ● x",
        "                            ● x",
        "         01:00  data        ● x",
        "  Apr 02 00:00  serving     ● x",
    ]


def test_behind_a_heading_nothing_is_left_out() -> None:
    shown, file = screen(80)
    for _ in range(2):
        shown.title("Now")
        shown.told(AT, Happening("data", "x"))
    assert lines(file).count("  Apr 01 00:00  data        ● x") == 2


def test_times_of_utc_say_so() -> None:
    shown, file = screen(80, zone="UTC")
    shown.told(AT, Happening("data", "x"))
    assert lines(file) == ["  Apr 01 04:00Z  data        ● x"]


def test_without_a_terminal_each_line_is_whole_and_dated() -> None:
    shown, file = screen(60, terminal=False)
    for _ in range(2):
        shown.told(AT, Happening("validation", LONG, "good"))
    assert file.getvalue().splitlines() == [f"2013-04-01 00:00 EDT  validation  ✓ {LONG}"] * 2
    with shown.progressing():
        shown.progress("history", 1, 3)
    assert len(file.getvalue().splitlines()) == 2


def test_what_a_happening_says_is_never_markup() -> None:
    shown, file = screen(80)
    for mark in ("good", "bad", "unsure", "step", "routine"):
        shown.told(AT, Happening("data", "[bold]not: markup[/]", mark))
    assert file.getvalue().count("[bold]not: markup[/]") == 5


@pytest.mark.parametrize("columns", [40, 80, 100])
def test_cells_flow_over_the_width_and_stay_whole(columns: int) -> None:
    shown, file = screen(columns)
    cells = [f"[bright_black]feature_{number}[/] {number**5}" for number in range(12)]
    shown.flow(cells)
    plain = [Text.from_markup(cell).plain for cell in cells]
    found = lines(file)
    assert [cell for line in found for cell in line.strip().split("   ")] == plain
    assert all(line.startswith("    f") and len(line) <= columns for line in found)
    assert len(found) == len(plain) if columns < 40 else len(found) < len(plain)


def test_a_table_without_names_has_no_head() -> None:
    shown, file = screen(80)
    shown.table(("", ""), [("one", "1")])
    shown.table(("name", "figure"), [("one", "1")], right=(1,))
    assert lines(file) == ["  one  1", "  name  figure", "  one        1"]


def test_what_stands_in_for_standard_output_gets_no_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tee(io.StringIO):
        """As the log of a durable step does it: what is printed goes on to what was there before."""

        def __init__(self, before: TextIO) -> None:
            super().__init__()
            self.before = before

        def write(self, text: str) -> int:
            self.before.write(text)
            return super().write(text)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    shown = Screen()
    with shown.progressing():
        shown.progress("training", 0, 3)
        tee = Tee(sys.stdout)
        monkeypatch.setattr(sys, "stdout", tee)
        print("printed by a step")
        shown.progress("training", 3, 3)
    assert tee.getvalue() == "printed by a step\n"
    assert terminal.getvalue().count("printed by a step") == 1


FOUND: dict[str, Json] = {
    "managed_auc_by_month": {"2013-04": 0.7312, "2013-05": 0.7712},
    "frozen_auc_by_month": {"2013-04": 0.7312, "2013-05": 0.75},
    "managed_auc_mean": 0.7512,
    "frozen_auc_mean": 0.7406,
    "predictions": 27931,
    "predictions_distinct": 27931,
    "labels_joined": 27805,
    "retrains": 9,
    "promotions": 7,
    "refusals": 1,
    "rollbacks": 2,
    "bad_release": None,
    "online_offline_mismatches": 0,
    "mismatches_of_healthy_releases": 0,
    "quarantined_rows": 1,
    "alarms": 3,
    "ledger_entries": 512,
    "ledger_verified": True,
    "wall_s": 61.2,
}
BAD: dict[str, Json] = {
    "release": "5b2ddebc3398",
    "exposed": 35,
    "share": 0.041,
    "caught_after": "24 h",
    "reason": "parity",
}


def test_the_summary_fits_a_small_terminal_and_marks_what_was_kept() -> None:
    shown, file = screen(80)
    show_summary(shown, FOUND)
    found = lines(file)
    assert len(found) <= 24 and max(map(len, found)) <= 80
    april, may, mean = (next(line.split() for line in found if name in line) for name in ("April", "May", "mean"))
    assert april[:4] == ["April", "0.7312", "0.7312", "-"]
    assert may[:4] == ["May", "0.7712", "0.7500", "+0.0212"]
    assert mean[:4] == ["mean", "0.7512", "0.7406", "+0.0106"]
    assert [line.split()[1] for line in found if "✓" in line] == ["predictions", "mismatches", "ledger"]
    assert any("7 promoted, 1 refused, 2 rolled back" in line for line in found)
    assert "✗" not in file.getvalue()


def test_the_summary_holds_a_bad_releases_answers_against_nobody_else() -> None:
    shown, file = screen(120)
    show_summary(shown, {**FOUND, "bad_release": BAD, "online_offline_mismatches": 35})
    [line] = [line for line in lines(file) if "bad release" in line and "35" in line and "traffic" in line]
    assert "4.1 % of the traffic; caught after 24 h by parity" in line
    assert "✗" not in file.getvalue()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"predictions_distinct": 27930}, "NOT one for each flight"),
        ({"online_offline_mismatches": 2}, "online ≠ offline"),
        ({"bad_release": BAD, "online_offline_mismatches": 36}, "online ≠ offline"),
        (
            {"bad_release": BAD, "online_offline_mismatches": 35, "mismatches_of_healthy_releases": 1},
            "online ≠ offline",
        ),
        ({"ledger_verified": False}, "NOT whole"),
    ],
)
def test_the_summary_marks_what_was_broken(wrong: dict[str, Json], says: str) -> None:
    shown, file = screen(80)
    show_summary(shown, {**FOUND, **wrong})
    (bad,) = [line for line in lines(file) if "✗" in line]
    assert says in bad


def test_the_summary_of_a_part_of_a_month_has_no_auc() -> None:
    shown, file = screen(80)
    show_summary(shown, {**FOUND, "managed_auc_by_month": {}, "frozen_auc_by_month": {}})
    assert any("--days 31" in line for line in lines(file))
