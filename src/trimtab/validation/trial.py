"""A trial: what challenger and champion say to the same held-out rows, and the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from trimtab.kernel.errors import TrimtabError
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


@runtime_checkable
class Gate(Protocol):
    """What every gate has: a name with its settings, what is wrong with them, and one judgement."""

    @property
    def name(self) -> str:
        """The gate with its settings, as verdicts and the ledger name it."""
        ...

    def problems(self, fields: Sequence[str]) -> Iterator[TrimtabError]:
        """What is wrong with its settings, in a system whose requests carry `fields`."""
        ...

    def judge(self, trial: Trial) -> Verdict:
        """Pass, fail or inconclusive, with the numbers."""
        ...


def judge(gates: Sequence[Gate], trial: Trial) -> list[Verdict]:
    """One verdict a gate, in the order of the gates."""
    return [gate.judge(trial) for gate in gates]
