"""Commands of the second day: run to their end, in a project."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.living import environment, trimtab


@dataclass(frozen=True)
class Said:
    """What a command said, and how it ended."""

    status: int
    out: str
    err: str


def said(folder: Path, *arguments: str) -> Said:
    """Run `trimtab` in a folder."""
    done = subprocess.run(
        trimtab(*arguments), cwd=folder, env=environment(), capture_output=True, text=True, timeout=240, check=False
    )
    return Said(done.returncode, done.stdout, done.stderr)
