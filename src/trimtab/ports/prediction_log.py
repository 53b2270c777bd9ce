"""The prediction log as other rooms read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from trimtab.kernel.prediction import Prediction


class PredictionLog(Protocol):
    """Every acknowledged answer, once: segments not yet compacted, and the table behind them."""

    def find(self, id: str) -> Prediction:
        """Open the one file that an id names.

        Raises:
            InvalidValue: not an id.
            NotFound: no record there.
            Corrupt: the record's checksum does not hold.
        """
        ...

    def recent(self) -> Iterator[Prediction]:
        """Records in segments that are not compacted yet, including those being written."""
        ...
