"""What every gate promises. A new gate is found by its name in `gates.__all__`; it adds its own oracle test."""

from __future__ import annotations

import inspect
import json
import math
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.validation.trials import aa_trial, coin_trial, permuted

from trimtab.kernel.canonical import canonical
from trimtab.kernel.verdict import Outcome, verdict_from, worst
from trimtab.stats.metrics import METRICS
from trimtab.validation import gates
from trimtab.validation.trial import Gate, judge

COIN = {"roc_auc": 0.5, "log_loss": math.log(2)}  # what knowing nothing is worth


def make(name: str, metric: str, **chosen: Any) -> Gate:
    """A gate from its signature: numbers that must be given are bounds, texts are the field to slice by."""
    function = getattr(gates, name)
    bound = chosen.pop("bound", COIN.get(metric))
    arguments = {"metric": metric, **chosen}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "min_rows":
            arguments.setdefault("min_rows", 50)
        elif parameter.default is parameter.empty and parameter.name not in arguments:
            arguments[parameter.name] = {"str": "carrier", "float": bound}[str(parameter.annotation)]
    gate = function(**arguments)
    assert isinstance(gate, Gate)
    return gate


EVERY = [(name, metric) for name in gates.__all__ for metric in METRICS]
every_gate = pytest.mark.parametrize(("name", "metric"), EVERY)


@cache
def truth(metric: str) -> float:
    """What a release of the simulated trials is worth in the long run."""
    trial = aa_trial(99, days=2000)
    return METRICS[metric].function(trial.label, trial.challenger)


@every_gate
def test_good_is_passed_and_bad_is_failed(name: str, metric: str) -> None:
    gate = make(name, metric)
    assert gate.judge(coin_trial(0, "good")).outcome is Outcome.PASS
    assert gate.judge(coin_trial(0, "bad")).outcome is Outcome.FAIL


@every_gate
def test_judging_is_pure(name: str, metric: str) -> None:
    trial, again = aa_trial(1), aa_trial(1)
    gate = make(name, metric)
    first = gate.judge(trial)
    assert first == gate.judge(trial) == make(name, metric).judge(again)
    for array in ("label", "challenger", "champion", "block"):
        np.testing.assert_array_equal(getattr(trial, array), getattr(again, array))
    assert trial.columns == again.columns


@every_gate
def test_the_order_of_rows_and_the_numbers_of_days_say_nothing(name: str, metric: str) -> None:
    trial = aa_trial(2)
    first = make(name, metric).judge(trial)
    for other in (permuted(trial, 5), replace(trial, block=trial.block * 7 + 15_000)):
        verdict = make(name, metric).judge(other)
        assert (verdict.outcome, verdict.reason, verdict.rows, verdict.blocks) == (
            first.outcome,
            first.reason,
            first.rows,
            first.blocks,
        )
        numbers = (verdict.value, verdict.low, verdict.high)
        assert numbers == pytest.approx((first.value, first.low, first.high), abs=1e-12)


@every_gate
def test_no_change_is_seldom_called_harm(name: str, metric: str) -> None:
    """Nominally one in forty. A gate that asks for a gain may refuse it, but seldom calls it one."""
    free = {"margin": 0.0} if "margin" in inspect.signature(getattr(gates, name)).parameters else {}
    gate = make(name, metric, bound=truth(metric), **free)
    wrong = Outcome.PASS if name == "gain" else Outcome.FAIL
    said = sum(gate.judge(aa_trial(100 + seed)).outcome is wrong for seed in range(24))
    assert said <= 4


@every_gate
@pytest.mark.parametrize("days", [0, 1])
def test_too_little_data_is_never_a_pass_and_never_a_fail(name: str, metric: str, days: int) -> None:
    for kind in ("good", "bad"):
        trial = coin_trial(3, kind)
        rows = trial.block < days
        few = replace(trial.only(rows), columns={"carrier": list(np.array(trial.columns["carrier"])[rows])})
        verdict = make(name, metric, **_min_rows(name, 1)).judge(few)
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert (verdict.low, verdict.high) == (-math.inf, math.inf)
        assert not any(text in verdict.reason for text in ("good enough", "margin lies", "bound lies"))


@every_gate
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_never_left_out(name: str, metric: str, bad: float) -> None:
    trial = coin_trial(4, "good")
    score = np.where((trial.block == 7) & (np.array(trial.columns["carrier"]) == "AA"), bad, trial.challenger)
    blank = int((~np.isfinite(score)).sum())
    verdict = make(name, metric).judge(replace(trial, challenger=score))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert math.isnan(verdict.value)
    assert f"{blank} of {len(score)} rows have no score of the challenger" in verdict.reason


@every_gate
def test_a_label_that_is_not_known_is_never_left_out(name: str, metric: str) -> None:
    trial = coin_trial(4, "good")
    label = trial.label.copy()
    label[3] = math.nan
    verdict = make(name, metric).judge(replace(trial, label=label))
    assert (verdict.outcome, "1 of 504 rows have no label" in verdict.reason) == (Outcome.INCONCLUSIVE, True)


