"""An absolute floor: the challenger must reach a value, whatever the champion does."""

from __future__ import annotations

from dataclasses import dataclass

from trimtab.kernel.place import caller
from trimtab.kernel.verdict import Outcome, Verdict
from trimtab.stats.block_bootstrap import block_bootstrap
from trimtab.stats.metrics import METRICS
from trimtab.validation.trial import Trial


@dataclass(frozen=True)
class Floor:
    """Pass: the whole interval is good enough. Fail: none of it is. Otherwise inconclusive."""

    metric: str
    bound: float
    confidence: float
    place: str = ""
    slice_by: str = ""

    @property
    def name(self) -> str:
        """With its settings."""
        return f"floor({self.metric}, at_least={self.bound:g})"

    def judge(self, trial: Trial) -> Verdict:
        """The metric of the challenger against the bound."""
        metric = METRICS[self.metric]
        measured = block_bootstrap(
            metric.function, (trial.label, trial.challenger), trial.block, confidence=self.confidence
        )
        worst_case, best_case = measured.low, measured.high
        if not metric.higher_is_better:
            worst_case, best_case = -measured.high, -measured.low
        bound = self.bound if metric.higher_is_better else -self.bound
        if worst_case >= bound:
            outcome, says = Outcome.PASS, "the whole interval is good enough"
        elif best_case < bound:
            outcome, says = Outcome.FAIL, "no part of the interval is good enough"
        else:
            outcome, says = Outcome.INCONCLUSIVE, "the bound lies within the interval"
        interval = f"{measured.value:.4f} ({measured.low:.4f} to {measured.high:.4f})"
        return Verdict(
            gate=self.name,
            outcome=outcome,
            metric=self.metric,
            value=measured.value,
            low=measured.low,
            high=measured.high,
            confidence=self.confidence,
            bound=self.bound,
            rows=len(trial.label),
            blocks=measured.blocks,
            reason=f"{self.metric} {interval} over {measured.blocks} days against {self.bound:g}: {says}",
        )


def floor(metric: str, *, at_least: float, confidence: float = 0.95) -> Floor:
    """An absolute bound on a metric of the held-out rows; for a loss it is an upper bound.

    Args:
        metric: "roc_auc" or "log_loss".
        at_least: the bound.
        confidence: of the interval, whose blocks are days.
    """
    return Floor(metric, at_least, confidence, caller())
