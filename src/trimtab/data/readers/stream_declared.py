"""A declared stream: a source whose rows are appended to Trimtab itself."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl


@dataclass(frozen=True)
class Stream:
    """What is declared; made by `trimtab.stream`."""

    columns: tuple[tuple[str, pl.DataType], ...]
    place: str = field(compare=False)
    completed: tuple[str, ...] = ()  # columns that ingest completes where a row leaves them out

    @property
    def schema(self) -> pl.Schema:
        """Its columns and their types."""
        return pl.Schema(self.columns)

    def __repr__(self) -> str:
        return f"stream({', '.join(name for name, _ in self.columns)})"
