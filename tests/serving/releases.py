"""Releases for the serving room's tests: their score is a sum, so that a test knows who answered."""

from __future__ import annotations

import time
from collections.abc import Sequence

from trimtab.kernel.canonical import JsonMap
from trimtab.kernel.errors import Corrupt, RequestInvalid
from trimtab.ports.served_release import Answers, ServedRelease

SYSTEM = "adder"
SUMMANDS = {"one": 1.0, "two": 2.0, "slow": 3.0, "fragile": 4.0}


class Adder:
    """Answers the field `x` plus a constant of its own. Implements ServedRelease."""

    feature_names: tuple[str, ...] = ("x", "constant")
    view_names: tuple[str, ...] = ("seen", "never_seen")
    key = "row"

    def __init__(self, digest: str) -> None:
        self.digest = digest
        self._summand = SUMMANDS[digest]

    def answer(self, rows: Sequence[JsonMap], at_us: Sequence[int]) -> Answers:
        """Refuses rows without a number; the release "fragile" breaks on 13."""
        assert len(rows) == len(at_us)
        values = [self._number(row.get("x")) for row in rows]
        if self.digest == "fragile" and 13.0 in values:
            raise ValueError("a secret of the model's code")
        return Answers(
            scores=[value + self._summand for value in values],
            features=[[value, self._summand] for value in values],
            ages_us=[[5, None] for _ in rows],
        )

    def _number(self, value: object) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        raise RequestInvalid("'x' is no number", where="x", allowed="a number", got=repr(value), do="send a number")


def load(digest: str) -> ServedRelease:
    """A loader that takes its time over "slow", and finds "bad" damaged."""
    if digest == "slow":
        time.sleep(0.7)
    if digest not in SUMMANDS:
        raise Corrupt("the release", where=digest, allowed=digest, got="other bytes", do="release again")
    return Adder(digest)
