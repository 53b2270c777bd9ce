"""Holding rows to a source's contract: which rows pass, which go into quarantine and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandera.polars as pa
import polars as pl
from pandera.errors import SchemaErrors

from trimtab.kernel.errors import ContractBreach, listed
from trimtab.kernel.source import Source

REASON = "_reason"  # the column of a quarantined row that says which checks it failed


@dataclass(frozen=True)
class Sorted:
    """Rows by what becomes of them."""

    accepted: pl.DataFrame
    quarantined: pl.DataFrame  # with the column `_reason`


def hold_to_contract(source: Source, frame: pl.DataFrame) -> Sorted:
    """Validate a collected frame (on a lazy one pandera checks the schema only and skips every value).

    Raises:
        ContractBreach: the schema itself is broken: a column is missing or has another type.
    """
    nothing = frame.clear().with_columns(pl.lit("").alias(REASON))
    if source.contract is None:
        return Sorted(frame, nothing)
    schema: Any = source.contract
    try:
        (schema if isinstance(schema, pa.DataFrameSchema) else schema.to_schema()).validate(frame, lazy=True)
    except SchemaErrors as failure:
        return _quarantine(source, frame, failure.failure_cases)
    return Sorted(frame, nothing)


def _quarantine(source: Source, frame: pl.DataFrame, cases: pl.DataFrame) -> Sorted:
    whole = cases.filter(pl.col("index").is_null())
    if whole.height:
        checks = [f"{column}: {check}" for column, check in whole.select("column", "check").unique().iter_rows()]
        raise ContractBreach(
            source.name,
            allowed=f"what the contract at {source.place} says",
            got=listed(checks),
            do="mend the feed upstream, or change the contract; until then older data serve",
        )
    reasons = (
        cases.with_columns(pl.col("index").cast(pl.UInt32), reason=pl.col("column") + ": " + pl.col("check"))
        .group_by("index")
        .agg(pl.col("reason").unique().sort().str.join("; ").alias(REASON))
    )
    numbered = frame.with_row_index("index").join(reasons, on="index", how="left", maintain_order="left")
    return Sorted(
        numbered.filter(pl.col(REASON).is_null()).drop("index", REASON),
        numbered.filter(pl.col(REASON).is_not_null()).drop("index"),
    )