@every_gate
def test_one_class_only(name: str, metric: str) -> None:
    trial = coin_trial(5, "good")
    verdict = make(name, metric).judge(replace(trial, label=np.ones(len(trial.label))))
    if metric == "roc_auc":
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert "both classes" in verdict.reason
    else:
        assert math.isfinite(verdict.value)


@every_gate
@pytest.mark.parametrize("constant", [0.0, 0.3, 1.0])
def test_constant_scores_are_judged_as_knowing_nothing(name: str, metric: str, constant: float) -> None:
    trial = aa_trial(6)
    scores = np.full(len(trial.label), constant)
    verdict = make(name, metric, bound={"roc_auc": 0.6, "log_loss": 0.5}[metric]).judge(
        replace(trial, challenger=scores)
    )
    assert verdict.outcome is not Outcome.PASS
    assert math.isfinite(verdict.value)


@every_gate
def test_a_verdict_says_what_was_judged(name: str, metric: str) -> None:
    gate = make(name, metric)
    trial = aa_trial(7)
    verdict = gate.judge(trial)
    assert (verdict.gate, verdict.metric) == (gate.name, metric)
    assert verdict.low <= verdict.value <= verdict.high
    assert 0 < verdict.rows <= len(trial.label)
    assert verdict.blocks == 28
    assert 20 < len(verdict.reason) < 240 and "\n" not in verdict.reason
    assert f"{abs(verdict.value):.4f}" in verdict.reason
    assert f"{verdict.bound:g}" in verdict.reason


@every_gate
def test_the_name_shows_what_it_is_called_with(name: str, metric: str) -> None:
    gate = make(name, metric, bound=0.625)
    parameters = inspect.signature(getattr(gates, name)).parameters
    bounded = "at_least" in parameters and parameters["at_least"].default is inspect.Parameter.empty
    assert all(text in gate.name for text in (metric, name, *(["0.625"] if bounded else [])))
    deciding = [one for one in parameters if one not in ("metric", "confidence", "min_rows")]
    assert all(f"{one}=" in gate.name for one in deciding)


@every_gate
def test_verdicts_survive_json(name: str, metric: str) -> None:
    gate = make(name, metric)
    whole = gate.judge(aa_trial(8))
    empty = gate.judge(aa_trial(8, days=1))
    for verdict in (whole, empty):
        body = json.loads(canonical(verdict.body()))
        read = verdict_from(body)
        assert read.body() == body == verdict.body()
        for field, value in asdict(verdict).items():
            stored = getattr(read, field)
            same = math.isnan(stored) if isinstance(value, float) and not math.isfinite(value) else stored == value
            assert same, field


@every_gate
def test_settings_that_cannot_work_are_named(name: str, metric: str) -> None:
    fields = ["carrier", "origin"]
    assert list(make(name, metric).problems(fields)) == []
    wrong: list[dict[str, Any]] = [{"confidence": 95}, {"confidence": 0.0}, {"confidence": math.nan}]
    parameters = inspect.signature(getattr(gates, name)).parameters
    wrong += [
        {one: math.nan} for one in parameters if parameters[one].annotation == "float" and one != "confidence"
    ]
    wrong += [
        {one: math.inf} for one in parameters if parameters[one].annotation == "float" and one != "confidence"
    ]
    for one_wrong in wrong:
        (problem,) = make(name, metric, **one_wrong).problems(fields)
        assert problem.where.startswith("test_gates.py:")
        assert problem.allowed and problem.do
        assert next(iter(one_wrong)) in str(problem)
    (problem,) = make(name, "accuracy", bound=0.5).problems(fields)
    assert (problem.got, problem.allowed) == ("accuracy", ", ".join(sorted(METRICS)))


def test_verdicts_stand_in_the_order_of_the_gates() -> None:
    chosen = [make(name, metric) for name, metric in EVERY]
    for order in (chosen, chosen[::-1]):
        verdicts = judge(order, coin_trial(0, "good"))
        assert [one.gate for one in verdicts] == [one.name for one in order]
        assert worst(verdicts) is Outcome.PASS


@settings(deadline=None)
@given(st.lists(st.sampled_from(Outcome), max_size=5))
def test_the_worst_verdict_decides(outcomes: list[Outcome]) -> None:
    verdict = make("floor", "roc_auc").judge(aa_trial(0, days=1))
    combined = worst([replace(verdict, outcome=one) for one in outcomes])
    if Outcome.FAIL in outcomes:
        assert combined is Outcome.FAIL
    elif Outcome.INCONCLUSIVE in outcomes or not outcomes:
        assert combined is Outcome.INCONCLUSIVE
    else:
        assert combined is Outcome.PASS


def _min_rows(name: str, rows: int) -> dict[str, int]:
    return {"min_rows": rows} if "min_rows" in inspect.signature(getattr(gates, name)).parameters else {}


def test_a_gate_that_is_not_exported_would_be_covered_by_nothing() -> None:
    files = {path.stem for path in Path(gates.__file__).parent.glob("*.py")} - {"__init__"}
    assert files == set(gates.__all__)
