"""Holding a delivery to all that is promised of it: the contract, the older versions' schema, the checks."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from trimtab.data import late
from trimtab.data.checks.check import Delivery
from trimtab.data.content import schema_of
from trimtab.data.contract import Sorted, hold_to_contract
from trimtab.data.judge import judge
from trimtab.data.profile import Profile, columns_of, profile
from trimtab.data.profiles import Profiles
from trimtab.data.readers.stream_declared import Stream
from trimtab.data.schema_change import schema_changes
from trimtab.data.storable import stored_schema
from trimtab.data.versions import Versions
from trimtab.kernel.dataset_version import DatasetVersion
from trimtab.kernel.errors import ContractBreach, listed
from trimtab.kernel.source import Source

_EARLIER = 30  # versions that say what a source usually brings


@dataclass(frozen=True)
class Held:
    """A delivery as it is let in."""

    rows: Sorted
    profile: Profile | None  # of the rows that the contract let in; None if there are none
    told: tuple[str, ...]  # what checks warned of, for the delivery as a whole


def begins(source: Source, before: DatasetVersion | None) -> bool:
    """Whether the version is to be made even without rows: what is declared on a stream needs not wait for them."""
    return before is None and isinstance(source.read, Stream)


class Holding:
    """Reads what the versions say of a source's past."""

    def __init__(self, versions: Versions, profiles: Profiles) -> None:
        self._versions = versions
        self._profiles = profiles

    def to_contract(
        self, source: Source, before: DatasetVersion | None, rows: pl.DataFrame, missed: late.Missed | None
    ) -> Sorted:
        """The rows as the contract lets them in, in the types in which they are stored.

        Raises:
            ContractBreach: the contract is broken in a way that names no rows, or the columns have changed.
        """
        if rows.is_empty() and not begins(source, before):
            return Sorted(rows, rows)
        try:
            held = hold_to_contract(source, rows)
        except ContractBreach:
            if before is not None:  # a column that is gone, or new, says more than what fails without it
                self._refuse_changed_schema(source, before, rows)
            raise
        if before is not None:
            self._refuse_changed_schema(source, before, held.accepted)
        accepted = held.accepted.cast(stored_schema(source, held.accepted.schema))
        if before is not None and missed is not None:
            accepted = late.taken_before(source, accepted, missed.unoffered, before.known_until_us)
        return Sorted(accepted, held.quarantined, held.warned)

    def to_checks(self, source: Source, before: DatasetVersion | None, held: Sorted, now_us: int) -> Held:
        """The rows as the source's checks let them in.

        Raises:
            ContractBreach: a check that blocks has found something.
        """
        rows = held.accepted
        if rows.is_empty() and not source.checks:
            return Held(held, None, ())
        found = profile(rows) if rows.height else None
        last = before.number if before else 0
        delivery = Delivery(
            source=source,
            rows=rows,
            since_us=before.known_until_us if before else now_us,
            now_us=now_us,
            earlier=[self._versions.version(source.name, n) for n in range(max(1, last - _EARLIER + 1), last + 1)],
            newest_us=lambda: self._newest_us(source, rows),
            past=self._profiles.of(before).seen if before is not None and found is not None else {},
            columns=columns_of(found) if found is not None else {},
            held_by=lambda name: self._versions.frame(name) if self._versions.current(name) else None,
        )
        judged = judge(delivery, held)
        return Held(judged.held, found, judged.told)

    def _newest_us(self, source: Source, rows: pl.DataFrame) -> int | None:
        """The newest known time: of the delivery, or of the newest version that brought rows."""
        newest = pl.col(source.known).dt.epoch("us").max()
        if rows.height:
            held: int = rows.select(newest).item()
            return held
        for number in range(self._versions.current(source.name), 0, -1):
            if self._versions.version(source.name, number).rows:
                older = self._versions.frame(source.name, number, after=number - 1)
                found: int = older.select(newest).collect().item()
                return found
        return None

    def _refuse_changed_schema(self, source: Source, before: DatasetVersion, rows: pl.DataFrame) -> None:
        schema = stored_schema(source, rows.schema)
        if set(schema_of(schema)) == set(before.schema):
            return
        columns = columns_of(profile(rows.cast(schema)))
        changes = schema_changes(before.schema, schema_of(schema), self._profiles.of(before).seen, columns)
        raise ContractBreach(
            source.name,
            allowed="the columns and types of its older versions",
            got=listed(changes),
            do="mend the feed, or declare the new table as a source of another name; until then older data serve",
        )
