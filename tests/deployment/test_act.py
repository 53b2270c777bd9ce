"""Carrying plans out: one transaction, then the board; killed in between, the next one publishes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from tests.deployment.rollouts import SYSTEM, A, B, C, carrying_out, seen
from tests.stores import Stores, release

from trimtab.adapters.route_board_mmap import MmapRouteBoard
from trimtab.deployment.act import TOPIC, Act
from trimtab.deployment.actions import MoveRoute, Plan
from trimtab.deployment.decide import decide_deploy, decide_rollback, decide_shadow
from trimtab.deployment.decide_rollout import decide_rollout
from trimtab.deployment.policies import canary
from trimtab.kernel.errors import NotAcknowledged, Refused
from trimtab.kernel.moment import to_us
from trimtab.kernel.route import Route


class Killed(BaseException):
    """The process dies here."""


class BrokenBoard:
    """A real board whose process is killed before the route is shown."""

    def __init__(self, board: MmapRouteBoard) -> None:
        self._board = board

    def publish(self, route: Route) -> None:
        raise Killed(route.id)

    def current(self) -> Route | None:
        return self._board.current()

    def silent(self, generation: int, *, within_s: float) -> list[int]:
        return self._board.silent(generation, within_s=within_s)

    def workers(self) -> list[int]:
        return self._board.workers()

    def stuck(self, *, after_s: float) -> list[int]:
        return self._board.stuck(after_s=after_s)


def deploy(act: Act, stores: Stores, name: str) -> Plan:
    plan = decide_deploy(release(name), act.route(SYSTEM))
    act(plan, at=stores.minute(), actor="user:ada")
    return plan


def rollback(act: Act, stores: Stores, to: str = "", known: str = "ABC") -> None:
    plan = decide_rollback(SYSTEM, act.route(SYSTEM), to, [release(name).digest for name in known])
    act(plan, at=stores.minute(), actor="user:ada")


@contextmanager
def killed_before_publishing(stores: Stores) -> Iterator[Act]:
    with pytest.raises(Killed):
        yield carrying_out(stores, BrokenBoard(stores.board))


def champions(act: Act, stores: Stores) -> tuple[str, str]:
    """What the journal says, and what the workers see."""
    said, shown = act.route(SYSTEM), stores.board.current()
    assert said is not None and shown is not None
    return said.champion, shown.champion


def test_a_deployment_is_one_entry_one_record_one_move_and_on_the_board(act: Act, stores: Stores) -> None:
    assert act.route(SYSTEM) is None
    (action,) = deploy(act, stores, "A")
    (entry,) = stores.reader.entries()
    assert (entry.kind, entry.subject, entry.actor) == ("route.moved", SYSTEM, "user:ada")
    assert entry.body == action.body()
    pointer = stores.reader.pointer(f"route/{SYSTEM}")
    assert pointer is not None and pointer.ledger_seq == entry.seq
    assert stores.board.current() == act.route(SYSTEM) == Route(SYSTEM, A.digest, (), 1)
    assert stores.outbox.pending(TOPIC) == []


def test_a_plan_that_is_done_changes_nothing(act: Act, stores: Stores) -> None:
    plan = deploy(act, stores, "A")
    act(plan, at=stores.minute(), actor="user:ada")
    act(decide_deploy(A, act.route(SYSTEM)), at=stores.minute(), actor="user:ada")
    assert stores.kinds() == ["route.moved"]
    assert stores.board.current() == Route(SYSTEM, A.digest, (), 1)


def test_killed_between_the_commit_and_the_board(act: Act, stores: Stores) -> None:
    deploy(act, stores, "A")
    with killed_before_publishing(stores) as dying:
        deploy(dying, stores, "B")
    assert champions(act, stores) == (B.digest, A.digest)
    act.publish()
    assert champions(act, stores) == (B.digest, B.digest)
    assert stores.board.current() == Route(SYSTEM, B.digest, (A.digest,), 2, previous=A.digest)
    assert stores.outbox.pending(TOPIC) == []
    assert stores.kinds() == ["route.moved"] * 2


def test_killed_and_the_same_command_again(act: Act, stores: Stores) -> None:
    with killed_before_publishing(stores) as dying:
        deploy(dying, stores, "A")
    plan = deploy(act, stores, "A")
    assert [one.body()["action"] for one in plan] == ["stay"]
    assert champions(act, stores) == (A.digest, A.digest)
    assert stores.kinds() == ["route.moved"]


def test_moves_that_nobody_published_are_published_as_the_newest(act: Act, stores: Stores) -> None:
    for name in "ABC":
        with killed_before_publishing(stores) as dying:
            deploy(dying, stores, name)
    assert stores.board.current() is None
    assert len(stores.outbox.pending(TOPIC)) == 3
    act.publish()
    assert stores.board.current() == Route(SYSTEM, C.digest, (B.digest, A.digest), 3, previous=B.digest)
    assert stores.outbox.pending(TOPIC) == []


def test_publishing_with_nothing_to_publish(act: Act, stores: Stores) -> None:
    act.publish()
    assert stores.board.current() is None


def test_a_damaged_route_file_is_mended_by_the_next_route(act: Act, stores: Stores) -> None:
    deploy(act, stores, "A")
    (stores.folder / "route" / "route.json").write_text("{")
    deploy(act, stores, "B")
    assert champions(act, stores) == (B.digest, B.digest)


def test_rollback_and_the_rollback_of_the_rollback(act: Act, stores: Stores) -> None:
    deploy(act, stores, "A")
    deploy(act, stores, "B")
    rollback(act, stores)
    assert stores.board.current() == Route(SYSTEM, A.digest, (B.digest,), 3)
    rollback(act, stores)
    assert stores.board.current() == Route(SYSTEM, B.digest, (A.digest,), 4)
    assert stores.kinds() == ["route.moved"] * 4


def test_a_named_release_beyond_the_warm_ones(act: Act, stores: Stores) -> None:
    for name in "ABC":
        deploy(act, stores, name)
    rollback(act, stores, A.digest)
    assert stores.board.current() == Route(SYSTEM, A.digest, (C.digest, B.digest), 4)


@pytest.mark.parametrize(
    ("to", "what", "because"),
    [
        ("", "the rollback was refused", "there is no earlier release"),
        (B.digest, f"putting release '{B.digest[:12]}' into production was refused", "it never was champion"),
    ],
)
def test_a_refused_rollback_stands_in_the_ledger(
    act: Act, stores: Stores, to: str, what: str, because: str
) -> None:
    deploy(act, stores, "A")
    with pytest.raises(Refused) as refused:
        rollback(act, stores, to, known="A")
    assert refused.value.what == what
    assert because in refused.value.got
    assert refused.value.do
    *_, entry = stores.reader.entries()
    assert (entry.kind, entry.subject, entry.body["release"]) == ("deployment.refused", SYSTEM, to)
    assert because in str(entry.body["because"])
    assert champions(act, stores) == (A.digest, A.digest)


def test_a_plan_made_before_another_move_is_refused(act: Act, stores: Stores) -> None:
    """Two people deploy at once: carried out as planned, the first one's release would not stay warm."""
    deploy(act, stores, "A")
    stale = decide_deploy(C, act.route(SYSTEM))
    deploy(act, stores, "B")
    with pytest.raises(Refused, match="does not answer any more"):
        act(stale, at=stores.minute(), actor="user:bob")
    assert champions(act, stores) == (B.digest, B.digest)
    assert stores.kinds() == ["route.moved", "route.moved", "deployment.refused"]
    deploy(act, stores, "C")
    assert stores.board.current() == Route(SYSTEM, C.digest, (B.digest, A.digest), 3, previous=B.digest)


