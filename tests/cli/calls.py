"""Calls of the command line, as a person makes them; no traceback is ever shown."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from trimtab.cli.main import main


def call(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Status, standard output, standard error of a call in this process."""
    shown, said = io.StringIO(), io.StringIO()
    status: object = 0
    with chdir(folder), redirect_stdout(shown), redirect_stderr(said):
        try:
            with patch.object(sys, "argv", ["trimtab", *arguments]):
                main()
        except SystemExit as leaving:
            status = leaving.code
    return _checked(status or 0, shown.getvalue(), said.getvalue())


def call_process(folder: Path, *arguments: str, program: str = "") -> tuple[int, str, str]:
    """The same in a process of its own, after a few lines of Python."""
    code = f"{program}\nfrom trimtab.cli.main import main\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    return _checked(done.returncode, done.stdout, done.stderr)


def parts(error: str) -> dict[str, str]:
    """The five parts of an error, by name; what is wrong is `what`."""
    first, *rest = error.strip().splitlines()
    assert first.startswith("error: "), error
    named = [line.strip().partition(": ") for line in rest]
    return {"what": first.removeprefix("error: "), **{name: text.strip() for name, _, text in named}}


def _checked(status: object, shown: str, said: str) -> tuple[int, str, str]:
    assert "Traceback" not in shown + said, said
    assert isinstance(status, int)
    return status, shown, said
