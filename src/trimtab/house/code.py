"""A project's code as of a release: kept as a blob, unpacked beside the stores, loaded from there."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from trimtab.kernel.canonical import short
from trimtab.kernel.errors import Corrupt
from trimtab.kernel.release import Release
from trimtab.ports.blobs import Blobs
from trimtab.project import load_system
from trimtab.system import System


class PinnedCode:
    """Loads systems as they were declared when a model was trained, whatever the working tree says now."""

    def __init__(self, blobs: Blobs, folder: Path) -> None:
        self._blobs = blobs
        self._folder = folder
        self._loaded: dict[str, System] = {}

    def system(self, release: Release) -> System:
        """The system with the release's own feature definitions.

        Raises:
            Corrupt: the code does not give the definitions that the release names.
        """
        return self.declared(release.code, release.views, f"release {short(release.digest)}")

    def declared(self, code: str, views: tuple[tuple[str, str], ...], of: str) -> System:
        """The system that a code blob declares.

        Args:
            code: the blob's digest.
            views: the definitions that it must give.
            of: what was made with it, for the message.

        Raises:
            Corrupt: it gives others.
        """
        if code not in self._loaded:
            self._loaded[code] = load_system(*self.unpack(code))
        system = self._loaded[code]
        if system.feature_set.versions != views:
            raise Corrupt(
                f"the code of {of}",
                where=str(self._folder / code),
                allowed=f"views {list(views)}",
                got=f"views {list(system.feature_set.versions)}",
                do="install the Trimtab version that made it, or train and release again",
            )
        return system

    def unpack(self, digest: str) -> tuple[Path, str]:
        """The folder with the files of a code blob, as they were kept, and the file that declares the system."""
        kept = json.loads(self._blobs.get(digest))
        folder = self._folder / digest
        for name, text in kept["files"].items():
            path = folder / name
            if not path.exists() or path.read_bytes() != text.encode():
                path.parent.mkdir(parents=True, exist_ok=True)
                # A name of its own for every writer: workers that start together unpack the same code.
                with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as half:
                    half.write(text.encode())
                Path(half.name).rename(path)
        return folder, str(kept["system"])
