"""Which files a path, a pattern or a folder names."""

from __future__ import annotations

import glob
import os
from pathlib import Path

from trimtab.kernel.errors import SourceUnreadable, listed
from trimtab.kernel.source import Source

SUFFIXES = (".parquet", ".csv")
_OURS = ("_", ".")  # how names of files begin that hold no rows: _SUCCESS, ._crc
_WEB = ("https://", "http://")


def is_address(read: object) -> bool:
    """Whether it names something that is not on this machine: s3://bucket/key, https://host/path."""
    return isinstance(read, str) and "://" in read


def suffix(address: str) -> str:
    """How the path of an address ends; on an object store, ? is a letter of a pattern."""
    if address.lower().startswith(_WEB):
        address = address.partition("#")[0].partition("?")[0]
    return Path(address).suffix


def may_be_delta(address: str) -> bool:
    """Whether it is taken for a Delta table's, not on the web: an object store has no folders to look into."""
    return suffix(address) not in SUFFIXES and not address.lower().startswith(_WEB)


def is_delta(folder: Path) -> bool:
    """Whether a Delta table lies there."""
    return (folder / "_delta_log").is_dir()


def names_files(read: object, project: Path, ending: str) -> bool:
    """Whether a path, pattern, address or folder stands for files of this kind."""
    if not isinstance(read, str):
        return False
    if is_address(read):
        return suffix(read) == ending
    path = project / read
    if not path.is_dir():
        return path.suffix == ending
    return not is_delta(path) and any(one.suffix == ending for one in _inside(path))


def matched(source: Source, project: Path) -> list[str]:
    """The files, sorted by their paths. A pattern may match folders too.

    Raises:
        SourceUnreadable: none; a folder holds files of another kind, or columns in the names of its folders.
    """
    read = str(source.read)
    folder = project / read
    if folder.is_dir():
        return [str(one) for one in _whole_folder(source, folder)]
    # Joined as text: there may be many thousands, at every look.
    files = [os.path.join(project, name) for name in sorted(glob.iglob(read, root_dir=project, recursive=True))]
    if not files:
        raise SourceUnreadable(
            source.name,
            where=source.place,
            allowed="files that exist when the source is read",
            got=f"no file matches {folder}",
            do="put the file there, or mend the path (it is relative to the project folder)",
        )
    return files


def _whole_folder(source: Source, folder: Path) -> list[Path]:
    files = _inside(folder)
    kinds = {one.suffix for one in files}
    if len(kinds) > 1:
        raise SourceUnreadable(
            source.name,
            where=source.place,
            allowed="a folder with files of one kind",
            got=f"{folder} has files that end in {listed(kinds)}",
            do="name those that are meant by a pattern: folder/**/*.parquet",
        )
    partitions = {part for one in files for part in one.relative_to(folder).parts[:-1] if "=" in part}
    if partitions:
        raise SourceUnreadable(
            source.name,
            where=source.place,
            allowed="files that hold all columns",
            got=f"{folder} keeps columns in the names of its folders: {listed(partitions)}",
            do="give a function that says which: lambda: pl.scan_parquet(folder, hive_partitioning=True)",
        )
    return files


def _inside(folder: Path) -> list[Path]:
    found = (one for one in folder.rglob("*") if one.is_file())
    return sorted(one for one in found if not any(p.startswith(_OURS) for p in one.relative_to(folder).parts))
