"""How a failed command ends: text with what to do next, never a traceback.

Standard library only, for an error of the command line itself must not wait for Rich.
"""

from __future__ import annotations

import errno
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
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_WORDS = ("No space left on device", "database or disk is full", "Disk quota exceeded")
_UNWRITTEN_WORDS = ("disk I/O error", "Input/output error")
_SPARE_BYTES = 1 << 20
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
    """Leave after an error that nobody foresaw: see `unforeseen`."""
    fail(unforeseen(error))


def unforeseen(error: Exception) -> str:
    """What is said of it: a fault of ours, kept in full in the project, or in the temporary folder outside of one.

    A full disk is not: whatever was begun on it is taken up by the next command.
    """
    if _disk_is_full(error):
        where = getattr(error, "filename", None) or Path.cwd()
        return (
            f"the disk is full\n  where:   {where}\n  got:     {_line(error)}\n"
            "  do:      free some space, then run the same command again: what was begun is taken up"
        )
    kept = _keep(f"crash-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.log")
    hint = "report it, with that file"
    if type(error).__module__.startswith("polars"):
        hint = "see whether the stored files are whole: trimtab data verify; if they are, report it"
    what = f"Trimtab failed: {type(error).__name__}: {_line(error)}"
    return f"{what}\n  where:   {kept} has the details\n  do:      {hint}"


def _disk_is_full(error: BaseException | None) -> bool:
    """Also where a library says it in words of its own."""
    if error is None:
        return False
    told = isinstance(error, OSError) and error.errno in _FULL
    told = told or any(one in str(error) for one in _FULL_WORDS)
    # SQLite and LMDB have but one word for whatever they cannot write.
    unwritten = any(one in str(error) for one in _UNWRITTEN_WORDS)
    told = told or (unwritten and shutil.disk_usage(Path.cwd()).free < _SPARE_BYTES)
    return told or _disk_is_full(error.__cause__ or error.__context__)


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]


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
