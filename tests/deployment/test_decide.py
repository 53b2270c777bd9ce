"""Plans are facts about facts: nothing but the arguments decides them, and they read the same in the ledger."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stores import release

from trimtab.deployment.actions import Action, MoveRoute, Plan, Refuse, Stay
from trimtab.deployment.decide import WARM, decide_deploy, decide_rollback
from trimtab.deployment.explain import explain
from trimtab.deployment.policies import blue_green
from trimtab.kernel.canonical import canonical, short
from trimtab.kernel.release import Release, release_from
from trimtab.kernel.route import Route, route_from
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
    assert stored(blue_green().decide(one, now)) == stored(decide_deploy(one, now))


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
            "it never answered users: deploy it through its gates instead",
        ),
        (route(A, B), "", [A.digest], "it never answered users: deploy it through its gates instead"),
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
    expected = MoveRoute(SYSTEM, A.digest, (D.digest, C.digest), D.digest, f"rollback from {short(D.digest)}")
    assert action == expected


def test_a_rollback_to_the_champion_stays() -> None:
    assert decide_rollback(SYSTEM, route(A, B), A.digest, [A.digest]) == [Stay(SYSTEM, A.digest)]


EVERY: list[tuple[Action, list[str]]] = [
    (
        MoveRoute(SYSTEM, A.digest, (B.digest,), B.digest, "3 gates passed"),
        [short(A.digest), short(B.digest), "3 gates"],
    ),
    (MoveRoute(SYSTEM, A.digest, (), "", "1 gate passed"), [short(A.digest), "kept warm: none"]),
    (Refuse(SYSTEM, A.digest, "it failed"), [short(A.digest), "does not answer", "it failed"]),
    (Refuse(SYSTEM, "", "nothing is deployed"), ["release -", "nothing is deployed"]),
    (Stay(SYSTEM, A.digest), [short(A.digest), "already"]),
]


@pytest.mark.parametrize(("action", "words"), EVERY)
def test_every_action_has_its_sentence(action: Action, words: list[str]) -> None:
    said = explain(action)
    assert all(word in said for word in [*words, SYSTEM])
    assert "\n" not in said and "'" not in said


def test_no_kind_of_action_is_left_out_here() -> None:
    assert {type(action) for action, _ in EVERY} == set(get_args(Action))


@pytest.mark.parametrize(("action", "words"), EVERY)
def test_the_ledger_stores_every_field_of_an_action(action: Action, words: list[str]) -> None:
    body = action.body()
    assert set(body) == {"action", *vars(action)}
    assert [one.body()["action"] for one, _ in EVERY].count(body["action"]) <= 2
