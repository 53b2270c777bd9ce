"""Peers, each in a virtual environment of its own, and when a machine is quiet enough to be believed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

VENVS = Path(__file__).parent / ".venvs"
QUIET_LOAD = 1.6  # of two cores, in the minute before a round; what is measured itself counts


def peer_python(name: str, requirements: Sequence[str]) -> str:
    """The interpreter of a peer's virtual environment, which is made if it is not there."""
    folder = VENVS / name
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        print(f"installing {' '.join(requirements)} …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *requirements], check=True)
        (folder / "ready").touch()
    return str(python)
