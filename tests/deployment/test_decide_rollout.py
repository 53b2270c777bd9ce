"""When a rollout goes on, takes over or goes back: a table of cases, and what holds in all of them."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.deployment.rollouts import BEGAN_US, DAY_US, SYSTEM, A, B, C, D, begun, seen, under_way
from tests.kernel.test_audience import audiences

from trimtab.deployment.actions import Plan, Stay, StepRollout
from trimtab.deployment.decide_rollout import decide_rollout
from trimtab.deployment.explain import explain
from trimtab.deployment.rollout import Rollout, rollout_from
from trimtab.kernel.audience import Audience
from trimtab.kernel.canonical import canonical, short
from trimtab.kernel.comparison import Comparison, comparison_from
from trimtab.kernel.route import BUCKETS, Canary, Route, route_from

FIRST, SECOND, LAST = begun().steps
PROVEN = {"harm": 0.02, "low": 0.004, "high": 0.036, "upper": 0.03}
HARMLESS = {"harm": -0.01, "low": -0.03, "high": 0.005, "upper": 0.001}
OPEN = {"harm": 0.001, "low": -0.03, "high": 0.032, "upper": 0.005}
UNCLEAR = {**OPEN, "upper": 0.0051}


def decide(buckets: int, since_day: float, look: Comparison) -> Plan:
    return decide_rollout(begun(), under_way(buckets), BEGAN_US + int(since_day * DAY_US), look)


CASES = [
    ("nothing is known", FIRST, 0, seen(0.5), "stay", 0, "no day's labels have settled yet"),
    ("not held a day", FIRST, 0, seen(0.99, **OPEN, days=1), "stay", 0, "harm in log_loss +0.0010"),
    ("held a day", FIRST, 0, seen(1), "advanced", SECOND, "over 1 day"),
    ("held, nothing known", FIRST, 0, seen(1, days=0), "advanced", SECOND, "no day's labels"),
    ("the second step is not held", SECOND, 1, seen(1.5, **OPEN), "stay", 0, ""),
    ("the second step is held", SECOND, 1, seen(2, **OPEN), "advanced", LAST, "over 2 days"),
    ("the last step is not held", LAST, 2, seen(2.9, **HARMLESS), "stay", 0, ""),
    ("the last step is held, no harm", LAST, 2, seen(3, **HARMLESS), "promoted", 0, "below 0.005"),
    ("the last step is held, unclear", LAST, 2, seen(3, **OPEN), "stay", 0, "(-0.0300 to +0.0320) over 3 days"),
    ("no harm, but not the last step", SECOND, 1, seen(2, **HARMLESS), "advanced", LAST, ""),
    (
        "proven harm",
        FIRST,
        0,
        seen(0.5, **PROVEN, days=4),
        "rolled_back",
        0,
        "it is worse: harm in log_loss +0.0200",
    ),
    ("proven harm at the last step", LAST, 2, seen(9, **PROVEN), "rolled_back", 0, "it is worse"),
    ("proven harm below the margin", LAST, 2, seen(9, low=1e-6, high=0.004), "rolled_back", 0, "it is worse"),
    ("harm that is not proven", LAST, 2, seen(9, low=0.0, high=0.1), "stay", 0, ""),
    ("mismatch", FIRST, 0, seen(0.1, mismatched=2, example="temp 7 not 9"), "rolled_back", 0, "parity: 2 of 45"),
    ("mismatch without harm", LAST, 2, seen(20, mismatched=1, **HARMLESS), "rolled_back", 0, "parity"),
    ("unscored", FIRST, 0, seen(0.1, unscored=3), "rolled_back", 0, "it could not score 3 rows"),
    ("unscored without harm", LAST, 2, seen(20, unscored=1, **HARMLESS), "rolled_back", 0, "could not score"),
    ("the horizon, cleared", LAST, 2, seen(14, **OPEN), "promoted", 0, "at most 0.0050 over 14 days, below 0.005"),
    ("the horizon, unclear", LAST, 2, seen(14, **UNCLEAR), "rolled_back", 0, "and 0.005 is allowed"),
    ("the horizon, no labels", LAST, 2, seen(14, days=0), "rolled_back", 0, "labels of 0 days have settled"),
    ("the horizon, two days", LAST, 2, seen(14, days=2, high=9, low=-9), "rolled_back", 0, "2 days have settled"),
    ("the horizon at the first step", FIRST, 0, seen(14, **OPEN), "promoted", 0, "at the horizon"),
    ("the horizon, step not held", LAST, 13.9, seen(14, **HARMLESS), "promoted", 0, "at the horizon"),
    ("proven harm at the horizon", LAST, 2, seen(14, **PROVEN), "rolled_back", 0, "it is worse"),
    ("just before the horizon", LAST, 2, seen(13.99, **UNCLEAR), "stay", 0, ""),
]


@pytest.mark.parametrize(
    ("buckets", "since", "look", "stage", "next_buckets", "because"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_cases(buckets: int, since: float, look: Comparison, stage: str, next_buckets: int, because: str) -> None:
    (action,) = decide(buckets, since, look)
    if stage == "stay":
        assert isinstance(action, Stay)
        assert because in action.because
        return
    assert isinstance(action, StepRollout)
    route = action.move.route()
    assert (action.stage, action.rollout, action.release) == (stage, begun().id, B.digest)
    assert because in action.move.because
    assert comparison_from(action.facts).body() == look.body(), "what it was decided on stands in the ledger"
    assert route.champion == (B.digest if stage == "promoted" else A.digest)
    assert route.canary == (Canary(B.digest, next_buckets, begun().id) if stage == "advanced" else None)
    assert action.ceiling == (begun().ceiling(next_buckets) if stage == "advanced" else "")
    left = {"advanced": (C,), "promoted": (A, C), "rolled_back": (C, B)}[stage]
    assert route.warm == tuple(one.digest for one in left), "both ways back load nothing"


def test_every_stage_has_its_sentence() -> None:
    said = {
        "advanced": f"release {short(B.digest)} goes on to at most 25 % of {SYSTEM}: ",
        "promoted": f"release {short(B.digest)} is promoted, and answers {SYSTEM}: ",
        "rolled_back": f"release {short(B.digest)} is rolled back, release {short(A.digest)} answers {SYSTEM}: ",
        "stay": f"release {short(B.digest)} goes on: ",
    }
    for _, buckets, since, look, stage, *_ in CASES:
        (action,) = decide(buckets, since, look)
        if stage != "advanced" or buckets == FIRST:
            assert explain(action).startswith(said[stage])
        assert "nan" not in explain(action) and "inf nats" not in explain(action)


UNITED = Audience("carrier", ("UA", "AA"))


@pytest.mark.parametrize(
    ("buckets", "since", "look", "stage"),
    [(case[1], case[2], case[3], case[4]) for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_a_rollout_of_a_segment_is_decided_alike_and_says_so(
    buckets: int, since: float, look: Comparison, stage: str
) -> None:
    wide = under_way(buckets)
    assert wide.canary is not None
    route = replace(wide, canary=replace(wide.canary, audience=UNITED))
    (action,) = decide_rollout(begun(audience=UNITED), route, BEGAN_US + int(since * DAY_US), look)
    said = explain(action)
    if "harm in" in said:
        assert "harm in log_loss among rows with carrier UA or AA " in said
    if stage == "stay":
        assert isinstance(action, Stay)
        return
    assert isinstance(action, StepRollout)
    assert action.stage == stage
    assert (action.audience == UNITED) == (stage == "advanced"), "it is of the segment until it is decided"
    if stage == "advanced":
        assert f"of the rows of {SYSTEM} with carrier UA or AA" in said
    unseen = said.endswith("; of all other rows, which it answers from now on, nothing is known")
    assert unseen == (stage == "promoted"), "a promotion says what its evidence does not cover"


def test_a_shadow_is_not_touched_by_a_rollout() -> None:
    route = under_way(LAST, shadows=(D.digest,))
    for look in (seen(3, **HARMLESS), seen(3, **PROVEN)):
        (action,) = decide_rollout(begun(), route, BEGAN_US, look)
        assert isinstance(action, StepRollout)
        assert action.move.shadows == (D.digest,)
        assert D.digest not in action.move.warm


finite = st.floats(-0.1, 0.1)
looks = st.builds(
    seen,
    st.floats(0, 30),
    days=st.integers(0, 30),
    harm=finite | st.just(math.nan),
    low=finite | st.just(-math.inf),
    high=finite | st.just(math.inf),
    upper=finite | st.just(math.inf),
    mismatched=st.just(0) | st.integers(0, 2),
    unscored=st.just(0) | st.integers(0, 2),
)
rollouts = st.builds(
    lambda steps, hold, horizon, margin, audience: begun(
        audience=audience,
        steps=tuple(sorted(steps)),
        ceilings=tuple(float(one) for one in sorted(steps)),
        hold_us=hold,
        horizon_us=horizon,
        margin=margin,
    ),
    st.sets(st.integers(1, BUCKETS), min_size=1, max_size=4),
    st.integers(1, 10 * DAY_US),
    st.integers(1, 20 * DAY_US),
    st.floats(0, 0.05),
    st.none() | audiences,
)


@settings(deadline=None, max_examples=150)
@given(st.data(), rollouts, looks, st.floats(0, 30))
def test_the_same_facts_give_the_same_plan_also_as_they_are_stored(
    data: st.DataObject, one: Rollout, look: Comparison, since_day: float
) -> None:
    buckets = data.draw(st.sampled_from(one.steps))
    route, since_us = under_way(buckets), BEGAN_US + int(since_day * DAY_US)
    plan = decide_rollout(one, route, since_us, look)
    again = decide_rollout(
        rollout_from(json.loads(canonical(one.body()))),
        route_from(json.loads(canonical(route.body()))),
        since_us,
        comparison_from(json.loads(canonical(look.body()))),
    )
    assert [canonical(action.body()) for action in plan] == [canonical(action.body()) for action in again]
    (action,) = plan
    route_after = action.move.route() if isinstance(action, StepRollout) else route
    if route_after.canary is not None:
        assert route_after.canary.buckets in [one for one in one.steps if one >= buckets], "the share never falls"
    if look.at_us - one.began_us >= one.horizon_us:
        assert route_after.canary is None, "it ends at the horizon at the latest"
    if look.mismatched or look.unscored or look.low > 0:
        assert (route_after.canary, route_after.champion) == (None, A.digest)
    if route_after.champion == B.digest:
        assert min(look.high, look.upper) <= one.margin, "nothing is promoted without a bound below the margin"


@settings(deadline=None, max_examples=50)
@given(st.lists(looks, max_size=25).map(lambda some: sorted(some, key=lambda one: one.at_us)), rollouts)
def test_a_whole_rollout_grows_and_ends(some: list[Comparison], one: Rollout) -> None:
    """Looks in the order of time: the share grows step by step, the end is the end, and the horizon is one."""
    route, since_us = Route(SYSTEM, A.digest, (), 1, Canary(B.digest, one.steps[0], one.id)), one.began_us
    for look in [*some, seen(31)]:
        (action,) = decide_rollout(one, route, since_us, look)
        if isinstance(action, Stay):
            continue
        assert isinstance(action, StepRollout)
        assert route.canary is not None
        after = action.move.route()
        if after.canary is None:
            return
        assert after.canary.buckets == one.next_step(route.canary.buckets)
        assert look.at_us - since_us >= one.hold_us
        route, since_us = after, look.at_us
    pytest.fail("the horizon did not end it")