def test_a_first_plan_made_twice_at_once(act: Act, stores: Stores) -> None:
    first, second = (decide_deploy(release(name), None) for name in "AB")
    act(first, at=stores.minute(), actor="user:ada")
    with pytest.raises(Refused, match="release -, which does not answer any more"):
        act(second, at=stores.minute(), actor="user:bob")
    assert champions(act, stores) == (A.digest, A.digest)


def test_a_worker_that_is_silent_is_named_and_the_route_is_in_force(
    act: Act, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trimtab.deployment.act.LOAD_WITHIN_S", 0.02)
    follower = stores.board.follower(0)
    follower.acknowledge(0)
    with pytest.raises(NotAcknowledged) as silent:
        deploy(act, stores, "A")
    assert str(os.getpid()) in silent.value.got
    assert champions(act, stores) == (A.digest, A.digest)
    act.publish()  # the supervisor replaces the worker: there is nothing left to do
    follower.leave()


@pytest.mark.parametrize(("warm", "within_s"), [(True, 1.0), (False, 30.0)])
def test_workers_get_longer_for_what_they_have_to_load(stores: Stores, warm: bool, within_s: float) -> None:
    asked: list[float] = []

    class Asked(BrokenBoard):
        def publish(self, route: Route) -> None:
            stores.board.publish(route)

        def silent(self, generation: int, *, within_s: float) -> list[int]:
            assert generation == stores.board.current().generation  # type: ignore[union-attr]
            asked.append(within_s)
            return []

    act = carrying_out(stores, Asked(stores.board))
    deploy(act, stores, "A")
    deploy(act, stores, "B")
    if warm:
        rollback(act, stores)
    else:
        deploy(act, stores, "C")
    assert asked[-1] == within_s


def test_a_warm_list_never_holds_the_champion(act: Act, stores: Stores) -> None:
    for name in "ABABCA":
        deploy(act, stores, name)
    assert act.route(SYSTEM) == Route(SYSTEM, A.digest, (C.digest, B.digest), 6)
    for entry in stores.reader.entries(kind="route.moved"):
        warm = entry.body["warm"]
        assert isinstance(warm, list)
        assert entry.body["champion"] not in warm


def test_a_move_without_its_plans_facts_is_not_made() -> None:
    with pytest.raises(TypeError, match="because"):
        MoveRoute(SYSTEM, A.digest, (), "")  # type: ignore[call-arg]


def test_messages_of_another_system_are_left_to_it(act: Act, stores: Stores, tmp_path: Path) -> None:
    """Both keep their routes in one database; each has its own board."""
    other = carrying_out(stores, BrokenBoard(MmapRouteBoard(tmp_path / "other")), "other")
    with pytest.raises(Killed):
        other(decide_deploy(release("A", system="other"), None), at=stores.minute(), actor="user:bob")
    deploy(act, stores, "B")
    (left,) = stores.outbox.pending(TOPIC)
    assert left.body == {"system": "other"}
    assert champions(act, stores) == (B.digest, B.digest)
    board = MmapRouteBoard(tmp_path / "other")
    carrying_out(stores, board, "other").publish()
    assert stores.outbox.pending(TOPIC) == []
    assert board.current() == other.route("other")
    assert champions(act, stores) == (B.digest, B.digest)


def begin(act: Act, stores: Stores, number: int = 1) -> datetime:
    """B begins as a canary beside A."""
    if act.route(SYSTEM) is None:
        deploy(act, stores, "A")
    at = stores.minute()
    act(canary().decide(B, act.route(SYSTEM), number=number, at_us=to_us(at)), at=at, actor="user:ada")
    return at


def looked(act: Act, **known: Any) -> Plan:
    """What a look a day after the step began leads to."""
    under_way = act.rollout(SYSTEM)
    assert under_way is not None
    rollout, route, since = under_way
    return decide_rollout(rollout, route, to_us(since), seen(1, at_us=to_us(since) + rollout.hold_us, **known))


def test_a_step_of_a_rollout_is_one_transaction_with_its_move(act: Act, stores: Stores) -> None:
    begin(act, stores)
    for known in ({}, {}, {"low": -0.1, "high": 0.0}):
        plan = looked(act, **known)
        with killed_before_publishing(stores) as dying:
            dying(plan, at=stores.minute(), actor="loop")
        act(plan, at=stores.minute(), actor="loop")  # the same plan again: it is done, and is shown
        assert stores.board.current() == act.route(SYSTEM)
    stages = ["started", "advanced", "advanced", "promoted"]
    expected = ["route.moved"]
    for stage in stages:
        expected += [f"rollout.{stage}", "route.moved"]
    assert stores.kinds() == expected
    assert champions(act, stores) == (B.digest, B.digest)
    assert act.rollout(SYSTEM) is None
    (rollout,) = act.rollouts(SYSTEM)
    assert (rollout.release, rollout.replaces) == (B.digest, A.digest)


def test_a_step_lasts_on_while_a_shadow_comes(act: Act, stores: Stores) -> None:
    """The shadow moves the route; the canary has held its step all the same."""
    began = begin(act, stores)
    for on in (True, False):
        act(decide_shadow(SYSTEM, C.digest, act.route(SYSTEM), on=on), at=stores.minute(), actor="user:ada")
        under_way = act.rollout(SYSTEM)
        assert under_way is not None
        assert (under_way[1], under_way[2]) == (act.route(SYSTEM), began)
    advanced_at = stores.minute()
    act(looked(act), at=advanced_at, actor="loop")
    act(decide_shadow(SYSTEM, C.digest, act.route(SYSTEM), on=True), at=stores.minute(), actor="user:ada")
    under_way = act.rollout(SYSTEM)
    assert under_way is not None
    assert under_way[2] == advanced_at


PLANS = ("a shadow", "the next step", "the end", "a rollback")


def stale(act: Act) -> dict[str, Plan]:
    """Plans for the route in force."""
    route = act.route(SYSTEM)
    return {
        "a shadow": decide_shadow(SYSTEM, C.digest, route, on=True),
        "the next step": looked(act),
        "the end": looked(act, low=0.1, high=0.2),
        "a rollback": decide_rollback(SYSTEM, route, known=[A.digest]),
    }


@pytest.mark.parametrize(
    ("sooner", "late"), [one for one in product(PLANS, PLANS) if one[0] != one[1] and one[1] != "a rollback"]
)
def test_a_plan_made_for_another_route_is_refused(act: Act, stores: Stores, sooner: str, late: str) -> None:
    """Carried out all the same, a shadow would bring back a canary that went back, or an old step a small share."""
    begin(act, stores)
    plans = stale(act)
    act(plans[sooner], at=stores.minute(), actor="user:ada")
    route = act.route(SYSTEM)
    if (sooner, late) == ("a rollback", "the end"):
        act(plans[late], at=stores.minute(), actor="loop")  # both wanted the same route
    else:
        with pytest.raises(Refused, match="replaces another route than the one in force"):
            act(plans[late], at=stores.minute(), actor="loop")
        assert stores.kinds()[-1] == "deployment.refused"
    assert act.route(SYSTEM) == route == stores.board.current()


def test_a_second_start_of_one_plan_is_refused_where_another_canary_is_under_way(act: Act, stores: Stores) -> None:
    deploy(act, stores, "A")
    first, second = (
        canary().decide(one, act.route(SYSTEM), number=1, at_us=to_us(stores.minute())) for one in (B, C)
    )
    act(first, at=stores.minute(), actor="user:ada")
    with pytest.raises(Refused, match="rollout flight-delay/00001 replaces another route"):
        act(second, at=stores.minute(), actor="user:bob")
    assert [one.release for one in act.rollouts(SYSTEM)] == [B.digest]
