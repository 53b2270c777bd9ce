"""What every rollout policy promises, and what the canary's settings may be."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.deployment.rollouts import BEGAN_US, DAY_US, SYSTEM, A, B, C, D, under_way
from tests.stores import release

from trimtab.deployment import policies
from trimtab.deployment.actions import MoveRoute, Plan, Refuse, Stay, StepRollout
from trimtab.deployment.explain import explain
from trimtab.deployment.policies import RolloutPolicy, blue_green, canary
from trimtab.deployment.rollout import Rollout, drawn, rollout_from
from trimtab.deployment.segment import segment
from trimtab.kernel.audience import Audience
from trimtab.kernel.canonical import canonical, short
from trimtab.kernel.release import Release, release_from
from trimtab.kernel.route import BUCKETS, Canary, Route, route_from
from trimtab.kernel.verdict import Outcome

FAILED = release("failed", Outcome.PASS, Outcome.FAIL)
OPEN = release("open", Outcome.PASS, Outcome.INCONCLUSIVE)
UNJUDGED = Release(**{**vars(A), "verdicts": ()})
UNITED = segment("carrier", ["UA", "AA"])
REQUEST = {"flight_id": "String", "carrier": "String"}
POLICIES: list[RolloutPolicy] = [
    blue_green(),
    canary(),
    canary([1, 10, 100], horizon="7d", margin=0.02),
    canary([5, 25, 100], segment=UNITED),
]
every_policy = pytest.mark.parametrize("policy", POLICIES, ids=lambda one: str(one.name))
only_champion = Route(SYSTEM, A.digest, (C.digest,), 4)
digests = st.sampled_from([one.digest for one in (A, B, C, D)])
routes = st.none() | st.builds(
    Route,
    st.just(SYSTEM),
    digests,
    st.lists(digests, unique=True, max_size=2).map(tuple),
    st.integers(1, 99),
    st.none() | st.builds(Canary, digests, st.integers(1, 9999), st.just(f"{SYSTEM}/00001")),
    st.lists(digests, unique=True, max_size=2).map(tuple),
)
challengers = st.sampled_from([A, B, C, D, FAILED, OPEN, UNJUDGED])


def ask(policy: RolloutPolicy, one: Release, route: Route | None, **changed: Any) -> Plan:
    facts: dict[str, Any] = {"number": 1, "at_us": BEGAN_US, "traffic": 900}
    return policy.decide(one, route, **{**facts, **changed})


def stored(plan: Plan) -> bytes:
    moves = [action.move.body() for action in plan if isinstance(action, StepRollout)]
    return canonical([*(action.body() for action in plan), *moves])


def test_every_policy_is_covered_here() -> None:
    makers = {name for name in policies.__all__ if inspect.isfunction(getattr(policies, name))}
    assert makers == {policy.name.partition("(")[0] for policy in POLICIES}
    assert all(isinstance(policy, RolloutPolicy) for policy in POLICIES)


@every_policy
@settings(deadline=None, max_examples=60)
@given(challengers, routes, st.integers(0, 10**6), st.sampled_from(["", "the label was late"]))
def test_the_same_facts_give_the_same_plan(
    policy: RolloutPolicy, one: Release, route: Route | None, traffic: int, override: str
) -> None:
    again = release_from(json.loads(canonical(one.body())))
    same = None if route is None else route_from(json.loads(canonical(route.body())))
    plan = ask(policy, one, route, traffic=traffic, override=override)
    assert stored(plan) == stored(ask(policy, again, same, traffic=traffic, override=override))
    (action,) = plan
    assert explain(action).count("\n") == 0


@every_policy
@settings(deadline=None, max_examples=60)
@given(challengers, routes)
def test_what_a_plan_puts_in_force_is_a_route_that_makes_sense(
    policy: RolloutPolicy, one: Release, route: Route | None
) -> None:
    (action,) = ask(policy, one, route)
    if isinstance(action, Refuse | Stay):
        return
    move = action if isinstance(action, MoveRoute) else action.move
    after = move.route()
    assert move.against == ("" if route is None else route.id)
    assert one.digest in after.scoring()
    assert after.champion not in after.warm and len(set(after.warm)) == len(after.warm)
    assert after.shadows == (() if route is None else route.shadows)
    if route is not None:
        assert route.champion in after.releases(), "the way back loads nothing"
        assert after.champion == route.champion or after.canary is None


@every_policy
def test_the_first_release_answers_at_once(policy: RolloutPolicy) -> None:
    assert ask(policy, B, None) == [MoveRoute(SYSTEM, B.digest, (), "", "1 gate passed")]


@every_policy
@pytest.mark.parametrize("held", [FAILED, OPEN, UNJUDGED], ids=["fail", "inconclusive", "unjudged"])
def test_the_first_release_needs_every_gate(policy: RolloutPolicy, held: Release) -> None:
    """There is nothing to compare it with."""
    (action,) = ask(policy, held, None)
    assert isinstance(action, Refuse)
    assert action.because in ("it is a fail", "it is a inconclusive", "no gate has judged it")


@every_policy
@pytest.mark.parametrize("held", [FAILED, OPEN, UNJUDGED, B], ids=["fail", "inconclusive", "unjudged", "passed"])
def test_gates_say_who_is_rolled_out(policy: RolloutPolicy, held: Release) -> None:
    outcome = {FAILED.digest: Outcome.FAIL, B.digest: Outcome.PASS}.get(held.digest, Outcome.INCONCLUSIVE)
    (action,) = ask(policy, held, only_champion)
    admitted = outcome in policy.admits and held is not UNJUDGED
    assert isinstance(action, Refuse) != admitted
    assert Outcome.FAIL not in policy.admits and Outcome.PASS in policy.admits


@every_policy
@pytest.mark.parametrize("held", [FAILED, OPEN, UNJUDGED], ids=["fail", "inconclusive", "unjudged"])
@pytest.mark.parametrize("route", [None, only_champion], ids=["first", "second"])
def test_what_somebody_takes_upon_themselves_is_rolled_out_and_says_so(
    policy: RolloutPolicy, held: Release, route: Route | None
) -> None:
    (action,) = ask(policy, held, route, override="the label was late")
    move = action.move if isinstance(action, StepRollout) else action
    assert isinstance(move, MoveRoute)
    assert move.because == "gates overridden: the label was late"
    assert held.digest in move.route().scoring()


@every_policy
@pytest.mark.parametrize("override", ["", "in a hurry"])
def test_a_second_challenger_waits_for_the_first(policy: RolloutPolicy, override: str) -> None:
    """Also when the policy was changed meanwhile: the first one's rollout must end with a decision."""
    (second,) = ask(policy, D, under_way(), override=override)
    assert isinstance(second, Refuse)
    assert f"release {short(B.digest)} is a canary" in second.because
    assert ask(policy, B, under_way()) == [Stay(SYSTEM, B.digest, "it is a canary already")]
    assert ask(policy, A, under_way()) == [Stay(SYSTEM, A.digest)]


