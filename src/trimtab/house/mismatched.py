"""The causes of mismatches: what else gives the values that were served, and since when it is otherwise."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TypeAlias, cast

import polars as pl

from trimtab.features.feature_set import Declared, FeatureSet, by_view, feature_name
from trimtab.features.mismatch_cause import ByAnswer, Cause, Kind, Values, causes_of
from trimtab.features.on_request import RequestFeatures
from trimtab.features.parity import Mismatch
from trimtab.features.recomputed import Recomputed, alone, as_pushed
from trimtab.house.house import House
from trimtab.kernel.canonical import Json, short
from trimtab.kernel.dataset_version import version_id
from trimtab.kernel.errors import TrimtabError
from trimtab.kernel.release import Release

WORKING_TREE = "the working tree"
_TOGETHER = 2_000  # answers: those of one time are recomputed from the same few dataset versions
_OWN, _PUSH = "its own definition", "its push function"
_Why: TypeAlias = "tuple[Kind, str, str, str, int]"  # the fields of Explained from `cause` on
Progress = Callable[[str, int, int], None]  # of which stage, how much is done, of how much


@dataclass(frozen=True)
class Explained:
    """A value that differs, and why."""

    id: str
    at: datetime
    release: str
    feature: str
    served: Json
    offline: Json
    cause: Kind
    because: str
    version: str = ""  # late data: the dataset version that brought it; staleness: the one that was served
    in_force: str = ""  # the dataset version that was the newest when the answer was made
    behind: int = 0  # staleness: by how many versions

    @property
    def fault(self) -> bool:
        """Whether something is broken: facts may be late, and while a look is projected the store is behind."""
        return self.cause != "late data" and self.behind != 1


@dataclass(frozen=True)
class Arrivals:
    """When the versions of a source came, oldest first; features of the request have none."""

    source: str = ""
    at: Sequence[datetime] = ()

    def in_force(self, at: datetime) -> int:
        """The number of the newest version at an instant."""
        return bisect_right(self.at, at)

    def id(self, number: int) -> str:
        """Of a version."""
        return version_id(self.source, number) if number else ""

    def named(self, number: int) -> str:
        """A version with its time; 0 is before the first."""
        if not number:
            return f"nothing of {self.source}"
        return f"{self.id(number)} of {self.at[number - 1]:%Y-%m-%d %H:%M} UTC"

    def told(self, cause: Cause, in_force: int) -> str:
        """The cause in words."""
        match cause.kind:
            case "late data":
                return f"{self.named(cause.version)} brought facts that say they were known before the question"
            case "staleness":
                held = self.named(cause.version)
                return f"the online store held {held} while {self.named(in_force)} was in force"
            case "version":
                return f"it is what {cause.definition} defines"
        if cause.definition:
            return f"it is what {_PUSH} gives"
        told = "no other definition gives it"
        return f"{told}, and no version from {self.named(cause.oldest)} on" if self.source else told


def faults(house: House, release: Release, answers: pl.DataFrame, found: Sequence[Mismatch]) -> list[Mismatch]:
    """The mismatches that another release would not have: those of its definitions and its code.

    Between two looks at the feeds facts become known that nobody has yet, and while a look is projected the store
    is one version behind: whatever answers then, answers from what there is. Further behind, something is broken.

    Args:
        house: of the system.
        release: that gave the answers.
        answers: `id`, `at`, `request`, `features` of them.
        found: their mismatches.
    """
    if not found:
        return []
    wrong = answers.filter(pl.col("id").is_in([one.id for one in found]))
    told = Causes(house)(release, wrong, found, lambda *_: None)
    blamed = {(one.id, one.feature) for one in told if one.fault}
    return [one for one in found if (one.id, one.feature) in blamed]


class Causes:
    """Finds the causes of mismatches, for one release at a time."""

    def __init__(self, house: House) -> None:
        self._house = house

    def __call__(
        self, release: Release, answers: pl.DataFrame, found: Sequence[Mismatch], progress: Progress
    ) -> Iterator[Explained]:
        """Each mismatch with its cause.

        Args:
            release: that gave the answers.
            answers: `id`, `at`, `request`, `features` of those with mismatches.
            found: the mismatches.
            progress: told of each view of an answer that is done.
        """
        features = self._house.code.system(release).feature_set
        wrong: dict[str, dict[str, list[Mismatch]]] = {}  # by view and answer
        for one in found:
            wrong.setdefault(one.feature.partition(".")[0], {}).setdefault(one.id, []).append(one)
        total, done = sum(map(len, wrong.values())), 0
        for view in features.declared:
            of_view = wrong.get(view.name, {})
            rows = answers.filter(pl.col("id").is_in(list(of_view))).sort("at", "id")
            for part in rows.iter_slices(_TOGETHER):
                causes = self._looked(release, features, view, part)(part)
                for id, at in part.select("id", "at").iter_rows():
                    for one in of_view[id]:
                        yield Explained(id, at, release.digest, one.feature, one.served, one.offline, *causes[id])
                done += part.height
                progress("causes", done, total)

    def _looked(self, release: Release, features: FeatureSet, view: Declared, rows: pl.DataFrame) -> _View:
        names = [one.name for one in release.features]
        own = [feature_name(view.name, column) for column in by_view(names)[view.name]]
        source = "" if isinstance(view, RequestFeatures) else features.source_of(view).name
        pushed = as_pushed(view)
        return _View(
            places=[names.index(name) for name in own],
            own=alone(features, view),
            pushed=None if pushed is None else alone(features, pushed),
            others=self._others(view, features),
            floor=_trained_on(release, source),
            arrivals=Arrivals(source, self._arrived.get(source, ())),
            again=Recomputed(rows, own, release.request, self._house.versions.frame),
        )

    def _others(self, view: Declared, features: FeatureSet) -> dict[str, FeatureSet]:
        """Each other definition of a view, by whom first has it."""
        seen, found = {features.version_of(view)}, dict[str, FeatureSet]()
        for whose, declared in self._known.items():
            for one in (one for one in declared.declared if one.name == view.name):
                with suppress(TrimtabError):  # a working tree may name sources that it does not list
                    if (version := declared.version_of(one)) not in seen:
                        seen.add(version)
                        found[whose] = alone(declared, one)
        return found

    @cached_property
    def _known(self) -> dict[str, FeatureSet]:
        """What is declared by the releases that there are, oldest first, and by the working tree."""
        found = {}
        for digest, _ in self._house.releases.all(self._house.name):
            with suppress(TrimtabError):  # a release whose code is gone defines nothing any more
                features = self._house.code.system(self._house.releases.get(digest)).feature_set
                found[f"release {short(digest)}"] = features
        return {**found, WORKING_TREE: self._house.system.feature_set}

    @cached_property
    def _arrived(self) -> dict[str, list[datetime]]:
        """When the versions of each source came, as the ledger says."""
        found: dict[str, list[datetime]] = {}
        for entry in self._house.reader.entries(kind="source.versioned"):
            found.setdefault(entry.subject.rpartition("@")[0], []).append(entry.at)
        return found


def _trained_on(release: Release, source: str) -> int:
    pin = cast("dict[str, list[int]]", release.training["sources"]).get(source)
    return pin[0] if pin else 1 if source else 0


@dataclass(frozen=True)
class _View:
    """Implements Recomputation: of one view of one release, for the answers to which it gave other values."""

    places: Sequence[int]  # of its features among the release's
    own: FeatureSet
    pushed: FeatureSet | None
    others: Mapping[str, FeatureSet]
    floor: int  # the dataset version that the release was trained on: it went live with that projected
    arrivals: Arrivals
    again: Recomputed

    def __call__(self, answers: pl.DataFrame) -> dict[str, _Why]:
        """By answer the cause, in words, and the dataset versions behind it."""
        together: dict[int, dict[str, Values]] = {}  # by the version in force
        for id, at, logged in answers.select("id", "at", "features").iter_rows():
            served = json.loads(logged)
            together.setdefault(self.arrivals.in_force(at), {})[id] = [served[place] for place in self.places]
        newest = len(self.arrivals.at)
        return {
            id: self._why(cause, in_force)
            for in_force, served in together.items()
            for id, cause in causes_of(served, self.floor, in_force, newest, self).items()
        }

    def _why(self, cause: Cause, in_force: int) -> _Why:
        named = self.arrivals
        behind = in_force - cause.version if cause.kind == "staleness" else 0
        return cause.kind, named.told(cause, in_force), named.id(cause.version), named.id(in_force), behind

    def of_version(self, number: int) -> ByAnswer:
        """By its own definition."""
        return self.again.by(_OWN, self.own, self.arrivals.source, number)

    def by_others(self, number: int) -> Iterator[tuple[str, ByAnswer]]:
        """By each other one."""
        for whose, definition in self.others.items():
            yield whose, self.again.tried(whose, definition, self.arrivals.source, number)

    def by_push(self, number: int) -> ByAnswer:
        """By its own that makes the online facts."""
        if self.pushed is None:
            return {}
        return self.again.tried(_PUSH, self.pushed, self.arrivals.source, number)
