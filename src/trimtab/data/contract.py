"""Holding rows to a source's contract: which rows pass, which go into quarantine and why."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import pandera.polars as pa
import polars as pl
from pandera.config import ValidationDepth, config_context
from pandera.errors import SchemaDefinitionError, SchemaErrors

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

    A row without its event or known time can never be asked for: it is quarantined, whatever the contract says.

    Raises:
        ContractBreach: the schema itself is broken (a column is missing or has another type), or a check failed
            that does not say which rows are wrong.
    """
    dated, undated = _sort_by_times(source, frame)
    if source.contract is None:
        return Sorted(dated, undated)
    schema = _schema(source)
    try:
        with config_context(validation_enabled=True, validation_depth=ValidationDepth.SCHEMA_AND_DATA):
            return Sorted(schema.validate(dated, lazy=True), undated)
    except SchemaErrors as failure:
        reasons = _reasons(source, dated, failure)
    except (SchemaDefinitionError, pl.exceptions.PolarsError) as error:
        raise _breach(source, [f"it cannot be checked: {str(error).splitlines()[0]}"]) from error
    refused = dated.with_columns(reasons).filter(pl.col(REASON).is_not_null())
    kept = hold_to_contract(source, dated.filter(reasons.is_null()))
    return Sorted(kept.accepted, pl.concat([undated, refused, kept.quarantined]))


def _schema(source: Source) -> pa.DataFrameSchema:
    declared: Any = source.contract
    schema = copy(declared) if isinstance(declared, pa.DataFrameSchema) else declared.to_schema()
    schema.drop_invalid_rows = False  # rows go into quarantine, never away
    return schema


def _sort_by_times(source: Source, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows that have both times, and the others with the column `_reason`."""
    times = dict.fromkeys((source.event_time, source.known))
    missing = [pl.when(pl.col(name).is_null()).then(pl.lit(f"{name}: null")) for name in times]
    undated = pl.any_horizontal(pl.col(*times).is_null())
    reason = pl.concat_str(missing, separator="; ", ignore_nulls=True).alias(REASON)
    return frame.filter(~undated), frame.filter(undated).with_columns(reason)


def _reasons(source: Source, frame: pl.DataFrame, failure: SchemaErrors) -> pl.Series:
    """For each row the checks that it failed, null for none."""
    failed: list[pl.Series] = []
    whole: list[str] = []
    for error in failure.schema_errors:
        check = error.check if isinstance(error.check, str) else error.check.error or error.check.name
        name = f"{error.column_name or 'row'}: {check}"
        if error.check_output is None:
            whole.append(str(error).splitlines()[0])
        elif error.check_output.height != frame.height:
            # One answer for all rows; pandera would put the blame on the first.
            whole.append(f"check failed: {check if error.column_name is None else name}")
        else:
            holds = error.check_output["check_output"].fill_null(False)
            failed.append(pl.select(pl.when(~holds).then(pl.lit(name)).alias(str(len(failed)))).to_series())
    if whole:
        raise _breach(source, whole)
    names = pl.concat_list(pl.all()).list.drop_nulls().list.unique().list.sort()
    listed_ = pl.when(names.list.len() > 0).then(names.list.join("; ")).alias(REASON)
    return pl.DataFrame(failed).select(listed_).to_series()


def _breach(source: Source, got: list[str]) -> ContractBreach:
    return ContractBreach(
        source.name,
        allowed=f"what the contract at {source.place} says",
        got=listed(got),
        do="mend the feed upstream, or change the contract; until then older data serve",
    )
