"""The terminal: one palette, a story with times, progress bars, facts, tables.

What goes to a file or a pipe is plain: each line of the story carries its whole date and is never wrapped.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from trimtab.kernel.happening import Happening, Mark

ACCENT, GOOD, BAD, UNSURE, FAINT = "cyan", "green", "red", "yellow", "bright_black"
MARKS: dict[Mark, str] = {
    "good": f"[{GOOD}]✓[/]",
    "bad": f"[{BAD}]✗[/]",
    "unsure": f"[{UNSURE}]![/]",
    "step": f"[{ACCENT}]●[/]",
    "routine": f"[{FAINT}]·[/]",
}
_PLAIN_COLUMNS = 120
_GAP = 3


def faint(text: str) -> str:
    """Markup of text that stands back."""
    return f"[{FAINT}]{escape(text)}[/]"


def _told(one: Happening) -> str:
    """What went well says its reason quietly."""
    said, colon, reason = one.text.partition(": ")
    if one.mark == "routine":
        return faint(one.text)
    return f"{escape(said)}{faint(colon + reason)}" if one.mark == "good" and colon else escape(one.text)


class _Elapsed(ProgressColumn):
    """Whole seconds since a stage began, or that it took."""

    def render(self, task: Task) -> Text:
        seconds = task.finished_time if task.finished else task.elapsed
        return Text(f"{seconds or 0:.0f} s", style=FAINT, justify="right")


class _Bars(Progress):
    """Bars that keep a distance from the story above and from the edges."""

    def get_renderables(self) -> Iterator[RenderableType]:
        yield Padding(self.make_tasks_table(self.tasks), (1, 2, 0, 2))


class Screen:
    """Implements simulation's Report, and prints facts and tables."""

    def __init__(self, zone: str = "UTC", console: Console | None = None) -> None:
        # The file is fixed, since a durable step's log stands in for sys.stdout while bars move: each would
        # hand the other's lines on for ever.
        self.console = console or Console(file=sys.stdout, highlight=False)
        if not self._live and "COLUMNS" not in os.environ:
            self.console.width = _PLAIN_COLUMNS
        self._zone = ZoneInfo(zone)
        self._utc = "Z" if zone == "UTC" else ""
        self._last = ("", "", "")  # date, time, stage of the line above
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def title(self, text: str, below: str = "") -> None:
        """A heading; what is below it stands beside it where there is room."""
        self._last = ("", "", "")
        self.console.print()
        beside = len(text) + 2 + len(below) <= self.console.width
        self.console.print(f"[bold]{escape(text)}[/]" + (f"  {faint(below)}" if below and beside else ""))
        if below and not beside:
            self.console.print(faint(below))

    def told(self, at: datetime, one: Happening) -> None:
        """One line of the story: virtual time, stage, what happened. What is as in the line above is left out."""
        local = at.astimezone(self._zone)
        text = _told(one)
        if not self._live:
            when = f"{local:%Y-%m-%d %H:%M %Z}"
            self.console.print(f"{when}  {one.stage:<11} {MARKS[one.mark]} {text}", soft_wrap=True)
            return
        now = (f"{local:%b %d}", f"{local:%H:%M}{self._utc}", str(one.stage))
        same = 0
        while same < len(now) and now[same] == self._last[same]:
            same += 1
        self._last = now
        date, time, stage = ("" if place < same else word for place, word in enumerate(now))
        clock = 5 + len(self._utc)
        head = f"  [{FAINT}]{date:<6} {time:<{clock}}[/]  [{ACCENT}]{stage:<11}[/] {MARKS[one.mark]} "
        self.hang(head, text)

    def note(self, text: str) -> None:
        """A faint line."""
        if self._live:
            self.hang("  ", faint(text))
        else:
            self.console.print(f"  {faint(text)}", soft_wrap=True)

    def hang(self, head: str, text: str) -> None:
        """Markup of which long text is wrapped under its own first letter."""
        line = Table.grid(padding=0)
        line.add_column(no_wrap=True)
        line.add_column(overflow="fold")
        line.add_row(head, text)
        self._show(line)

    def facts(self, rows: Sequence[tuple[str, str]]) -> None:
        """Names, and values that may carry markup."""
        width = max((len(name) for name, _ in rows), default=0)
        for name, value in rows:
            self.hang(f"  [{FAINT}]{name:<{width}}[/]  ", value)

    def commands(self, rows: Sequence[tuple[str, str]]) -> None:
        """What to type next, and what for."""
        width = max((len(command) for command, _ in rows), default=0)
        for command, says in rows:
            self.hang(f"  [{ACCENT}]{escape(command.ljust(width))}[/]  ", faint(says))

    def flow(self, cells: Sequence[str], indent: int = 4) -> None:
        """Markup in as many lines as are needed, each cell whole."""
        line, used = "", indent
        for cell in cells:
            long = Text.from_markup(cell).cell_len
            if line and used + _GAP + long > self.console.width:
                self.hang(" " * indent, line)
                line, used = "", indent
            gap = " " * _GAP if line else ""
            line, used = f"{line}{gap}{cell}", used + len(gap) + long
        if line:
            self.hang(" " * indent, line)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
        """A table without lines; cells may carry markup. Without names of columns it has no head."""
        table = Table(box=None, header_style=FAINT, padding=(0, 2, 0, 0), pad_edge=False, show_header=any(columns))
        table.add_column("", width=0)
        for number, name in enumerate(columns):
            table.add_column(name, justify="right" if number in right else "left", overflow="fold")
        for row in rows:
            table.add_row("", *row)
        self._show(table)

    @contextmanager
    def progressing(self) -> Iterator[None]:
        """Bars at the foot of the screen while the block runs."""
        columns = (
            SpinnerColumn(style=ACCENT, finished_text=MARKS["good"]),
            TextColumn("{task.description:<11}"),
            BarColumn(bar_width=None, complete_style=ACCENT, finished_style=GOOD),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f}", justify="right"),
            _Elapsed(),
        )
        with _Bars(*columns, console=self.console, disable=not self._live, expand=True) as progress:
            self._progress = progress
            try:
                yield
            finally:
                self._progress = None
                self._tasks = {}

    def progress(self, stage: str, done: int, total: int) -> None:
        """Move a stage's bar."""
        if self._progress is None:
            return
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=total)
        self._progress.update(self._tasks[stage], completed=done, total=total)

    def _show(self, what: RenderableType) -> None:
        if self._live:
            self.console.print(what)
            return
        with self.console.capture() as shown:
            self.console.print(what)
        for line in shown.get().splitlines():
            self.console.print(line.rstrip(), markup=False, soft_wrap=True)

    @property
    def _live(self) -> bool:
        return self.console.is_terminal
