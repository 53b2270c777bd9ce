"""One process at a time moves a system's predictions into the table, or out of it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trimtab.kernel.errors import Busy


@contextmanager
def compacting_alone(folder: Path, system: str) -> Iterator[None]:
    """Hold the lock that lies beside the system's segments.

    Raises:
        Busy: another process holds it.
    """
    path = folder / f"compactor-{system}.lock"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"the compaction of '{system}'", where=str(path), do="let the other one finish") from None
        yield
    finally:
        os.close(fd)
