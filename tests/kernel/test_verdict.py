import json
import math
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.kernel.canonical import canonical
from trimtab.kernel.verdict import Outcome, Verdict, verdict_from, worst

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
VERDICTS = st.builds(
    Verdict,
    gate=st.text(),
    outcome=st.sampled_from(Outcome),
    metric=st.text(),
    value=NUMBERS,
    low=NUMBERS,
    high=NUMBERS,
    confidence=NUMBERS,
    bound=NUMBERS,
    rows=st.integers(min_value=0),
    blocks=st.integers(min_value=0),
    reason=st.text(),
)
UNMEASURED = Verdict(
    gate="floor(roc_auc, at_least=0.65)",
    outcome=Outcome.INCONCLUSIVE,
    metric="roc_auc",
    value=math.nan,
    low=-math.inf,
    high=math.inf,
    confidence=0.95,
    bound=0.65,
    rows=0,
    blocks=0,
    reason="no labels have arrived",
)


@given(VERDICTS)
def test_what_is_stored_reads_back(verdict: Verdict) -> None:
    back = verdict_from(json.loads(canonical(verdict.body())))
    assert back == verdict
    assert isinstance(back.outcome, Outcome)


@given(st.lists(VERDICTS, max_size=5), st.randoms())
def test_order_does_not_matter_and_one_fail_is_enough(verdicts: list[Verdict], random: Random) -> None:
    outcomes = {one.outcome for one in verdicts}
    shuffled = list(verdicts)
    random.shuffle(shuffled)
    assert worst(verdicts) == worst(shuffled)
    assert (worst(verdicts) is Outcome.FAIL) == (Outcome.FAIL in outcomes)
    assert (worst(verdicts) is Outcome.PASS) == (outcomes == {Outcome.PASS})


def test_no_verdict_is_never_a_pass() -> None:
    assert worst([]) is Outcome.INCONCLUSIVE


def test_an_outcome_that_nobody_declared_is_refused() -> None:
    body = UNMEASURED.body() | {"outcome": "maybe"}
    with pytest.raises(ValueError, match="'maybe' is not a valid Outcome"):
        verdict_from(body)


def test_what_could_not_be_measured_is_stored_as_null_and_reads_back_as_no_number() -> None:
    body = json.loads(canonical(UNMEASURED.body()))
    assert (body["value"], body["low"], body["high"]) == (None, None, None)
    back = verdict_from(body)
    assert all(math.isnan(number) for number in (back.value, back.low, back.high))
    assert replace(back, value=0.0, low=0.0, high=0.0) == replace(UNMEASURED, value=0.0, low=0.0, high=0.0)
