"""`docs/commands.md`: every command with its options, as `--help` prints them."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stdout
from unittest.mock import patch

from typer.core import TyperGroup

from trimtab.cli.lazy import lazy_group, summary
from trimtab.cli.main import COMMANDS, app

HEAD = """\
<!-- Made by tools/generate_docs.py from src/trimtab/cli/. Change that, then: make docs -->

# Commands

Every command finds its project in the working folder or above. Errors say what to do and leave with status 1.

| command | does |
|---|---|
"""


def page() -> str:
    """The page."""
    group = lazy_group(app, "trimtab.cli", COMMANDS)
    rows, sections = [], []
    for name in COMMANDS:
        rows.append(f"| [{name}](#trimtab-{name}) | {summary(f'trimtab.cli.{name}')} |\n")
        sections.append(f"\n## trimtab {name}\n\n```text\n{_help(group, name)}\n```\n")
    return HEAD + "".join(rows) + "".join(sections)


def _help(group: TyperGroup, name: str) -> str:
    out = io.StringIO()
    # A fixed width, so that the page is the same from whatever terminal it is made.
    with patch.dict(os.environ, {"COLUMNS": "100"}), redirect_stdout(out):
        group.main([name, "--help"], prog_name="trimtab", standalone_mode=False)
    return out.getvalue().strip()
