"""Plans are facts about facts: nothing but the arguments decides them, and they read the same in the ledger."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.deployment.rollouts import under_way
from tests.stores import release

from trimtab.deployment.actions import Action, MoveRoute, Plan, Refuse, Stage, Stay, StepRollout
from trimtab.deployment.decide import WARM, decide_deploy, decide_rollback, decide_shadow
from trimtab.deployment.explain import explain
from trimtab.deployment.policies import blue_green, canary
from trimtab.kernel.canonical import canonical, short
from trimtab.kernel.release import Release, release_from
from trimtab.kernel.route import Canary, Route, route_from
from trimtab.kernel.verdict import Outcome

SYSTEM = "flight-delay"
A, B, C, D = (release(name) for name in "ABCD")
DIGESTS = [one.digest for one in (A, B, C, D)]

routes = st.none() | st.permutations(DIGESTS).flatmap(
    lambda order: st.builds(
        Route, st.just(SYSTEM), st.just(order[0]), st.just(tuple(order[1:3])), st.integers(1, 99)
    )
)
releases = st.sampled_from(
    [A, B, C, D, release("E", Outcome.FAIL), release("F", Outcome.INCONCLUSIVE, Outcome.PASS)]
)


shadowed = st.permutations(DIGESTS).flatmap(
    lambda order: st.builds(
        Route,
        st.just(SYSTEM),
        st.just(order[0]),
        st.just(tuple(order[1:3])),
        st.integers(1, 99),
        st.none() | st.just(Canary(order[3], 330, f"{SYSTEM}/00001")),
        st.lists(st.sampled_from(DIGESTS), unique=True).map(tuple),
    )
)


def route(champion: Release, *warm: Release) -> Route:
    return Route(SYSTEM, champion.digest, tuple(one.digest for one in warm), 7)


def stored(plan: Plan) -> bytes:
    return canonical([action.body() for action in plan])


@settings(deadline=None, max_examples=50)
@given(releases, routes)
def test_the_same_facts_give_the_same_deployment(one: Release, now: Route | None) -> None:
    again = release_from(one.body())
    same = None if now is None else route_from(now.body())
    assert stored(decide_deploy(one, now)) == stored(decide_deploy(again, same))
    planned = blue_green().decide(one, now, number=1, at_us=0)
    assert stored(planned) == stored(decide_deploy(one, now))


@settings(deadline=None, max_examples=50)
@given(routes, st.sampled_from(["", *DIGESTS]), st.lists(st.sampled_from(DIGESTS), unique=True))
def test_the_same_facts_give_the_same_rollback(now: Route | None, to: str, known: list[str]) -> None:
    same = None if now is None else route_from(now.body())
    plan = decide_rollback(SYSTEM, now, to, known)
    assert stored(plan) == stored(decide_rollback(SYSTEM, same, to, list(known)))


@settings(deadline=None, max_examples=50)
@given(releases, routes)
def test_whatever_moves_can_be_moved_back(one: Release, now: Route | None) -> None:
    (action,) = decide_deploy(one, now)
    if not isinstance(action, MoveRoute) or now is None:
        return
    after = Route(SYSTEM, action.champion, action.warm, now.generation + 1)
    assert action.replaces == now.champion == action.warm[0]
    (back,) = decide_rollback(SYSTEM, after, known=[now.champion, action.champion])
    assert isinstance(back, MoveRoute)
    assert (back.champion, back.warm[0]) == (now.champion, action.champion)
    assert len(action.warm) <= WARM >= len(back.warm)
    assert action.champion not in action.warm


def test_the_first_release_has_nothing_to_replace() -> None:
    assert decide_deploy(A, None) == [MoveRoute(SYSTEM, A.digest, (), "", "1 gate passed")]


def test_two_earlier_champions_stay_warm_the_newest_first() -> None:
    (action,) = decide_deploy(D, route(C, B, A))
    assert isinstance(action, MoveRoute)
    assert action.warm == (C.digest, B.digest)


def test_a_release_that_answers_already_stays() -> None:
    assert decide_deploy(A, route(A, B)) == [Stay(SYSTEM, A.digest)]


@pytest.mark.parametrize("outcome", [Outcome.FAIL, Outcome.INCONCLUSIVE])
def test_a_release_that_one_gate_did_not_pass_is_refused_with_the_gates_reason(outcome: Outcome) -> None:
    judged = release("G", Outcome.PASS, outcome)
    assert decide_deploy(judged, route(A)) == [Refuse(SYSTEM, judged.digest, f"it is a {outcome}")]


def test_a_release_that_no_gate_has_judged_is_refused() -> None:
    unjudged = Release(**{**vars(A), "verdicts": ()})
    assert decide_deploy(unjudged, None) == [Refuse(SYSTEM, unjudged.digest, "no gate has judged it")]


@pytest.mark.parametrize(
    ("now", "to", "known", "because"),
    [
        (None, "", [], "nothing is deployed"),
        (None, A.digest, [A.digest], "nothing is deployed"),
        (route(A), "", [A.digest], "there is no earlier release to go back to"),
        (
            route(A, B),
            C.digest,
            [A.digest, B.digest],
            "it never was champion: deploy it through its gates instead",
        ),
        (route(A, B), "", [A.digest], "there is no earlier release to go back to"),
    ],
    ids=["nothing", "nothing named", "no earlier", "never answered", "warm but never answered"],
)
def test_a_rollback_that_is_refused(now: Route | None, to: str, known: list[str], because: str) -> None:
    (action,) = decide_rollback(SYSTEM, now, to, known)
    assert isinstance(action, Refuse)
    assert action.because == because


def test_a_rollback_to_a_release_that_is_not_warm_any_more() -> None:
    known = [A.digest, B.digest, C.digest, D.digest]
    (action,) = decide_rollback(SYSTEM, route(D, C, B), A.digest, known)
    because, now = f"rollback from {short(D.digest)}", route(D, C, B)
    assert action == MoveRoute(SYSTEM, A.digest, (D.digest, C.digest), D.digest, because, against=now.id)


def test_a_rollback_to_the_champion_stays() -> None:
    assert decide_rollback(SYSTEM, route(A, B), A.digest, [A.digest]) == [Stay(SYSTEM, A.digest)]


def moved(plan: Plan) -> Route:
    (action,) = plan
    assert isinstance(action, MoveRoute | StepRollout)
    return action.route() if isinstance(action, MoveRoute) else action.move.route()


def test_the_champion_that_was_replaced_may_stand_in_for_the_new_one() -> None:
    first = moved(decide_deploy(A, None))
    second = moved(decide_deploy(B, first))
    assert (first.previous, second.previous) == ("", A.digest)
    assert moved(decide_deploy(C, second)).previous == B.digest
    # While a canary comes and goes back, and a shadow comes, it stays who it is.
    tried = moved(canary().decide(C, second, number=1, at_us=0))
    assert tried.canary is not None and tried.previous == A.digest
    assert moved(decide_rollback(SYSTEM, tried, known=[A.digest, B.digest])).previous == A.digest
    assert moved(decide_shadow(SYSTEM, D.digest, second, on=True)).previous == A.digest


def test_who_was_left_never_stands_in() -> None:
    """Neither by a rollback, to whichever release, nor by one that is undone, nor by deploying an old one again."""
    now = replace(route(C, B, A), previous=B.digest)
    known = [one.digest for one in (A, B, C, D)]
    back = moved(decide_rollback(SYSTEM, now, known=known))
    assert (back.champion, back.warm[0], back.previous) == (B.digest, C.digest, "")
    assert moved(decide_rollback(SYSTEM, back, known=known)).previous == ""
    assert moved(decide_rollback(SYSTEM, now, D.digest, known)).previous == ""
    assert moved(decide_deploy(A, now)).previous == ""
    during = moved(decide_rollback(SYSTEM, replace(under_way(), previous=C.digest), C.digest, known))
    assert (during.champion, during.previous) == (C.digest, "")


def test_a_rollback_ends_the_rollout_that_is_under_way() -> None:
    (action,) = decide_rollback(SYSTEM, under_way(), known=[A.digest, C.digest])
    assert isinstance(action, StepRollout)
    assert (action.rollout, action.stage, action.release) == (f"{SYSTEM}/00001", "rolled_back", B.digest)
    assert action.move.route() == Route(SYSTEM, A.digest, (C.digest, B.digest), 0)
    assert action.move.because == f"rollback from {short(B.digest)}"
    assert decide_rollback(SYSTEM, under_way(), A.digest, [A.digest, C.digest]) == [action]


def test_canaries_that_went_back_do_not_bar_the_way_back() -> None:
    """Two rollouts fail after another: the champion before this one stays loaded, and is what a rollback finds."""
    now = route(A, C)
    for number, one in enumerate((B, D), start=1):
        (start,) = canary().decide(one, now, number=number, at_us=0)
        assert isinstance(start, StepRollout)
        (back,) = decide_rollback(SYSTEM, start.move.route(), known=[C.digest, A.digest])
        assert isinstance(back, StepRollout)
        now = back.move.route()
    assert now.champion == A.digest and now.warm[0] == C.digest
    (action,) = decide_rollback(SYSTEM, now, known=[C.digest, A.digest])
    assert isinstance(action, MoveRoute)
    assert action.champion == C.digest
    only_failed = route(A, B)
    assert isinstance(decide_rollback(SYSTEM, only_failed, known=[A.digest])[0], Refuse)


def test_a_rollback_during_a_rollout_may_go_back_further() -> None:
    (action,) = decide_rollback(SYSTEM, under_way(), C.digest, [A.digest, C.digest])
    assert isinstance(action, StepRollout)
    assert action.move.route() == Route(SYSTEM, C.digest, (A.digest, B.digest), 0)


def test_nothing_is_rolled_back_to_the_canary_itself() -> None:
    """Though it has answered before: one step would both end its rollout and promote it."""
    (action,) = decide_rollback(SYSTEM, under_way(), B.digest, [A.digest, B.digest, C.digest])
    assert isinstance(action, Refuse)
    assert "it is a canary" in action.because


@settings(deadline=None, max_examples=50)
@given(shadowed, st.sampled_from(DIGESTS), st.booleans())
def test_a_shadow_comes_and_goes_and_nothing_else_changes(now: Route, one: str, on: bool) -> None:
    (action,) = decide_shadow(SYSTEM, one, now, on=on)
    assert stored([action]) == stored(decide_shadow(SYSTEM, one, route_from(now.body()), on=on))
    if (one in now.shadows) == on:
        assert isinstance(action, Stay) and action.because
        return
    assert isinstance(action, MoveRoute)
    after = action.route()
    assert (one in after.shadows) == on
    assert set(after.shadows) ^ set(now.shadows) == {one}
    assert replace(after, shadows=now.shadows) == replace(now, generation=0)
    assert after.answering("key", {}) == now.answering("key", {})
    (back,) = decide_shadow(SYSTEM, one, after, on=not on)
    assert isinstance(back, MoveRoute)
    assert set(back.shadows) == set(now.shadows)


def test_without_a_champion_there_is_no_shadow() -> None:
    assert decide_shadow(SYSTEM, A.digest, None, on=True) == [Refuse(SYSTEM, A.digest, "nothing is deployed")]


MOVE = MoveRoute(SYSTEM, A.digest, (), A.digest, "all is well", Canary(B.digest, 330, f"{SYSTEM}/00001"))
STEPS: list[tuple[Stage, list[str]]] = [
    ("started", ["at most 5 %", "canary", SYSTEM]),
    ("advanced", ["at most 5 %", SYSTEM]),
    ("promoted", ["promoted", SYSTEM]),
    ("rolled_back", ["rolled back", short(A.digest), SYSTEM]),
]
EVERY: list[tuple[Action, list[str]]] = [
    (
        MoveRoute(SYSTEM, A.digest, (B.digest,), B.digest, "3 gates passed"),
        [short(A.digest), short(B.digest), "3 gates"],
    ),
    (MoveRoute(SYSTEM, A.digest, (), "", "1 gate passed"), [short(A.digest), "kept warm: none"]),
    (Refuse(SYSTEM, A.digest, "it failed"), [short(A.digest), "does not answer", "it failed"]),
    (Refuse(SYSTEM, "", "nothing is deployed"), ["release -", "nothing is deployed"]),
    (Stay(SYSTEM, A.digest), [short(A.digest), "already"]),
    (Stay(SYSTEM, A.digest, "not held"), [short(A.digest), "goes on", "not held"]),
    *(
        (StepRollout(f"{SYSTEM}/00001", stage, B.digest, MOVE, "5 %"), [short(B.digest), "all is well", *words])
        for stage, words in STEPS
    ),
]


@pytest.mark.parametrize(("action", "words"), EVERY)
def test_every_action_has_its_sentence(action: Action, words: list[str]) -> None:
    said = explain(action)
    assert all(word in said for word in words)
    assert SYSTEM in said or (isinstance(action, Stay) and action.because)
    assert "\n" not in said and "'" not in said


def test_no_kind_of_action_is_left_out_here() -> None:
    assert {type(action) for action, _ in EVERY} == set(get_args(Action))


@pytest.mark.parametrize(("action", "words"), EVERY)
def test_the_ledger_stores_every_field_of_an_action(action: Action, words: list[str]) -> None:
    body = action.body()
    fields = {"because" if name == "move" else name for name in vars(action)}  # the move has its own entry
    assert set(body) == {"action", *fields}
    assert {type(one) for one, _ in EVERY if one.body()["action"] == body["action"]} == {type(action)}
    assert json.loads(canonical(body)) == body
