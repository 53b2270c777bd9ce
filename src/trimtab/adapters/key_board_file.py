"""The keys in force as one JSON file, replaced as a whole; it holds digests, and no secret."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from trimtab.kernel.access_key import AccessKey, access_key_from
from trimtab.kernel.canonical import canonical
from trimtab.kernel.errors import Corrupt

_SCHEMA = 1


class FileKeyBoard:
    """Implements KeyBoard."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def publish(self, keys: Sequence[AccessKey]) -> None:
        """Replace the file, if its content would change. Only its owner may read it."""
        data = canonical({"schema": _SCHEMA, "keys": [one.body() for one in keys]})
        if self._path.exists() and self._path.read_bytes() == data:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Made with mode 0600, under a name of its own: two writers must not mix their halves.
        with tempfile.NamedTemporaryFile(dir=self._path.parent, prefix=".keys-", delete=False) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).rename(self._path)


class FileKeyFollower:
    """Implements KeyFollower."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None

    def changed(self) -> bool:
        """Whether the file is another one. One that is gone changes nothing: what it said stays in force."""
        mark = self._mark()
        return mark is not None and mark != self._seen

    def current(self) -> Sequence[AccessKey]:
        """The keys of the file."""
        self._seen = self._mark()  # before it is read: what comes in between is seen by the next look
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return ()
        try:
            return [access_key_from(one) for one in json.loads(data)["keys"]]
        except (ValueError, KeyError, AssertionError, TypeError) as error:
            raise Corrupt(
                "the file of keys",
                where=str(self._path),
                allowed="keys as they were published",
                got=f"{type(error).__name__}: {error}",
                do="publish them again: trimtab keys ls",
            ) from error

    def _mark(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
