"""How a failed command ends: text with what to do next, never a traceback.

Standard library only, for an error of the command line itself must not wait for Rich.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import textwrap
import traceback
from datetime import UTC, datetime
from pathlib import Path

_ERROR = "error: "
_PART = re.compile(rf"(?P<name>{_ERROR}|\d+\. | *(?:where|allowed|got|do): +)(?P<text>.*)")
_RED, _FAINT, _OFF = "\033[1;31m", "\033[90m", "\033[0m"


def told(text: str, columns: int, *, colours: bool) -> str:
    """An error's text for a terminal: long parts are wrapped under their own column.

    >>> print(told("no such thing\\n  do:      look elsewhere", 22, colours=False))
    error: no such thing
      do:      look
               elsewhere
    """
    lines = []
    for line in f"{_ERROR}{text}".split("\n"):
        part = _PART.fullmatch(line)
        name, body = (part["name"], part["text"]) if part else ("", line)
        room = max(columns - len(name), 10)
        wrapped = textwrap.wrap(body, room, break_long_words=False, break_on_hyphens=False) or [""]
        colour = _RED if name == _ERROR else _FAINT
        shown = f"{colour}{name}{_OFF}" if colours and name else name
        lines += [shown + wrapped[0], *(" " * len(name) + more for more in wrapped[1:])]
    return "\n".join(lines)


def fail(text: str) -> None:
    """Say what is wrong and leave with status 1; without a terminal nothing is wrapped."""
    if sys.stderr.isatty():
        print(told(text, shutil.get_terminal_size().columns, colours=True), file=sys.stderr)
    else:
        print(f"{_ERROR}{text}", file=sys.stderr)
    sys.exit(1)


def crash(error: Exception) -> None:
    """A fault of ours: said in one line, kept in full in the project, or in the temporary folder outside of one."""
    kept = _keep(f"crash-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.log")
    what = f"Trimtab failed: {type(error).__name__}: {str(error).partition(chr(10))[0]}"
    fail(f"{what}\n  where:   {kept} has the details\n  do:      report it, with that file")


def _keep(name: str) -> Path:
    here = Path.cwd()
    project = next((one for one in (here, *here.parents) if (one / "trimtab.toml").is_file()), None)
    folders = [Path(tempfile.gettempdir())]
    if project is not None:
        folders.insert(0, project / ".trimtab" / "logs")
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(traceback.format_exc())
        except OSError:
            continue
        return folder / name
    return Path("no disk")
