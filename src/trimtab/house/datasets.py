"""Data of a system, for people: sources and their versions, quarantine, a contract to begin with."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import polars as pl

from trimtab.data.diff import frame_at
from trimtab.data.infer import infer
from trimtab.data.profiles import Profiles
from trimtab.data.quarantine import Quarantine
from trimtab.data.reading import open_source
from trimtab.house.house import House
from trimtab.kernel.dataset_version import version_id
from trimtab.kernel.errors import InvalidValue, NotFound, ProjectInvalid, Refused, SourceUnreadable, UnknownName
from trimtab.kernel.source import Source

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
        when = f" by {at:%Y-%m-%d %H:%M} UTC" if at else ""
        raise NotFound("version", f"{source.name}{when}", do="take what has become known with: trimtab tick")
    return source, house.versions.version(source.name, number).number


def check_out(house: House, source: Source, number: int, to: Path, *, force: bool = False) -> Path:
    """Write exactly the rows that a version knows; the file appears whole or not at all.

    Args:
        house: of the system.
        source: whose rows.
        number: of the version.
        to: a .parquet or .csv file, or a folder that gets SOURCE@NUMBER.parquet.
        force: write over a file that is there.

    Raises:
        Refused: the file is there.
        ProjectInvalid: it cannot be written.
    """
    suffix = to.suffix if to.suffix in (".parquet", ".csv") and not to.is_dir() else ""
    file = to if suffix else to / f"{version_id(source.name, number)}.parquet"
    if file.exists() and not force:
        raise Refused("writing over a file", because=f"{file} is there", do="name another file, or say --force")
    rows = frame_at(house.versions, source.name, number).collect()
    half = file.with_name(f".{file.name}.half")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if suffix == ".csv":
            rows.write_csv(half)
        else:
            rows.write_parquet(half)
        half.replace(file)
    except (OSError, pl.exceptions.PolarsError) as error:
        half.unlink(missing_ok=True)
        what, do = "the rows cannot be written", "name a place where you may write; CSV takes no nested columns"
        raise ProjectInvalid(what, where=str(file), got=str(error).splitlines()[0], do=do) from error
    return file


def draft_contract(house: House, source: Source) -> str:
    """A module with a contract that all rows keep which the source offers now.

    Raises:
        SourceUnreadable: the rows cannot be read.
    """
    try:
        return infer(source, open_source(source, house.project.folder).collect())
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SourceUnreadable(source.name, where=source.place, got=str(error), do="mend the file") from error
