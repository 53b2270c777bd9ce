"""The folder of segments: which number is next, who is writing, what is left of dead writers.

Segment numbers are never given twice, over all workers and systems that share the folder. A writer holds an
advisory lock on its live file for as long as it lives, so that nobody seals under a living writer, and a killed
one needs no clean-up. Creating a file and looking for dead writers exclude each other by the counter's lock.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from trimtab.kernel.errors import Corrupt, LogUnwritable
from trimtab.serving.proofs import ProofFolder
from trimtab.serving.segment import LIVE, SEALED, SET_ASIDE, Header, footer, parse_segment

_COUNTER, _SEALING = "segment.counter", "sealing.lock"
_DIGITS = 20
_SEGMENT_FILE = re.compile(r"\d{4}-(\d{10,})\.(?:live|sealed|corrupt|torn)")


@dataclass
class Recovered:
    """What was made of the segments of dead writers; names without endings."""

    sealed: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)  # of those, the ones whose tail was cut off and kept beside them
    corrupt: list[str] = field(default_factory=list)  # set aside under the ending .corrupt


class SegmentFolder:
    """Segment files below one path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.proofs = ProofFolder(path / "proofs")  # of what went into the table
        path.mkdir(parents=True, exist_ok=True)

    def files(self, ending: str) -> list[Path]:
        """Files of one kind (LIVE, SEALED, SET_ASIDE), oldest number first."""
        return sorted(self.path.glob(f"*{ending}"), key=lambda path: _number(path.name))

    def sizes(self, ending: str) -> list[int]:
        """Bytes of each file of one kind; what is sealed or removed meanwhile is left out."""
        found = []
        for path in self.path.glob(f"*{ending}"):
            with suppress(FileNotFoundError):
                found.append(path.stat().st_size)
        return found

    def create(self, system: str, worker: int) -> tuple[int, Path, Header]:
        """A new live segment: (file descriptor, path, header), its header written, locked by this process.

        Its number has reached the disk after the next `sync`, which must come before the segment does: else a crash
        may give it to another one.

        Raises:
            OSError: the disk does not take it; nothing is left behind.
        """
        with self._locked() as counter:
            header = Header(worker, self._claim(counter), system)
            path = self.path / f"{header.name}{LIVE}"
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                data = header.encode()
                if os.write(fd, data) != len(data):
                    raise OSError("the disk took only a part of the segment's header")
            except OSError:
                path.unlink(missing_ok=True)
                os.close(fd)
                raise
            return fd, path, header

    def claim(self) -> int:
        """A number for a segment that is written elsewhere; it is never given again."""
        with self._locked() as counter:
            number = self._claim(counter)
            os.fdatasync(counter)
            return number

    def seal_orphans(self) -> Recovered:
        """Seal the live segments of dead writers. What cannot be sealed is set aside, never thrown away.

        Callers take turns: on return, what another one has found is sealed as well.
        """
        done = Recovered()
        with self._locked(_SEALING):
            for path in self.files(LIVE):
                with suppress(FileNotFoundError):
                    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
                    try:
                        if self._is_orphan(fd):
                            self._seal_orphan(fd, path, done)
                    finally:
                        os.close(fd)
        return done

    def sync(self) -> None:
        """Have the numbers that were given, and the folder's own entries, reach the disk."""
        counter = os.open(self.path / _COUNTER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.fdatasync(counter)
        finally:
            os.close(counter)
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def seal(self, fd: int, path: Path, *, end: int, count: int, digest: bytes) -> None:
        """Give a live file that ends at `end` its footer and its final name; an empty one is removed.

        Args:
            fd: of the file.
            path: of the file.
            end: the byte behind its last whole frame.
            count: of its records.
            digest: the SHA-256 of its bytes up to `end`.

        Raises:
            OSError: the disk does not take the footer; the file is as before.
        """
        if count == 0:
            path.unlink(missing_ok=True)
            return
        tail = footer(count, digest)
        try:
            os.ftruncate(fd, end)
            if os.write(fd, tail) != len(tail):
                raise OSError("the disk took only a part of the segment's footer")
            os.fdatasync(fd)
            path.rename(path.with_suffix(SEALED))
        except OSError:
            os.ftruncate(fd, end)
            raise
        # If the new name is lost with the power, the old one stands over a whole file: recovery renames it.
        with suppress(OSError):
            self.sync()

    def _is_orphan(self, fd: int) -> bool:
        with self._locked():
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def _seal_orphan(self, fd: int, path: Path, done: Recovered) -> None:
        data = path.read_bytes()
        try:
            found = parse_segment(data, str(path), sealed=False)
        except Corrupt:
            path.rename(path.with_suffix(SET_ASIDE))
            done.corrupt.append(path.stem)
            return
        if found is None:
            path.unlink()
            return
        self.sync()  # its number, which its writer may not have lived to bring to the disk
        if found.sealed:
            os.fdatasync(fd)
            path.rename(path.with_suffix(SEALED))
            done.sealed.append(path.stem)
        else:
            if found.torn_bytes:
                self._cut(fd, path, found.end)
                done.torn.append(path.stem)
            count = len(found.records)
            self.seal(fd, path, end=found.end, count=count, digest=found.footer_digest(data[: found.end]))
            done.sealed.extend([path.stem] if count else [])

    def _cut(self, fd: int, path: Path, end: int) -> None:
        """Cut a torn tail off; its bytes are kept, because nobody can prove what they were."""
        path.with_suffix(".torn").write_bytes(path.read_bytes()[end:])
        os.ftruncate(fd, end)

    @contextmanager
    def _locked(self, name: str = _COUNTER) -> Iterator[int]:
        fd = os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield fd
        finally:
            os.close(fd)

    def _claim(self, counter: int) -> int:
        """The next number."""
        stored = os.pread(counter, _DIGITS, 0)
        seen = max((_number(name) for name in os.listdir(self.path)), default=0)
        number = max(int(stored) if stored.isdigit() else 0, seen) + 1
        if number >= 1 << 36:
            raise LogUnwritable(str(self.path), got="all 2**36 segment numbers are used up")
        os.pwrite(counter, str(number).zfill(_DIGITS).encode(), 0)
        return number


def _number(name: str) -> int:
    """The segment number in a file's name; 0 for other files."""
    found = _SEGMENT_FILE.fullmatch(name)
    return int(found[1]) if found else 0
