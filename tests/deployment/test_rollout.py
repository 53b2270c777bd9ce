"""How many buckets are drawn for a ceiling, and how a rollout is written down."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from tests.deployment.rollouts import begun

from trimtab.deployment.rollout import FINEST, drawn, rollout_from
from trimtab.kernel.canonical import canonical
from trimtab.kernel.route import BUCKETS, Canary

CEILINGS = (0.5, 1, 5, 10, 25, 50, 75, 90, 99)
TRAFFICS = (100, 400, 900, 4000, 100_000)
TWENTY = [(one, traffic) for one in CEILINGS for traffic in TRAFFICS if one / 100 * traffic >= 20]


def test_what_is_stored_is_read_back() -> None:
    assert rollout_from(json.loads(canonical(begun().body()))) == begun()


def test_its_name_tells_system_and_number_and_nothing_of_the_machine() -> None:
    assert begun(number=7).id == begun(number=7, release="another", began_us=1).id == "flight-delay/00007"


def test_steps_follow_one_another() -> None:
    rollout = begun()
    assert [rollout.next_step(one) for one in (0, *rollout.steps)] == [*rollout.steps, 0]
    assert [rollout.ceiling(one) for one in rollout.steps] == ["5 %", "25 %", "50 %"]


@pytest.mark.parametrize(("ceiling", "traffic"), TWENTY)
def test_the_share_is_above_its_ceiling_one_time_in_a_hundred(ceiling: float, traffic: int) -> None:
    """By the binomial distribution, where the ceiling is twenty requests or more."""
    above = binom.sf(math.floor(traffic * ceiling / 100 + 1e-9), traffic, drawn(ceiling, traffic) / BUCKETS)
    assert above <= 0.01


def test_the_share_of_simulated_days_is_above_its_ceiling_one_time_in_a_hundred() -> None:
    """Real keys through the real buckets: 0.7 % of days of 900 requests at 25 %."""
    generator = np.random.default_rng(5)
    above = 0
    for day in range(300):
        canary = Canary("b", drawn(25, 900), f"flight-delay/{day:05d}")
        keys = generator.integers(0, 10**9, 900)
        above += sum(canary.draws(f"flight-{key}") for key in keys) > 225
    assert above / 300 <= 0.01 + 3 * math.sqrt(0.01 * 0.99 / 300)


@settings(deadline=None, max_examples=200)
@given(st.floats(FINEST, 100), st.integers(0, 10**7))
def test_what_is_drawn_is_some_of_the_ceiling(ceiling: float, traffic: int) -> None:
    buckets = drawn(ceiling, traffic)
    assert 1 <= buckets <= BUCKETS * ceiling / 100 + 1e-9
    assert buckets >= math.floor(BUCKETS * ceiling / 200)
    assert drawn(ceiling, traffic + 1000) >= buckets, "more requests scatter less"
    assert drawn(min(100.0, ceiling * 1.1), traffic) >= buckets, "steps grow"


@pytest.mark.parametrize("traffic", [0, 1, 10**9])
def test_all_of_the_traffic_is_exact(traffic: int) -> None:
    assert drawn(100, traffic) == BUCKETS
