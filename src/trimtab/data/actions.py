"""Action per check of a contract: what becomes of rows that fail it.

Pandera's own ways say it: `metadata={"action": "warn"}` on a column or a schema, or by check,
`metadata={"action": {"in_range": "warn", "unique": "block"}}`; and `raise_warning=True` on a single check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from trimtab.kernel.errors import InvalidValue

if TYPE_CHECKING:  # a worker gets here, and holds nothing to a contract: pandera brings pandas along
    import pandera.polars as pa

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
    return "" if holder is None else declared(holder, called(check), "the contract" if column is None else column)


def problems(schema: pa.DataFrameSchema) -> Iterator[InvalidValue]:
    """Actions that do not exist."""
    for where, holder in [("the contract", schema), *schema.columns.items()]:
        said = (holder.metadata or {}).get("action", "")
        for one in said.values() if isinstance(said, dict) else [said]:
            if one not in ("", *ACTIONS):
                yield _unknown(where, one)


def only_warns(holder: Any, check: pa.Check, where: str = "the contract") -> bool:
    """Whether rows that fail a check are let in all the same."""
    return check.raise_warning or declared(holder, called(check), where) == "warn"


def declared(holder: Any, check: str, where: str) -> str:
    """The action that a column or a schema names for a check; empty where it names none.

    Raises:
        InvalidValue: an action that does not exist.
    """
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
