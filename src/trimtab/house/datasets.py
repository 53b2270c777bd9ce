"""Data of a system, for people: sources and their versions, quarantine, a contract to begin with."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

import polars as pl

from trimtab.data.diff import frame_at
from trimtab.data.feed import Feed
from trimtab.data.infer import file_name, infer
from trimtab.data.profiles import Profiles
from trimtab.data.quarantine import Quarantine
from trimtab.house.house import House
from trimtab.house.whole_file import write_whole
from trimtab.kernel.dataset_version import version_id
from trimtab.kernel.errors import InvalidValue, NotFound, UnknownName
from trimtab.kernel.moment import from_us, to_us
from trimtab.kernel.source import Source

_WRITERS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    ".parquet": pl.DataFrame.write_parquet,
    ".csv": pl.DataFrame.write_csv,
}
_NAMED = re.compile(r"(?P<source>[^@]+)(@(?P<number>\d{1,12}))?")


def source_of(house: House, name: str) -> Source:
    """A source by its name.

    Raises:
        UnknownName: the system has no such source.
    """
    found = {one.name: one for one in house.system.sources}
    if name not in found:
        raise UnknownName("source", name, found, do="use one of the sources listed")
    return found[name]


def quarantine_of(house: House) -> Quarantine:
    """The quarantine of all sources."""
    return Quarantine(house.journal, house.reader, house.versions)


def profiles_of(house: House) -> Profiles:
    """The profiles of all versions."""
    return Profiles(house.blobs, house.versions)


def version_named(house: House, text: str, at: datetime | None = None) -> tuple[Source, int]:
    """What 'weather@12' or 'weather' (the newest, or the newest at an instant) names.

    Raises:
        InvalidValue: not of that form, or a number and an instant.
        NotFound: no such version.
        UnknownName: no such source.
    """
    named = _NAMED.fullmatch(text)
    if named is None:
        raise InvalidValue("version", text, allowed="SOURCE or SOURCE@NUMBER, e.g. weather@12")
    source = source_of(house, named["source"])
    if named["number"]:
        if at is not None:
            raise InvalidValue("version", text, allowed="a number, as in weather@12, or --at; not both")
        number = int(named["number"])
    else:
        number = house.versions.current(source.name) if at is None else house.versions.current_at(source.name, at)
    if not number:
        raise _none(house, source, at)
    return source, house.versions.version(source.name, number).number


def _none(house: House, source: Source, at: datetime | None) -> NotFound:
    if at is None or not house.versions.current(source.name):
        return NotFound("version", source.name, do="take what has become known with: trimtab tick")
    first = house.versions.version(source.name, 1)
    since = f"{from_us(first.known_until_us):%Y-%m-%d %H:%M} UTC"
    return NotFound(
        "version",
        f"{source.name} by {at:%Y-%m-%d %H:%M} UTC",
        allowed=f"{first.id}, which is of {since}, and later ones",
        do="name a later instant, or a number: trimtab data log",
    )


def check_out(house: House, source: Source, number: int, to: Path, *, force: bool = False) -> Path:
    """Write exactly the rows that a version knows; the file appears whole or not at all.

    Args:
        house: of the system.
        source: whose rows.
        number: of the version.
        to: a .parquet or .csv file, or a folder that gets SOURCE@NUMBER.parquet.
        force: write over a file that is there.

    Raises:
        InvalidValue: a file of another kind.
        Refused: the file is there.
        ProjectInvalid: it cannot be written.
    """
    if not to.is_dir() and to.suffix not in ("", *_WRITERS):
        raise InvalidValue("--to", str(to), allowed="a .parquet or .csv file, or a folder", do="name one of these")
    file = to / f"{version_id(source.name, number)}.parquet" if to.is_dir() or not to.suffix else to
    rows = frame_at(house.versions, source.name, number).collect()
    return write_whole(
        file,
        partial(_WRITERS[file.suffix], rows),
        what="the rows",
        do="name a place where you may write; CSV takes no nested columns",
        force=force,
    )


def draft_contract(house: House, source: Source, now: datetime) -> str:
    """A module with a contract that all rows keep which are known by now.

    Raises:
        ContractBreach: a declared column is missing.
        NaiveTime: a declared time has no zone.
        SourceUnreadable: the rows cannot be read.
    """
    return infer(source, Feed(source, house.project.folder).upto(to_us(now)))


def write_contract(house: House, source: Source, text: str, *, force: bool = False) -> Path:
    """Write a draft beside the system's file; raises as `check_out` does."""
    file = house.project.folder / file_name(source)
    do = "make room for it, or print it without --write"
    return write_whole(
        file, lambda half: half.write_text(text, encoding="utf-8"), what="the contract", do=do, force=force
    )
