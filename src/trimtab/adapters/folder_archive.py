"""A folder as bytes and back: the same files give the same bytes, wherever and whenever they lay."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path, PurePosixPath

from trimtab.kernel.errors import InvalidValue

_END = 2 * tarfile.BLOCKSIZE  # zeros with which an archive ends


def pack(folder: Path, first: str, *, leave_out: tuple[str, ...] = ()) -> bytes:
    """A tar archive of the folder's files, in order.

    Args:
        folder: is not changed.
        first: the file that comes first, by which the archive is recognised.
        leave_out: files at its top.

    Raises:
        InvalidValue: a link, or something else that is neither file nor folder.
    """
    names = sorted(one.relative_to(folder).as_posix() for one in folder.rglob("*") if not one.is_dir())
    names = [one for one in names if one not in leave_out and "__pycache__" not in PurePosixPath(one).parts]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(names, key=lambda one: (one != first, one)):
            path = folder / name
            if path.is_symlink() or not path.is_file():
                allowed = "plain files and folders"
                raise InvalidValue("a model's folder", name, allowed=allowed, where=str(folder))
            data = path.read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def begins_with(data: bytes, first: str) -> bool:
    """Whether the bytes are an archive whose first file has this name."""
    return data.startswith(first.encode() + b"\0") and data[257:262] == b"ustar"


def unpack(data: bytes, folder: Path) -> None:
    """Write an archive's files below a folder, and nowhere else.

    Raises:
        ValueError: it is damaged, or holds what `pack` does not write.
    """
    if len(data) % tarfile.RECORDSIZE or data[-_END:] != bytes(_END):
        raise ValueError("the archive breaks off")
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            entries = archive.getmembers()
            for one in entries:
                path = PurePosixPath(one.name)
                if not one.isreg() or path.is_absolute() or ".." in path.parts:
                    raise ValueError(f"'{one.name[:80]}' is no plain file below the folder")
            archive.extractall(folder, members=entries, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ValueError(f"the archive is damaged: {error}") from error
