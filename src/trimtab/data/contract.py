"""Holding rows to a source's contract: which rows pass, which go into quarantine and why."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import pandera.polars as pa
import polars as pl
from pandera.config import ValidationDepth, config_context
from pandera.errors import SchemaDefinitionError, SchemaErrors

from trimtab.data.actions import action_of
from trimtab.data.contract_schema import schema_of
from trimtab.data.storable import stored_schema
from trimtab.data.warnings_apart import split
from trimtab.kernel.counted import counted
from trimtab.kernel.errors import ContractBreach, listed
from trimtab.kernel.source import Source

REASON = "_reason"  # the column of a quarantined row that says which checks it failed


@dataclass(frozen=True)
class Sorted:
    """Rows by what becomes of them."""

    accepted: pl.DataFrame
    quarantined: pl.DataFrame  # with the column `_reason`
    warned: tuple[tuple[str, int], ...] = ()  # checks that only warn, and how many accepted rows fail each


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
    schema, warning = split(_schema(source))
    accepted, failure = _validated(source, schema, dated)
    if failure is None:
        return Sorted(accepted, undated, _warned(source, warning, accepted))
    reasons = _reasons(source, dated, failure, schema)
    refused = dated.with_columns(reasons).filter(pl.col(REASON).is_not_null())
    kept = hold_to_contract(source, dated.filter(reasons.is_null()))
    return Sorted(kept.accepted, pl.concat([undated, refused, kept.quarantined]), kept.warned)


def refuse_too(source: Source, quarantined: pl.DataFrame, accepted: pl.DataFrame) -> pl.DataFrame:
    """The quarantine with rows in it that the contract had let in, in the columns and types in which they came.

    Args:
        source: where they come from.
        quarantined: what was refused so far, as the source offers it.
        accepted: rows with `_reason`; the contract may have added columns to them, and changed types.
    """
    raw = stored_schema(source, quarantined.drop(REASON).schema)
    same = pl.Schema(
        {name: raw.get(name, kind) for name, kind in accepted.schema.items() if name in (*raw, REASON)}
    )
    refused = accepted.select(same.names()).cast(same, strict=False)
    return pl.concat([quarantined.cast(pl.Schema({**raw, REASON: pl.String()})), refused], how="diagonal")


def _validated(
    source: Source, schema: pa.DataFrameSchema, frame: pl.DataFrame
) -> tuple[pl.DataFrame, SchemaErrors | None]:
    """The frame as the schema gives it back, or what fails."""
    try:
        with config_context(validation_enabled=True, validation_depth=ValidationDepth.SCHEMA_AND_DATA):
            return schema.validate(frame, lazy=True), None
    except SchemaErrors as failure:
        return frame, failure
    except (SchemaDefinitionError, pl.exceptions.PolarsError) as error:
        raise _breach(source, [f"it cannot be checked: {str(error).splitlines()[0]}"]) from error


def _warned(source: Source, schema: pa.DataFrameSchema | None, frame: pl.DataFrame) -> tuple[tuple[str, int], ...]:
    """Checks that only warn, with the number of rows that fail them; all rows where a check names none."""
    if schema is None or frame.is_empty():
        return ()
    _, failure = _validated(source, schema, frame)
    failed: dict[str, int] = {}
    for error in failure.schema_errors if failure is not None else ():
        holds = _holds(error, frame)
        name = f"{error.column_name or 'row'}: {_told(error)}"
        failed[name] = max(failed.get(name, 0), frame.height if holds is None else int((~holds).sum()))
    return tuple(sorted(failed.items()))


def _schema(source: Source) -> pa.DataFrameSchema:
    declared = schema_of(source.contract)
    assert declared is not None, source.contract  # the declaration's check has refused anything else
    schema = copy(declared)
    schema.drop_invalid_rows = False  # rows go into quarantine, never away
    return schema


def _sort_by_times(source: Source, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows that have both times, and the others with the column `_reason`."""
    times = dict.fromkeys((source.event_time, source.known))
    missing = [pl.when(pl.col(name).is_null()).then(pl.lit(f"{name}: null")) for name in times]
    undated = pl.any_horizontal(pl.col(*times).is_null())
    reason = pl.concat_str(missing, separator="; ", ignore_nulls=True).alias(REASON)
    return frame.filter(~undated), frame.filter(undated).with_columns(reason)


def _reasons(source: Source, frame: pl.DataFrame, failure: SchemaErrors, schema: pa.DataFrameSchema) -> pl.Series:
    """For each row the checks that it failed, null for none."""
    failed: list[pl.Series] = []
    whole: list[str] = []
    for error in failure.schema_errors:
        name = f"{error.column_name or 'row'}: {_told(error)}"
        holds = _holds(error, frame)
        if error.check_output is None:
            whole.append(str(error).splitlines()[0])
        elif holds is None:
            # One answer for all rows; pandera would put the blame on the first.
            whole.append(f"check failed: {_told(error) if error.column_name is None else name}")
        elif action_of(schema, error.column_name, error.check) == "block":
            whole.append(f"{name}: {int((~holds).sum()):,} of {counted(frame.height, 'row')} fail")
        else:
            failed.append(pl.select(pl.when(~holds).then(pl.lit(name)).alias(str(len(failed)))).to_series())
    if whole:
        raise _breach(source, whole)
    names = pl.concat_list(pl.all()).list.drop_nulls().list.unique().list.sort()
    listed_ = pl.when(names.list.len() > 0).then(names.list.join("; ")).alias(REASON)
    return pl.DataFrame(failed).select(listed_).to_series()


def _told(error: Any) -> str:
    check = error.check
    return str(check if isinstance(check, str) else check.error or check.name)


def _holds(error: Any, frame: pl.DataFrame) -> pl.Series | None:
    """For each row whether it passes; None for a check that does not say which rows are wrong."""
    if error.check_output is None or error.check_output.height != frame.height:
        return None
    holds: pl.Series = error.check_output["check_output"].fill_null(False)
    return holds


def _breach(source: Source, got: list[str]) -> ContractBreach:
    return ContractBreach(
        source.name,
        allowed=f"what the contract at {source.place} says",
        got=listed(got),
        do="mend the feed upstream, or change the contract; until then older data serve",
    )
