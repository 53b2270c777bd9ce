"""Files for people: each appears whole or not at all, and none is written over unless somebody says so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import polars as pl

from trimtab.kernel.errors import ProjectInvalid, Refused


def write_whole(file: Path, write: Callable[[Path], object], *, what: str, do: str, force: bool) -> Path:
    """The file, once `write` has filled a half file beside it that then takes its name.

    Args:
        file: its folder is made if missing.
        write: called with the half file's path.
        what: is written, in the plural, e.g. "the rows".
        do: what helps if it cannot be written.
        force: write over a file that is there.

    Raises:
        Refused: the file is there.
        ProjectInvalid: it cannot be written.
    """
    if file.is_dir():
        raise ProjectInvalid(f"{what} cannot be written", where=str(file), got="a folder", do=do)
    if file.exists() and not force:
        raise Refused("writing over a file", because=f"{file} is there", do="look at it, then say --force")
    half = file.with_name(f".{file.name}.half")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write(half)
        half.replace(file)
    except (OSError, pl.exceptions.PolarsError) as error:
        with suppress(OSError):
            half.unlink(missing_ok=True)
        got = (str(error) or type(error).__name__).splitlines()[0]
        raise ProjectInvalid(f"{what} cannot be written", where=str(file), got=got, do=do) from error
    return file
