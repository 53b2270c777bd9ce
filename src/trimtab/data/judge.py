"""Holding a delivery to the checks that a source declares beside its contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from trimtab.data.checks.check import Check, Delivery, Finding
from trimtab.data.checks.units import Units
from trimtab.data.contract import REASON, Sorted, refuse_too
from trimtab.kernel.counted import counted
from trimtab.kernel.errors import ContractBreach, listed
from trimtab.kernel.source import Source


@dataclass(frozen=True)
class Judged:
    """The delivery as the checks let it in, and what is to be told of it as a whole."""

    held: Sorted
    told: tuple[str, ...]


def checks_of(source: Source) -> list[Check]:
    """Those that it declares, and one that every source has: it tells, and blocks only where it was declared to."""
    declared: list[Check] = list(source.checks)
    if any(isinstance(one, Units) for one in declared):
        return declared
    return [*declared, Units("warn", source.place)]


def judge(delivery: Delivery, held: Sorted) -> Judged:
    """Carry out what each check's action says.

    Raises:
        ContractBreach: a check that blocks has found something.
    """
    source = delivery.source
    found = [(one, finding) for one in checks_of(source) if (finding := one.find(delivery)) is not None]
    blocking = [_counted(finding) for one, finding in found if one.action == "block"]
    if blocking:
        raise ContractBreach(
            source.name,
            allowed=f"what the checks at {source.place} say",
            got=listed(blocking),
            do="mend the feed upstream, or change the check; until then older data serve",
        )
    # A finding without rows, of a check that would quarantine some, has none to quarantine.
    told = [finding for one, finding in found if one.action == "warn" or finding.rows is None]
    taken = [
        (finding.text, finding.rows)
        for one, finding in found
        if one.action == "quarantine" and finding.rows is not None
    ]
    sorted_ = _quarantined(source, held, taken) if taken else held
    warned = [(one.text, delivery.rows.height if one.rows is None else int(one.rows.sum())) for one in told]
    return Judged(
        Sorted(sorted_.accepted, sorted_.quarantined, (*held.warned, *warned)),
        tuple(one.text for one in told if one.rows is None),
    )


def _counted(finding: Finding) -> str:
    if finding.rows is None:
        return finding.text
    return f"{finding.text} ({int(finding.rows.sum()):,} of {counted(finding.rows.len(), 'row')})"


def _quarantined(source: Source, held: Sorted, findings: Sequence[tuple[str, pl.Series]]) -> Sorted:
    rows = held.accepted
    reasons = [pl.when(wrong).then(pl.lit(text)).alias(str(n)) for n, (text, wrong) in enumerate(findings)]
    reason = rows.select(pl.concat_str(reasons, separator="; ", ignore_nulls=True).alias(REASON)).to_series()
    wrong = pl.any_horizontal([one for _, one in findings])
    refused = rows.with_columns(reason).filter(wrong)
    return Sorted(rows.filter(~wrong), refuse_too(source, held.quarantined, refused), held.warned)
