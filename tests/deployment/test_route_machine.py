"""Any order of deployments, rollouts, rollbacks, shadows and deaths: the ledger says why what is in force is."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.deployment.rollouts import DAY_US, SYSTEM, carrying_out, seen
from tests.deployment.test_act import BrokenBoard, Killed
from tests.stores import Stores, release

from trimtab.deployment.act import TOPIC
from trimtab.deployment.actions import MoveRoute, Plan, Refuse, StepRollout
from trimtab.deployment.decide import WARM, decide_deploy, decide_rollback, decide_shadow
from trimtab.deployment.decide_rollout import decide_rollout
from trimtab.deployment.policies import canary
from trimtab.kernel.errors import Refused
from trimtab.kernel.moment import to_us
from trimtab.kernel.route import Route
from trimtab.kernel.verdict import Outcome
from trimtab.registry.releases import ReleaseReader

GOOD = [release(name) for name in "ABCD"]
BAD = release("bad", Outcome.FAIL)
DIGESTS = [one.digest for one in GOOD]
POLICY = canary([5, 25, 50])
numbers = st.integers(0, 3)
dies = st.booleans()


class Routes(RuleBasedStateMachine):
    """The model: who answers, who is a canary at which step, who is a shadow, and each move with its stage."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.stores = Stores(Path(self.folder.name))
        self.act = carrying_out(self.stores, self.stores.board)
        self.dying = carrying_out(self.stores, BrokenBoard(self.stores.board))
        self.releases = ReleaseReader(self.stores.reader, self.stores.blobs)
        self.champion = ""
        self.canary = ""
        self.step = 0
        self.shadows: set[str] = set()
        self.moves: list[tuple[str, str]] = []  # champion, stage of a rollout or ""
        self.rollouts = 0
        self.refusals = 0
        self.generation_shown = 0
        self.published = True
        self.kept: tuple[Plan, str] = ([], "")  # a plan, and the route that it was made against

    @property
    def route(self) -> Route | None:
        return self.act.route(SYSTEM)

    @rule(number=numbers, dies=dies)
    def deploy_at_once(self, number: int, dies: bool) -> None:
        one = DIGESTS[number]
        allowed = not self.canary or one in (self.champion, self.canary)
        moved = allowed and one not in (self.champion, self.canary)
        if self.carry_out(decide_deploy(GOOD[number], self.route), allowed, dies) and moved:
            self.moved(one, "")

    @rule(number=numbers, dies=dies)
    def start(self, number: int, dies: bool) -> None:
        one = DIGESTS[number]
        at = self.stores.minute()
        plan = POLICY.decide(GOOD[number], self.route, number=self.rollouts + 1, at_us=to_us(at), traffic=900)
        allowed = not self.canary or one in (self.champion, self.canary)
        moved = allowed and one not in (self.champion, self.canary)
        if not self.carry_out(plan, allowed, dies, at) or not moved:
            return
        if not self.champion:
            self.moved(one, "")
        else:
            self.canary, self.step = one, 0
            self.rollouts += 1
            self.moved(self.champion, "started")

    @rule(known=st.sampled_from(["nothing", "harm", "no harm", "mismatch"]), held=st.booleans(), dies=dies)
    @precondition(lambda self: self.canary)
    def look(self, known: str, held: bool, dies: bool) -> None:
        plan, stage = self.looked(known, held)
        if not self.carry_out(plan, True, dies) or not stage:
            return
        champion = self.canary if stage == "promoted" else self.champion
        if stage == "advanced":
            self.step += 1
        else:
            self.canary = ""
        self.moved(champion, stage)

    def looked(self, known: str, held: bool) -> tuple[Plan, str]:
        under_way = self.act.rollout(SYSTEM)
        assert under_way is not None
        rollout, route, since = under_way
        bounds: dict[str, dict[str, Any]] = {
            "nothing": {},
            "harm": {"low": 0.001, "high": 0.01},
            "no harm": {"low": -0.01, "high": rollout.margin},
            "mismatch": {"mismatched": 1},
        }
        at_us = to_us(since) + (rollout.hold_us if held else rollout.hold_us - 1)
        look = seen(2, rollout=rollout.id, at_us=min(at_us, rollout.began_us + 13 * DAY_US), **bounds[known])
        stage = ""
        if known in ("harm", "mismatch"):
            stage = "rolled_back"
        elif held and self.step < 2:
            stage = "advanced"
        elif held and known == "no harm":
            stage = "promoted"
        return decide_rollout(rollout, route, to_us(since), look), stage

    @rule(number=numbers, dies=dies)
    def roll_back_to(self, number: int, dies: bool) -> None:
        one = DIGESTS[number]
        allowed = one in [champion for champion, _ in self.moves] and one != self.canary
        plan = decide_rollback(SYSTEM, self.route, one, self.releases.been_in_production(SYSTEM))
        self.went_back(plan, one, allowed, dies)

    @rule(dies=dies)
    def roll_back(self, dies: bool) -> None:
        route, known = self.route, [champion for champion, _ in self.moves]
        warm = () if route is None else route.warm
        one = self.champion if self.canary else next((one for one in warm if one in known), "")
        plan = decide_rollback(SYSTEM, route, known=self.releases.been_in_production(SYSTEM))
        self.went_back(plan, one, bool(one), dies)

    def went_back(self, plan: Plan, one: str, allowed: bool, dies: bool) -> None:
        moved = one != self.champion or self.canary
        if self.carry_out(plan, allowed, dies) and moved:
            stage = "rolled_back" if self.canary else ""
            self.canary = ""
            self.moved(one, stage)

    @rule(number=numbers, on=st.booleans(), dies=dies)
    def shadow(self, number: int, on: bool, dies: bool) -> None:
        one = DIGESTS[number]
        done = self.carry_out(decide_shadow(SYSTEM, one, self.route, on=on), bool(self.champion), dies)
        if done and (one in self.shadows) != on:
            self.shadows ^= {one}
            self.moved(self.champion, "")

    @rule()
    def deploy_what_failed(self) -> None:
        for plan in (decide_deploy(BAD, self.route), POLICY.decide(BAD, self.route, number=99, at_us=0)):
            self.carry_out(plan, False, False)

    @rule(number=numbers)
    @precondition(lambda self: self.champion)
    def keep_a_plan(self, number: int) -> None:
        route = self.route
        assert route is not None
        plans = [
            POLICY.decide(GOOD[number], route, number=99, at_us=0),
            decide_shadow(SYSTEM, DIGESTS[number], route, on=DIGESTS[number] not in route.shadows),
            self.looked("harm", True)[0] if self.canary else [],
        ]
        plan = plans[number % len(plans)]
        if plan and isinstance(plan[0], MoveRoute | StepRollout):
            self.kept = (plan, route.id)

    @rule()
    @precondition(lambda self: self.kept[0])
    def carry_out_what_is_out_of_date(self) -> None:
        """A plan is carried out on the route that it was made against, or not at all."""
        (action,), against = self.kept
        route = self.route
        assert route is not None
        assert isinstance(action, MoveRoute | StepRollout)
        move = action if isinstance(action, MoveRoute) else action.move
        if route.id not in (against, move.route().id):
            self.carry_out([action], False, False)

    @rule()
    def publish(self) -> None:
        self.act.publish()
        self.published = True

    def carry_out(self, plan: Plan, allowed: bool, dies: bool, at: datetime | None = None) -> bool:
        """Whether it was carried out, as it should."""
        assert not (allowed and any(isinstance(action, Refuse) for action in plan))
        before = self.act.route(SYSTEM)
        try:
            (self.dying if dies else self.act)(plan, at=at or self.stores.minute(), actor="user:ada")
        except Refused:
            assert not allowed
            assert self.act.route(SYSTEM) == before
            self.refusals += 1
            return False
        except Killed:
            assert dies
            self.published = False
        else:
            self.published = True
        assert allowed
        return True

    def moved(self, champion: str, stage: str) -> None:
        route = self.act.route(SYSTEM)
        assert route is not None
        if self.champion not in ("", champion):
            assert route.warm[0] == self.champion, "the champion before this one stays warm"
        self.champion = champion
        self.moves.append((champion, stage))

    @invariant()
    def the_journal_says_what_the_model_says(self) -> None:
        route = self.act.route(SYSTEM)
        if not self.champion:
            assert route is None
            return
        assert route is not None
        assert route.champion == self.champion
        assert set(route.shadows) == self.shadows
        assert len(route.warm) <= WARM and len(set(route.warm)) == len(route.warm)
        assert route.champion not in route.warm
        assert route.generation == len(self.moves)
        under_way = self.act.rollout(SYSTEM)
        if not self.canary:
            assert route.canary is None and under_way is None
            return
        assert route.canary is not None and under_way is not None
        rollout, of, since = under_way
        assert of == route
        assert (rollout.release, rollout.number) == (self.canary, self.rollouts)
        assert (route.canary.release, route.canary.salt) == (self.canary, rollout.id)
        assert route.canary.buckets == rollout.steps[self.step]
        assert self.canary not in route.warm
        entries = [
            one for one in self.stores.reader.entries() if one.kind in ("rollout.started", "rollout.advanced")
        ]
        assert since == entries[-1].at, "a shadow does not begin the step anew"

    @invariant()
    def every_move_and_every_refusal_has_one_entry(self) -> None:
        entries = list(self.stores.reader.entries())
        assert [one.body["champion"] for one in entries if one.kind == "route.moved"] == [
            champion for champion, _ in self.moves
        ]
        stages = [stage for _, stage in self.moves if stage]
        steps = [one for one in entries if one.kind.startswith("rollout.")]
        assert [one.kind for one in steps] == [f"rollout.{stage}" for stage in stages]
        assert all(entries[one.seq].kind == "route.moved" for one in steps), (
            "a step and its move are one transaction"
        )
        assert [one.kind for one in entries].count("deployment.refused") == self.refusals
        assert len(entries) == len(self.moves) + len(stages) + self.refusals
        assert [one.number for one in self.act.rollouts(SYSTEM)] == list(range(1, self.rollouts + 1))

    @invariant()
    def the_board_follows(self) -> None:
        shown = self.stores.board.current()
        generation = 0 if shown is None else shown.generation
        assert generation >= self.generation_shown
        self.generation_shown = generation
        if self.published:
            assert shown == self.act.route(SYSTEM)
            assert self.stores.outbox.pending(TOPIC) == []
        else:
            assert self.stores.outbox.pending(TOPIC)

    def teardown(self) -> None:
        self.stores.close()
        self.folder.cleanup()


Routes.TestCase.settings = settings(max_examples=10, stateful_step_count=30, deadline=None)
test_routes = Routes.TestCase
