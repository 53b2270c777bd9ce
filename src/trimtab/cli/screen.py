"""The terminal: one palette, a story with times, progress bars, tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from trimtab.kernel.happening import Happening, Mark

ACCENT, GOOD, BAD, FAINT = "cyan", "green", "red", "bright_black"
_MARKS: dict[Mark, tuple[str, str]] = {
    "good": (GOOD, "✓"),
    "bad": (BAD, "✗"),
    "unsure": ("yellow", "!"),
    "step": (ACCENT, "●"),
    "routine": (FAINT, "·"),
}


class Screen:
    """Implements simulation's Report, and prints tables. Without a terminal it prints plain lines."""

    def __init__(self, zone: str = "UTC") -> None:
        self.console = Console(highlight=False)
        self._zone = ZoneInfo(zone)
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def title(self, text: str, below: str = "") -> None:
        """A heading."""
        self.console.print()
        self.console.print(f"[bold]{escape(text)}[/]" + (f"  [{FAINT}]{escape(below)}[/]" if below else ""))

    def told(self, at: datetime, one: Happening) -> None:
        """One line of the story: virtual time, stage, what happened."""
        colour, mark = _MARKS[one.mark]
        when = at.astimezone(self._zone).strftime("%b %d %H:%M")
        head = f"  [{FAINT}]{when}[/]  [{ACCENT}]{one.stage:<11}[/] [{colour}]{mark}[/] "
        line = Table.grid(padding=0)
        line.add_column(no_wrap=True)
        line.add_column(overflow="fold")
        line.add_row(head, f"[{FAINT}]{escape(one.text)}[/]" if one.mark == "routine" else escape(one.text))
        self.console.print(line)

    def note(self, text: str) -> None:
        """A faint line."""
        self.console.print(f"  [{FAINT}]{escape(text)}[/]", soft_wrap=not self._live)

    @contextmanager
    def progressing(self) -> Iterator[None]:
        """Bars at the foot of the screen while the block runs."""
        columns = (
            TextColumn("  {task.description:<12}"),
            BarColumn(bar_width=36, complete_style=ACCENT, finished_style=GOOD),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console, disable=not self._live) as progress:
            self._progress = progress
            yield
        self._progress = None
        self._tasks = {}

    def progress(self, stage: str, done: int, total: int) -> None:
        """Move a stage's bar."""
        if self._progress is None:
            return
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=total)
        self._progress.update(self._tasks[stage], completed=done, total=total)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
        """A plain table; cells may carry markup."""
        table = Table(box=None, header_style=FAINT, padding=(0, 2), pad_edge=True)
        for number, name in enumerate(columns):
            table.add_column(name, justify="right" if number in right else "left", overflow="fold")
        for row in rows:
            table.add_row(*row)
        self.console.print(table)

    @property
    def _live(self) -> bool:
        return self.console.is_terminal
