"""A trial: what challenger and champion say to the same held-out rows, and the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trimtab.kernel.verdict import Verdict


@dataclass(frozen=True)
class Trial:
    """Arrays of shape (rows,), all of the same held-out rows."""

    label: NDArray[np.float64]
    challenger: NDArray[np.float64]
    champion: NDArray[np.float64]
    champion_name: str  # a release, or "the base rate" where there is no champion yet
    block: NDArray[np.int64]  # the day of each row: rows of one day are not independent
    columns: Mapping[str, Sequence[object]]  # fields of the request, for slices

    def only(self, rows: NDArray[np.bool_]) -> Trial:
        """The trial of some of its rows, without columns."""
        return Trial(
            self.label[rows], self.challenger[rows], self.champion[rows], self.champion_name, self.block[rows], {}
        )


class Gate(Protocol):
    """What every gate has: a name with its settings, a metric, and one judgement."""

    @property
    def name(self) -> str:
        """The gate with its settings, as verdicts and the ledger name it."""
        ...

    @property
    def metric(self) -> str:
        """The metric's name."""
        ...

    @property
    def place(self) -> str:
        """Where it was declared."""
        ...

    @property
    def slice_by(self) -> str:
        """The request field by which the gate slices; "" if it does not."""
        ...

    def judge(self, trial: Trial) -> Verdict:
        """Pass, fail or inconclusive, with the numbers."""
        ...


def judge(gates: Sequence[Gate], trial: Trial) -> list[Verdict]:
    """One verdict a gate, in the order of the gates."""
    return [gate.judge(trial) for gate in gates]