@every_policy
def test_a_shadow_becomes_a_challenger_like_any_other(policy: RolloutPolicy) -> None:
    shadowed = Route(SYSTEM, A.digest, (C.digest,), 4, shadows=(B.digest,))
    (action,) = ask(policy, B, shadowed)
    move = action.move if isinstance(action, StepRollout) else action
    assert isinstance(move, MoveRoute)
    assert B.digest not in move.warm


@every_policy
def test_good_settings_have_no_problem(policy: RolloutPolicy) -> None:
    assert list(policy.problems({})) == []
    assert list(policy.problems(REQUEST)) == []


def test_a_challenger_begins_with_the_first_step() -> None:
    policy = canary([5, 25, 50], hold="2d", horizon="7d", metric="roc_auc", margin=0.02, zone="America/New_York")
    (action,) = ask(policy, OPEN, only_champion, number=3)
    assert isinstance(action, StepRollout)
    assert (action.rollout, action.stage, action.ceiling) == ("flight-delay/00003", "started", "5 %")
    route = action.move.route()
    assert route.canary == Canary(OPEN.digest, drawn(5, 900), "flight-delay/00003")
    assert (route.champion, route.warm) == (A.digest, (C.digest,))
    assert action.move.because == "1 of 2 gates passed, none failed"
    assert rollout_from(action.facts) == Rollout(
        system=SYSTEM,
        number=3,
        release=OPEN.digest,
        replaces=A.digest,
        began_us=BEGAN_US,
        ceilings=(5, 25, 50),
        steps=tuple(drawn(one, 900) for one in (5, 25, 50)),
        hold_us=2 * DAY_US,
        horizon_us=7 * DAY_US,
        metric="roc_auc",
        margin=0.02,
        confidence=0.95,
        settle_us=DAY_US // 2,
        zone="America/New_York",
    )


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("steps", {"steps": []}, "growing"),
    ("steps", {"steps": [25, 5]}, "growing"),
    ("steps", {"steps": [5, 5]}, "growing"),
    ("steps", {"steps": [0, 5]}, "from 0.02"),
    ("steps", {"steps": [0.01]}, "from 0.02"),
    ("steps", {"steps": [-5, 5]}, "from 0.02"),
    ("steps", {"steps": [50, 101]}, "to 100"),
    ("steps", {"steps": [float("nan")]}, "growing"),
    ("steps", {"steps": [5, float("nan")]}, "growing"),
    ("steps", {"steps": ["5%", "25%"]}, "percentage"),
    ("hold", {"hold": "a day"}, "a number with a unit"),
    ("hold", {"hold": "0d"}, "a positive duration"),
    ("horizon", {"horizon": 14}, "a number with a unit"),
    ("settle", {"settle": ""}, "a number with a unit"),
    ("metric", {"metric": "accuracy"}, "log_loss, roc_auc"),
    ("margin", {"margin": -0.001}, "0 or more"),
    ("margin", {"margin": float("nan")}, "0 or more"),
    ("margin", {"margin": float("inf")}, "0 or more"),
    ("confidence", {"confidence": 95}, "between 0 and 1"),
    ("confidence", {"confidence": float("nan")}, "between 0 and 1"),
    ("zone", {"zone": "EDT"}, "IANA"),
    ("segment", {"segment": "carrier"}, "tt.segment(field, values)"),
]


