"""Today: what evidence is computed from. Each store is read once, when a question first needs it; never written."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property

import polars as pl

from trimtab.governance.audit import verify
from trimtab.governance.audit_report import AuditReport
from trimtab.house.house import House
from trimtab.house.parity import served
from trimtab.kernel.dataset_version import DatasetVersion
from trimtab.kernel.evidence import Evidence
from trimtab.kernel.ledger_entry import LedgerEntry
from trimtab.kernel.release import Release
from trimtab.kernel.route import Route
from trimtab.monitoring.measure import PREDICTIONS

_MISSING = r"[\[,]null[,\]]"  # in a JSON list of values
_ANSWERS = pl.Schema(
    {
        "id": pl.String(),
        "key": pl.String(),
        "at": pl.Datetime("us", "UTC"),
        "release": pl.String(),
        "generation": pl.Int64(),
        "score": pl.Float64(),
        "latency_us": pl.Int64(),
        "ages_us": pl.List(pl.Int64()),
        "incomplete": pl.Boolean(),  # some feature was missing
    }
)


class Today:
    """A house as it stands at an instant."""

    def __init__(self, house: House, now: datetime) -> None:
        self.house = house
        self.now = now

    def entries(self, *kinds: str) -> list[LedgerEntry]:
        """Ledger entries of these kinds, oldest first; of a kind that nothing was ever written of, none."""
        found = [entry for kind in kinds for entry in self._ledger.get(kind, [])]
        return sorted(found, key=lambda entry: entry.seq)

    @cached_property
    def audit(self) -> AuditReport:
        """Of the whole ledger."""
        return verify(self.house.reader, self.house.heads())

    @cached_property
    def route(self) -> Route | None:
        """In force."""
        return self.house.act.route(self.house.name)

    @cached_property
    def champion(self) -> Release | None:
        """The release that answers users."""
        return None if self.route is None else self.house.releases.get(self.route.champion)

    @cached_property
    def champion_facts(self) -> dict[str, str]:
        """The champion's run, when it was made, by whom; nothing if there is none."""
        if self.route is None:
            return {}
        facts = self.house.releases.facts(self.house.name, self.route.champion)
        return {name: str(value) for name, value in facts.items()}

    @cached_property
    def versions(self) -> dict[str, list[DatasetVersion]]:
        """All versions of each source, oldest first."""
        read = self.house.versions
        return {
            source.name: [read.version(source.name, number) for number in range(1, read.current(source.name) + 1)]
            for source in self.house.system.sources
        }

    @cached_property
    def answers(self) -> pl.DataFrame:
        """Answers in the predictions table, by time: `incomplete` says that a feature was missing."""
        if not self.house.tables.exists(PREDICTIONS):
            return pl.DataFrame(schema=_ANSWERS)
        incomplete = pl.col("features").str.contains(_MISSING).alias("incomplete")
        return served(self.house).with_columns(incomplete).select(*_ANSWERS).sort("at", "id").collect()

    @cached_property
    def labelled(self) -> pl.DataFrame:
        """Answers whose truth is known: `at`, `score`, `label`, `label_known_at`."""
        return self.house.measure.labelled(self.house.name, self.house.system.label, self.now)

    @cached_property
    def truths(self) -> pl.LazyFrame | None:
        """All rows that brought a label, each as often as it was corrected; None before the first."""
        source = self.house.system.label.source
        return self.house.tables.scan(source.table) if self.house.tables.exists(source.table) else None

    @cached_property
    def measured(self) -> list[Evidence]:
        """What monitors have measured, oldest first."""
        return self.house.measure.evidence(self.house.name)

    @cached_property
    def _ledger(self) -> dict[str, list[LedgerEntry]]:
        found: dict[str, list[LedgerEntry]] = {}
        for entry in self.house.reader.entries():
            found.setdefault(entry.kind, []).append(entry)
        return found
