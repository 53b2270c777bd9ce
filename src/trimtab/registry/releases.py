"""The registry: writes releases down, finds them by the few characters that a person types."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from trimtab.kernel.canonical import Json, JsonMap, canonical, short
from trimtab.kernel.errors import NotFound, Refused
from trimtab.kernel.ledger_entry import LedgerEntry
from trimtab.kernel.release import Release, release_from
from trimtab.kernel.route import Route, route_from
from trimtab.kernel.verdict import Outcome, Verdict, worst
from trimtab.ports.blobs import Blobs
from trimtab.ports.journal import Journal, JournalReader

KIND = "release"
ROUTE_MOVED = "route.moved"


@dataclass(frozen=True)
class InForce:
    """A route that was put in force, and what the ledger says of that."""

    route: Route
    since: datetime
    actor: str
    because: str
    ledger_seq: int


class ReleaseReader:
    """The harmless half: reads releases and their history."""

    def __init__(self, reader: JournalReader, blobs: Blobs) -> None:
        self._reader = reader
        self._blobs = blobs

    def get(self, digest: str) -> Release:
        """A release, checked against its digest.

        Raises:
            NotFound, Corrupt: as the blob store says.
        """
        return release_from(json.loads(self._blobs.get(digest)))

    def all(self, system: str) -> list[tuple[str, JsonMap]]:
        """(digest, what the journal says of it) of a system's releases, oldest first."""
        found = self._reader.records(KIND, prefix=f"{system}/")
        return [(id.rpartition("/")[2], body) for id, body in found]

    def find(self, system: str, text: str = "") -> str:
        """The digest that starts with `text`; the newest release if no text is given.

        Raises:
            NotFound: none, or several.
        """
        digests = [digest for digest, _ in self.all(system)]
        matches = [digest for digest in digests if digest.startswith(text)] if text else digests[-1:]
        if len(matches) == 1:
            return matches[0]
        raise NotFound(
            "release" if not matches else "single release",
            text or f"of {system}",
            allowed=", ".join(short(digest) for digest in digests) or "no release exists yet",
            do="list them with: trimtab status"
            if digests
            else "make one with: trimtab train, then trimtab release",
        )

    def facts(self, system: str, digest: str) -> JsonMap:
        """What the journal says of a release: its run, when it was made, by whom."""
        body = self._reader.record(KIND, f"{system}/{digest}")
        if body is None:
            raise NotFound("release", short(digest), do="list them with: trimtab status")
        return body

    def in_production(self, system: str, at: datetime) -> str:
        """The release that answered users at an instant; "" if none did."""
        pointer = self._reader.pointer_at(f"route/{system}", at)
        body = None if pointer is None else self._reader.record("route", pointer.value)
        return "" if body is None else route_from({**body, "generation": 0}).champion

    def in_force(self, system: str, at: datetime) -> InForce | None:
        """The route at an instant; None before the first."""
        pointer = self._reader.pointer_at(f"route/{system}", at)
        if pointer is None:
            return None
        [entry] = islice(self._reader.entries(after=pointer.ledger_seq - 1), 1)
        return _in_force(entry, pointer.generation)

    def routes(self, system: str) -> list[InForce]:
        """All routes that were in force, in order."""
        moves = self._reader.entries(kind=ROUTE_MOVED, subject=system)
        return [_in_force(entry, generation) for generation, entry in enumerate(moves, 1)]

    def been_in_production(self, system: str) -> list[str]:
        """Digests of all releases that ever were champion, in the order of their first time."""
        moves = self._reader.entries(kind=ROUTE_MOVED, subject=system)
        return list(dict.fromkeys(str(entry.body["champion"]) for entry in moves))


def _in_force(entry: LedgerEntry, generation: int) -> InForce:
    route = route_from({**entry.body, "generation": generation})
    return InForce(route, entry.at, entry.actor, str(entry.body["because"]), entry.seq)


class ReleaseWriter:
    """The dangerous half: makes releases."""

    def __init__(self, journal: Journal, reader: JournalReader, blobs: Blobs) -> None:
        self._journal = journal
        self._reader = reader
        self._blobs = blobs

    def create(
        self,
        release: Release,
        verdicts: list[Verdict],
        run: str,
        *,
        at: datetime,
        actor: str,
        admits: Sequence[Outcome] = (Outcome.PASS,),
        override: str = "",
    ) -> str:
        """Write a release down if the gates let it. Writing the same release again changes nothing.

        Args:
            release: to be written down.
            verdicts: of its gates.
            run: that made it.
            at: now.
            actor: who does it.
            admits: what the gates may say together.
            override: why somebody sets the gates aside; it stands in the ledger. "" if nobody does.

        Raises:
            Refused: the gates do not let it; the verdicts stand in the ledger.
        """
        outcome = worst(verdicts)
        told: list[Json] = [one.body() for one in verdicts]
        if (outcome not in admits or not verdicts) and not override:
            with self._journal.begin(at=at, actor=actor) as unit:
                unit.append("release.refused", release.system, {"run": run, "verdicts": told})
            held = [f"{one.gate}: {one.outcome}: {one.reason}" for one in verdicts if one.outcome not in admits]
            raise Refused(
                f"the release of {release.system}",
                because="\n           ".join(held) or "no gate is declared",
                allowed="no gate fails" if Outcome.INCONCLUSIVE in admits else "every gate passes",
                do="look at the run, mend the data or the training, and train again",
            )
        digest = self._blobs.put(canonical(release.body()))
        facts: dict[str, Json] = {"run": run, "created_at": at.isoformat(), "actor": actor, "override": override}
        id = f"{release.system}/{digest}"
        with self._journal.begin(at=at, actor=actor) as unit:
            if self._reader.record(KIND, id) is None:  # who made it, and when, is said once
                unit.append("release.created", id, {"run": run, "verdicts": told, "model": release.model})
                if override:
                    unit.append("gates.overridden", id, {"because": override, "outcome": str(outcome)})
                unit.put(KIND, id, facts)
        return digest