@pytest.mark.parametrize(("name", "given", "allowed"), WRONG, ids=str)
def test_every_wrong_setting_is_the_only_problem(name: str, given: dict[str, Any], allowed: str) -> None:
    (problem,) = canary(**given).problems({})
    assert name in problem.what
    assert allowed in problem.allowed
    assert problem.where.startswith("test_policies.py:") and problem.got and problem.do


def test_all_wrong_settings_are_named_at_once() -> None:
    empty = segment("carrier", [])
    policy = canary(
        [], hold="x", horizon="y", settle="z", metric="f1", margin=-1, confidence=2, zone="Mars", segment=empty
    )
    assert len(list(policy.problems({}))) == len(inspect.signature(canary).parameters)


def test_a_challenger_of_a_segment_begins_with_it() -> None:
    """Its steps are of the segment, and so is the traffic that they are drawn by."""
    (action,) = ask(canary([5, 25, 100], segment=UNITED), OPEN, only_champion, number=3, traffic=200)
    assert isinstance(action, StepRollout)
    audience = Audience("carrier", ("UA", "AA"))
    assert action.move.canary == Canary(OPEN.digest, drawn(5, 200), "flight-delay/00003", audience)
    assert action.move.route().canary == action.move.canary
    assert action.body()["audience"] == audience.body()
    begun = rollout_from(json.loads(canonical(action.facts)))
    assert (begun.audience, begun.steps[-1]) == (audience, BUCKETS)
    assert "answers at most 5 % of the rows of flight-delay with carrier UA or AA as a canary" in explain(action)
    (wide,) = ask(canary([5, 25, 100]), OPEN, only_champion, number=3, traffic=200)
    assert b"audience" not in stored([wide]), "what is stored of others stays what it was"
    assert b"audience" in stored([action])


def test_the_name_shows_what_decides() -> None:
    name = canary([5, 25.5], metric="roc_auc", margin=0.02, horizon="7d").name
    assert name == "canary(5 %, 25.5 %; roc_auc, margin=0.02, horizon=7d)"
    narrow = canary([5], segment=segment("premium", [True])).name
    assert narrow == "canary(5 % of premium true; log_loss, margin=0.005, horizon=14d)"


# (field, values, what is wrong, allowed, got)
WRONG_SEGMENTS: list[tuple[Any, Any, str, str, str]] = [
    (
        "career",
        ["UA"],
        "names a field that no request carries",
        "carrier, flight_id, fuel, premium, seats",
        "career",
    ),
    (7, ["UA"], "names a field that no request carries", "carrier, flight_id", "7"),
    ("carrier", [], "values has a value", "at least one value: text", "[]"),
    ("carrier", "UA", "values has a value", "a list", "'UA'"),
    ("carrier", None, "values has a value", "a list", "None"),
    ("carrier", ["UA", 1], "has values of the wrong type", "text, as field 'carrier' is String", "int: 1"),
    ("carrier", [None], "has values of the wrong type", "text", "NoneType: None"),
    ("carrier", [["UA"]], "has values of the wrong type", "text", "list: ['UA']"),
    ("seats", ["1"], "has values of the wrong type", "whole numbers of 64 bits", "str: '1'"),
    ("seats", [True], "has values of the wrong type", "whole numbers", "bool: True"),
    ("seats", [1.0], "has values of the wrong type", "whole numbers", "float: 1.0"),
    ("seats", [2**63], "has values of the wrong type", "whole numbers", "int: 92"),
    ("fuel", [float("nan")], "has values of the wrong type", "finite numbers", "float: nan"),
    ("fuel", [False], "has values of the wrong type", "finite numbers", "bool: False"),
    ("premium", [1], "has values of the wrong type", "True or False", "int: 1"),
    ("at", [1], "names a field of a type that no segment has", "Boolean, Float64, Int64, String", "Datetime"),
]


@pytest.mark.parametrize(("field", "values", "what", "allowed", "got"), WRONG_SEGMENTS, ids=str)
def test_every_wrong_segment_is_told_in_five_parts(
    field: Any, values: Any, what: str, allowed: str, got: str
) -> None:
    fields = {"carrier": "String", "flight_id": "String", "seats": "Int64", "fuel": "Float64", "premium": "Boolean"}
    fields |= {"at": "Datetime(time_unit='us', time_zone='UTC')"} if field == "at" else {}
    (problem,) = canary(segment=segment(field, values)).problems(fields)
    assert what in problem.what
    assert allowed in problem.allowed
    assert got in problem.got
    assert problem.where.startswith("test_policies.py:") and problem.do


def test_a_segment_has_each_value_once_and_numbers_of_either_kind() -> None:
    one = segment("fuel", (1, 1.0, 2.5))
    assert list(one.problems({"fuel": "Float64"})) == []
    assert one.audience == Audience("fuel", (1, 2.5))
    assert [type(value) for value in segment("mixed", [1, True]).audience.values] == [int, bool]
