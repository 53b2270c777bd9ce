"""Releases for the serving room's tests: their score is a sum, so that a test knows who answered."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence

from trimtab.features.packed_numbers import packed_numbers
from trimtab.kernel.canonical import JsonMap
from trimtab.kernel.errors import Corrupt, RequestInvalid
from trimtab.ports.fallback import Fallback
from trimtab.ports.feature_reader import FeatureBlock
from trimtab.ports.served_release import ServedRelease
from trimtab.ports.typed_rows import SentNumbers, TypedRows
from trimtab.serving.fallbacks import constant, previous_release

SYSTEM = "adder"
SUMMANDS = {
    "one": 1.0,
    "two": 2.0,
    "slow": 3.0,
    "fragile": 4.0,
    "blind": 5.0,
    "brief": 6.0,
    "left": 7.0,
    "right": 8.0,
    "guarded": 9.0,
    "sent": 10.0,
    "sent too": 11.0,
}
DEFINITIONS = {
    "left": "both",
    "right": "both",
    "sent": "sent",
    "sent too": "sent",
}  # or the release's name
FALLBACKS: dict[str, Sequence[Fallback]] = {"guarded": (previous_release(), constant(0.25))}
LOOK_UPS: Counter[str] = Counter()  # of this process


class Adder:
    """Answers the field `x` plus a constant of its own. Implements ServedRelease."""

    view_names: tuple[str, ...] = ("seen", "never_seen")
    feature_names: tuple[str, ...] = ("seen.x", "seen.summand")
    key = "row"
    request: tuple[tuple[str, str], ...] = (("row", "String"), ("x", "Float64"))

    def __init__(self, digest: str) -> None:
        self.digest = digest
        self.definition = DEFINITIONS.get(digest, digest)
        self.fallback = FALLBACKS.get(digest, ())
        self._summand = SUMMANDS[digest]

    def look_up(self, rows: Sequence[JsonMap], at_us: Sequence[int]) -> FeatureBlock:
        """Refuses rows without a number. The release "blind" finds nothing; of "both", look-ups are counted."""
        assert len(rows) == len(at_us)
        if self.digest == "blind":
            raise LookupError("a secret of the features' code")
        if self.definition == "both":
            LOOK_UPS["both"] += 1
            return FeatureBlock(
                values=[[self._number(row.get("x")), LOOK_UPS["both"]] for row in rows],
                ages_us=[[5, None] for _ in rows],
            )
        return FeatureBlock(
            values=[[self._number(row.get("x")), self._summand] for row in rows], ages_us=[[5, None] for _ in rows]
        )

    def score(self, block: FeatureBlock) -> list[float]:
        """The release "fragile" breaks on 13, "guarded" on 13 and 14, and "brief" forgets the last row."""
        breaks = {"fragile": [13.0], "guarded": [13.0, 14.0]}.get(self.digest, [])
        if any([x, self._summand] in block.values for x in breaks):
            raise ValueError("a secret of the model's code")
        scores = [float(str(value)) + self._summand for value, _ in block.values]
        return scores[:-1] if self.digest == "brief" else scores

    def _number(self, value: object) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        raise RequestInvalid("'x' is no number", where="x", allowed="a number", got=repr(value), do="send a number")


class AsSent(Adder):
    """Its only feature is the field `x`, so that rows which come typed may be recorded in blocks."""

    view_names = ()
    feature_names = ("row.x",)
    _sent = SentNumbers(Adder.request, slice(1, 2))

    def look_up(self, rows: Sequence[JsonMap], at_us: Sequence[int]) -> FeatureBlock:
        """As the features of a request are that are numbers, and of which nothing is made."""
        assert len(rows) == len(at_us)
        values = [(None if row["x"] is None else self._number(row["x"]),) for row in rows]
        numbers = packed_numbers(values, 1) if isinstance(rows, TypedRows) else None
        sent = None if numbers is None else self._sent
        return FeatureBlock(values, [()] * len(rows), numbers=numbers, sent=sent)

    def score(self, block: FeatureBlock) -> list[float]:
        """A null is no number."""
        return [math.nan if value is None else float(str(value)) + self._summand for (value,) in block.values]


def load(digest: str) -> ServedRelease:
    """A loader that takes its time over "slow", and finds "bad" damaged."""
    if digest == "slow":
        time.sleep(0.7)
    if digest not in SUMMANDS:
        raise Corrupt("the release", where=digest, allowed=digest, got="other bytes", do="release again")
    return AsSent(digest) if digest.startswith("sent") else Adder(digest)
