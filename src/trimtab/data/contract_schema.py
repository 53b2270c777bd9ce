"""The schema that a contract is. Where there is no contract, pandera is not imported: it brings pandas along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandera.polars as pa


def schema_of(contract: Any) -> pa.DataFrameSchema | None:
    """A schema as it is, and a model's; None if the contract is neither.

    >>> schema_of(None), schema_of("a table")
    (None, None)
    """
    if contract is None:
        return None
    import pandera.polars as pa  # noqa: PLC0415 - a worker without contracts starts a second sooner without it

    if isinstance(contract, pa.DataFrameSchema):
        return contract
    schema: pa.DataFrameSchema | None = contract.to_schema() if hasattr(contract, "to_schema") else None
    return schema
