"""One bad slice among good ones, and how slices share their confidence."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from tests.validation.trials import aa_trial

from trimtab.kernel.verdict import Outcome
from trimtab.validation.gates import slice_floor
from trimtab.validation.gates.floor import Floor
from trimtab.validation.trial import Trial


def broken_slice(carrier: str) -> Trial:
    """A trial in which one carrier's scores are turned round."""
    trial = aa_trial(11, rows_a_day=36)
    here = np.array(trial.columns["carrier"]) == carrier
    return replace(trial, challenger=np.where(here, 1 - trial.challenger, trial.challenger))


@pytest.mark.parametrize("carrier", ["AA", "B6", "UA"])
@pytest.mark.parametrize(("metric", "bound"), [("roc_auc", 0.6), ("log_loss", 0.75)])
def test_the_one_bad_slice_is_found_and_named(carrier: str, metric: str, bound: float) -> None:
    trial = broken_slice(carrier)
    verdict = slice_floor(metric, by="carrier", at_least=bound).judge(trial)
    assert verdict.outcome is Outcome.FAIL
    assert f"weakest carrier={carrier}" in verdict.reason
    assert verdict.reason.endswith(f"with confidence: {carrier}")
    assert "3 of 3 slices judged" in verdict.reason
    assert (verdict.rows, verdict.blocks) == (336, 28)


def test_the_value_is_that_of_the_weakest_slice() -> None:
    trial = aa_trial(12, rows_a_day=36)
    carriers = np.array(trial.columns["carrier"])
    expected = min(
        roc_auc_score(trial.label[carriers == one], trial.challenger[carriers == one]) for one in set(carriers)
    )
    verdict = slice_floor("roc_auc", by="carrier", at_least=0.55).judge(trial)
    assert verdict.value == pytest.approx(expected, abs=1e-12)
    assert verdict.outcome is Outcome.PASS


def test_slices_share_the_error_that_is_allowed() -> None:
    """Bonferroni: with k slices that are large enough, each is judged at 1 - (1 - confidence) / k."""
    trial = broken_slice("B6")
    here = np.array(trial.columns["carrier"]) == "B6"
    verdict = slice_floor("roc_auc", by="carrier", at_least=0.6, confidence=0.9).judge(trial)
    alone = Floor("roc_auc", 0.6, 1 - 0.1 / 3).judge(trial.only(here))
    assert (verdict.low, verdict.high) == (alone.low, alone.high)
    assert verdict.confidence == 0.9
    wider = slice_floor("roc_auc", by="carrier", at_least=0.6, confidence=0.99).judge(trial)
    assert wider.low < verdict.low and wider.high > verdict.high


def test_the_rarer_the_draw_that_decides_the_more_draws_are_made() -> None:
    """16 slices at their floor failed in 9 of 100 trials with 200 draws each, in 4 with 640; nominally in 2.5."""
    trial = aa_trial(15, rows_a_day=32)
    names = [str(row % 16) for row in range(len(trial.label))]
    trial = replace(trial, columns={"stand": names})
    verdict = slice_floor("log_loss", by="stand", at_least=0.6, min_rows=1).judge(trial)
    weakest = verdict.reason.partition("stand=")[2].partition(":")[0]
    alone = trial.only(np.array(names) == weakest)
    expected = Floor("log_loss", 0.6, 1 - 0.05 / 16, draws=640).judge(alone)
    assert (verdict.low, verdict.high) == (expected.low, expected.high)


def test_without_a_slice_that_can_be_judged_nothing_is_said() -> None:
    trial = broken_slice("AA")
    verdict = slice_floor("roc_auc", by="carrier", at_least=0.6, min_rows=337).judge(trial)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reason == "no slice of carrier has 337 rows of both classes on several days"
    assert slice_floor("roc_auc", by="carrier", at_least=0.6, min_rows=336).judge(trial).outcome is Outcome.FAIL


@pytest.mark.parametrize("lame", ["one class", "one day"])
def test_a_slice_that_cannot_be_measured_is_not_judged(lame: str) -> None:
    trial = broken_slice("AA")
    here = np.array(trial.columns["carrier"]) == "AA"
    if lame == "one class":
        trial = replace(trial, label=np.where(here, 1.0, trial.label))
    else:
        trial = replace(trial, block=np.where(here, 0, trial.block))
    verdict = slice_floor("roc_auc", by="carrier", at_least=0.6).judge(trial)
    assert verdict.outcome is Outcome.PASS
    assert "2 of 3 slices judged" in verdict.reason


def test_a_release_that_cannot_answer_a_slice_does_not_pass() -> None:
    """Left out, the slice would be the one that nobody looked at."""
    trial = aa_trial(13, rows_a_day=36)
    here = np.array(trial.columns["carrier"]) == "UA"
    silent = replace(trial, challenger=np.where(here, np.nan, trial.challenger))
    verdict = slice_floor("roc_auc", by="carrier", at_least=0.5).judge(silent)
    assert (verdict.outcome, math.isnan(verdict.value)) == (Outcome.INCONCLUSIVE, True)


def test_a_field_that_is_missing_or_a_number_slices_as_well() -> None:
    trial = aa_trial(14, rows_a_day=36)
    gates = [None, 3, 3.5]
    column = [gates[row % 3] for row in range(len(trial.label))]
    verdict = slice_floor("roc_auc", by="gate", at_least=0.5).judge(replace(trial, columns={"gate": column}))
    assert "3 of 3 slices judged" in verdict.reason


def test_slicing_by_what_no_request_carries_is_a_mistake() -> None:
    (problem,) = slice_floor("roc_auc", by="colour", at_least=0.5).problems(["carrier", "origin"])
    assert (problem.got, problem.allowed) == ("colour", "carrier, origin")
    assert problem.where.startswith("test_slice_floor.py:")


def test_slices_have_at_least_one_row() -> None:
    (problem,) = slice_floor("roc_auc", by="carrier", at_least=0.5, min_rows=0).problems(["carrier"])
    assert (problem.got, problem.allowed) == ("0", "1 or more")
