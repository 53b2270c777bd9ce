"""Profiles of dataset versions: a blob each, which the version names. The journal keeps the name alone."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import polars as pl

from trimtab.data.history import Seen, seen_from
from trimtab.data.profile import Profile, columns_of, profile
from trimtab.data.versions import VERSION, Versions
from trimtab.kernel.canonical import canonical
from trimtab.kernel.dataset_version import DatasetVersion
from trimtab.ports.blobs import Blobs


@dataclass(frozen=True)
class Kept:
    """What is kept with a version: the profile of the rows that it added, and the past of all columns."""

    profile: Profile
    seen: dict[str, Seen] = field(default_factory=dict)


class Profiles:
    """Makes profiles, keeps them, and reads them back."""

    def __init__(self, blobs: Blobs, versions: Versions) -> None:
        self._blobs = blobs
        self._versions = versions
        self._newest: dict[str, tuple[str, Kept]] = {}  # source → (digest, what it names)

    def of(self, version: DatasetVersion) -> Kept:
        """What is kept with a version; one without a profile gets that of its rows."""
        if not version.profile:
            rows = self._versions.frame(version.source, version.number, after=version.number - 1)
            return Kept(profile(rows.drop(VERSION).collect()))
        digest, kept = self._newest.get(version.source, ("", Kept({})))
        if digest != version.profile:
            body = json.loads(self._blobs.get(version.profile))
            seen = {name: seen_from(one) for name, one in body["seen"].items()}
            kept = Kept(body["profile"], seen)
        return kept

    def keep(
        self, source: str, before: DatasetVersion | None, rows: pl.DataFrame, found: Profile | None = None
    ) -> str:
        """The digest of the profile of a new version's rows, which is stored with the past that it carries on.

        Args:
            source: its name.
            before: the version before; None for the first.
            rows: what the new version adds.
            found: their profile, where it is known already.
        """
        found = found or profile(rows)
        seen = dict(self.of(before).seen) if before is not None else {}
        for name, column in columns_of(found).items():
            seen[name] = seen.get(name, Seen()).after(column)
        body = {"profile": found, "seen": {name: one.body() for name, one in seen.items()}}
        digest = self._blobs.put(canonical(body))
        self._newest[source] = (digest, Kept(found, seen))
        return digest
