"""Action per check of a contract: what becomes of rows that fail it.

Pandera's own ways say it: `metadata={"action": "warn"}` on a column or a schema, or by check,
`metadata={"action": {"in_range": "warn", "unique": "block"}}`; and `raise_warning=True` on a single check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import copy
from typing import Any, Literal, TypeAlias, get_args

import pandera.polars as pa

from trimtab.kernel.errors import InvalidValue

Action: TypeAlias = Literal["warn", "quarantine", "block"]
ACTIONS: tuple[str, ...] = get_args(Action)
_CALLED = {
    "not_nullable": "nullable",
    "field_uniqueness": "unique",
    "multiple_fields_uniqueness": "unique",
}


def called(check: Any) -> str:
    """How a contract names a check: 'in_range', 'unique', 'nullable', or the text of its own error."""
    if isinstance(check, str):
        return _CALLED.get(check, check)
    return str(check.name or check.error)


def action_of(schema: pa.DataFrameSchema, column: str | None, check: Any) -> str:
    """What the contract says of a failed check; empty where it says nothing.

    Raises:
        InvalidValue: an action that does not exist.
    """
    if not isinstance(check, str) and check.raise_warning:
        return "warn"
    holder = schema if column is None else _column(schema, column)
    return "" if holder is None else _said(holder, called(check), "the contract" if column is None else column)


def split(schema: pa.DataFrameSchema) -> tuple[pa.DataFrameSchema, pa.DataFrameSchema | None]:
    """The schema without the checks that only warn, and a schema of these alone; None if there are none."""
    hard, soft = copy(schema), pa.DataFrameSchema()
    hard.columns = {name: _hard(column, name) for name, column in schema.columns.items()}
    soft.columns = {name: found for name, column in schema.columns.items() if (found := _soft(column, name))}
    hard.checks = [one for one in schema.checks if _acts(schema, one) != "warn"]
    soft.checks = [_firm(one) for one in schema.checks if _acts(schema, one) == "warn"]
    if schema.unique and _said(schema, "unique", "the contract") == "warn":
        hard.unique, soft.unique = None, schema.unique
    return (hard, soft) if soft.columns or soft.checks or soft.unique else (schema, None)


def problems(schema: pa.DataFrameSchema) -> Iterator[InvalidValue]:
    """Actions that do not exist."""
    for where, holder in [("the contract", schema), *schema.columns.items()]:
        said = (holder.metadata or {}).get("action", "")
        for one in said.values() if isinstance(said, dict) else [said]:
            if one not in ("", *ACTIONS):
                yield _unknown(where, one)


def _acts(holder: Any, check: pa.Check, where: str = "the contract") -> str:
    return "warn" if check.raise_warning else _said(holder, called(check), where)


def _said(holder: Any, check: str, where: str) -> str:
    said = (holder.metadata or {}).get("action", "")
    action = said.get(check, "") if isinstance(said, dict) else said
    if action not in ("", *ACTIONS):
        raise _unknown(where, action)
    return str(action)


def _unknown(where: str, action: object) -> InvalidValue:
    return InvalidValue(f"action of {where}", action, allowed=", ".join(ACTIONS))


def _column(schema: pa.DataFrameSchema, name: str) -> Any:
    if name in schema.columns:
        return schema.columns[name]
    patterns = (column for pattern, column in schema.columns.items() if column.regex and re.match(pattern, name))
    return next(patterns, None)


def _hard(column: Any, name: str) -> Any:
    hard = copy(column)
    hard.checks = [one for one in column.checks if _acts(column, one, name) != "warn"]
    hard.nullable = column.nullable or _said(column, "nullable", name) == "warn"
    hard.unique = column.unique and _said(column, "unique", name) != "warn"
    return hard


def _soft(column: Any, name: str) -> pa.Column | None:
    checks = [_firm(one) for one in column.checks if _acts(column, one, name) == "warn"]
    nullable = column.nullable or _said(column, "nullable", name) != "warn"
    unique = bool(column.unique and _said(column, "unique", name) == "warn")
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
