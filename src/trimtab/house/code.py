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
    """Loads systems as they were declared when a release was trained, whatever the working tree says now."""

    def __init__(self, blobs: Blobs, folder: Path) -> None:
        self._blobs = blobs
        self._folder = folder
        self._loaded: dict[str, System] = {}

    def system(self, release: Release) -> System:
        """The system with the release's own feature definitions.

        Raises:
            Corrupt: the code does not give the definitions that the release names.
        """
        if release.code not in self._loaded:
            self._loaded[release.code] = load_system(*self.unpack(release.code))
        system = self._loaded[release.code]
        if system.feature_set.versions != release.views:
            raise Corrupt(
                f"the code of release {short(release.digest)}",
                where=str(self._folder / release.code),
                allowed=f"views {list(release.views)}",
                got=f"views {list(system.feature_set.versions)}",
                do="install the Trimtab version that made the release, or train and release again",
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
