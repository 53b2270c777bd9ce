"""Blobs as files: `ab/abcdef…`, written once, checked at every read."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from trimtab.kernel.canonical import sha256, short
from trimtab.kernel.errors import Corrupt, NotFound


class LocalBlobs:
    """Content-addressed files below one folder. Implements Blobs."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, data: bytes) -> str:
        """Store bytes durably; a reader never sees half a blob."""
        name = sha256(data)
        path = self._path(name)
        if path.exists():
            return name
        path.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own for every writer: threads that store the same bytes must not truncate each other's file.
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).rename(path)
        _sync_folder(path.parent)
        return name

    def get(self, digest: str) -> bytes:
        """Read and check."""
        path = self._path(digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise NotFound("blob", digest, do=f"restore {path} from a backup") from None
        if sha256(data) != digest:
            raise Corrupt(
                f"blob {short(digest)}",
                where=str(path),
                allowed=f"bytes with SHA-256 {digest}",
                got=f"bytes with SHA-256 {sha256(data)}",
                do="restore the file from a backup; nothing that it belongs to will be loaded until then",
            )
        return data

    def _path(self, digest: str) -> Path:
        return self._root / digest[:2] / digest


def _sync_folder(folder: Path) -> None:
    """Until its folder is on the disk, a power failure can take the new name away."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
