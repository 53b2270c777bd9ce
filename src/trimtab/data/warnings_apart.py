"""A contract in two: the checks that rows must pass, and those that only warn."""

from __future__ import annotations

from copy import copy
from typing import Any

import pandera.polars as pa

from trimtab.data.actions import declared, only_warns


def split(schema: pa.DataFrameSchema) -> tuple[pa.DataFrameSchema, pa.DataFrameSchema | None]:
    """The schema without the checks that only warn, and a schema of these alone; None if there are none."""
    hard, soft = copy(schema), pa.DataFrameSchema()
    hard.columns = {name: _hard(column, name) for name, column in schema.columns.items()}
    soft.columns = {name: found for name, column in schema.columns.items() if (found := _soft(column, name))}
    hard.checks = [one for one in schema.checks if not only_warns(schema, one)]
    soft.checks = [_firm(one) for one in schema.checks if only_warns(schema, one)]
    if schema.unique and declared(schema, "unique", "the contract") == "warn":
        hard.unique, soft.unique = None, schema.unique
    return (hard, soft) if soft.columns or soft.checks or soft.unique else (schema, None)


def _hard(column: Any, name: str) -> Any:
    hard = copy(column)
    hard.checks = [one for one in column.checks if not only_warns(column, one, name)]
    hard.nullable = column.nullable or declared(column, "nullable", name) == "warn"
    hard.unique = column.unique and declared(column, "unique", name) != "warn"
    return hard


def _soft(column: Any, name: str) -> pa.Column | None:
    checks = [_firm(one) for one in column.checks if only_warns(column, one, name)]
    nullable = column.nullable or declared(column, "nullable", name) != "warn"
    unique = bool(column.unique and declared(column, "unique", name) == "warn")
    if not checks and nullable and not unique:
        return None
    return pa.Column(
        None, checks, nullable=nullable, unique=unique, required=False, name=column.name, regex=column.regex
    )


def _firm(check: pa.Check) -> pa.Check:
    """The same check, whose failures are told and not only warned of."""
    firm = copy(check)
    firm.raise_warning = False
    return firm
