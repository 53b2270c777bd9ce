"""A floor for every slice: a good mean must not hide a group that is served badly."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.kernel.errors import InvalidValue, Misdeclared, TrimtabError, listed
from trimtab.kernel.place import caller
from trimtab.kernel.verdict import Outcome, Verdict
from trimtab.stats.metrics import METRICS
from trimtab.validation.gates.floor import Floor
from trimtab.validation.measured import blank
from trimtab.validation.settings import problems_of
from trimtab.validation.trial import Trial


@dataclass(frozen=True)
class SliceFloor:
    """Fails if a slice is below the floor with confidence, which all slices share (Bonferroni)."""

    metric: str
    slice_by: str
    bound: float
    min_rows: int
    confidence: float
    place: str = ""

    @property
    def name(self) -> str:
        """With its settings."""
        return f"slice_floor({self.metric}, by={self.slice_by}, at_least={self.bound:g})"

    def problems(self, fields: Sequence[str]) -> Iterator[TrimtabError]:
        """What is wrong with its settings."""
        yield from problems_of(self.metric, self.confidence, self.place, at_least=self.bound)
        if self.min_rows < 1:
            yield InvalidValue("min_rows", self.min_rows, allowed="1 or more", where=self.place)
        if self.slice_by not in fields:
            yield Misdeclared(
                "gate",
                self.name,
                "slices by a field that no request carries",
                where=self.place,
                allowed=listed(fields),
                got=self.slice_by,
                do="slice by one of them, or add the field to the question",
            )

    def judge(self, trial: Trial) -> Verdict:
        """The verdict of the worst slice among those with enough rows of both classes, on several days."""
        nothing = (math.nan, -math.inf, math.inf)
        gap = blank(trial, ["challenger"])
        if gap:
            return self._verdict(Outcome.INCONCLUSIVE, nothing, len(trial.label), 0, gap)
        values = np.array([str(value) for value in trial.columns[self.slice_by]])
        counts = Counter(values.tolist())
        large = [name for name, rows in sorted(counts.items()) if rows >= self.min_rows]
        shared = (1 - self.confidence) / max(1, len(large))
        # The rarer the draw that decides, the more draws it takes to see it; at 2000 it has taken long enough.
        floor = Floor(self.metric, self.bound, 1 - shared, draws=min(2000, max(200, math.ceil(2 / shared))))
        verdicts = {name: floor.judge(trial.only(values == name)) for name in large}
        verdicts = {name: one for name, one in verdicts.items() if math.isfinite(one.low + one.high)}
        if not verdicts:
            says = f"no slice of {self.slice_by} has {self.min_rows} rows of both classes on several days"
            return self._verdict(Outcome.INCONCLUSIVE, nothing, len(trial.label), 0, says)
        better = METRICS[self.metric].higher_is_better
        name, weakest = min(verdicts.items(), key=lambda one: one[1].value if better else -one[1].value)
        failed = sorted(name for name, one in verdicts.items() if one.outcome is Outcome.FAIL)
        # A slice whose interval merely touches the floor is small, not bad: only certain harm stops a release.
        outcome = Outcome.FAIL if failed else Outcome.PASS
        shown = f"weakest {self.slice_by}={name}: {weakest.value:.4f} ({weakest.low:.4f} to {weakest.high:.4f})"
        wanted = f"{'at least' if better else 'at most'} {self.bound:g} wanted"
        says = f"{len(verdicts)} of {len(counts)} slices judged, {shown}, {wanted}"
        if failed:
            says += f"; not good enough, with confidence: {', '.join(failed)}"
        numbers = (weakest.value, weakest.low, weakest.high)
        return self._verdict(outcome, numbers, weakest.rows, weakest.blocks, says)

    def _verdict(
        self, outcome: Outcome, numbers: tuple[float, float, float], rows: int, blocks: int, reason: str
    ) -> Verdict:
        value, low, high = numbers
        return Verdict(
            self.name, outcome, self.metric, value, low, high, self.confidence, self.bound, rows, blocks, reason
        )


def slice_floor(
    metric: str, *, by: str, at_least: float, min_rows: int = 300, confidence: float = 0.95
) -> SliceFloor:
    """A floor for each value of a request field.

    Args:
        metric: "roc_auc" or "log_loss".
        by: the request field.
        at_least: the floor; for a loss, at most.
        min_rows: smaller slices are not judged; their number is reported.
        confidence: for all slices together.
    """
    return SliceFloor(metric, by, at_least, min_rows, confidence, caller())
