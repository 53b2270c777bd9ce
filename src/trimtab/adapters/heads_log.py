"""Heads of the ledger in a text file outside of the database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from trimtab.kernel.head import Head


class HeadsLog:
    """One line per commit: `seq hash at`. Only ever appended to; several processes may append at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def append(self, head: Head, at: datetime) -> None:
        """Save a head; on return it is on the disk.

        Raises:
            OSError: it could not be written. What it vouches for is committed nevertheless.
        """
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            size_bytes = os.fstat(file).st_size
            # A line torn by a power failure must not swallow the one behind it.
            torn = size_bytes > 0 and os.pread(file, 1, size_bytes - 1) != b"\n"
            data = ("\n" if torn else "").encode() + f"{head.line(at)}\n".encode()
            if os.write(file, data) != len(data):
                raise OSError(f"a head was written only in part to {self.path}")
            os.fsync(file)
        finally:
            os.close(file)

    def lines(self) -> Iterator[str]:
        """Saved heads, oldest first, as they stand in the file; none if nothing was ever saved."""
        if not self.path.exists():
            return
        with self.path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.strip():
                    yield line.rstrip("\n")
