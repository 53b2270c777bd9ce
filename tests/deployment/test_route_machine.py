"""Any order of deployments, rollbacks and deaths: what must be in force and warm is, and the ledger says why."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.deployment.test_act import BrokenBoard, Killed
from tests.stores import Stores, release

from trimtab.deployment.act import TOPIC, Act
from trimtab.deployment.actions import Plan
from trimtab.deployment.decide import WARM, decide_deploy, decide_rollback
from trimtab.kernel.errors import Refused
from trimtab.kernel.verdict import Outcome
from trimtab.registry.releases import ReleaseReader

SYSTEM = "flight-delay"
GOOD = [release(name) for name in "ABCD"]
BAD = release("bad", Outcome.FAIL)
DIGESTS = [one.digest for one in GOOD]


class Routes(RuleBasedStateMachine):
    """The model is a stack of champions: the last one answers, those below it stay warm."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.stores = Stores(Path(self.folder.name))
        self.act = Act(self.stores.journal, self.stores.reader, self.stores.outbox, self.stores.board)
        broken = BrokenBoard(self.stores.board)
        self.dying = Act(self.stores.journal, self.stores.reader, self.stores.outbox, broken)
        self.releases = ReleaseReader(self.stores.reader, self.stores.blobs)
        self.champions: list[str] = []  # by last time of answering, the newest last
        self.moves: list[str] = []
        self.refusals = 0
        self.generation_shown = 0
        self.published = True

    @rule(number=st.integers(0, 3), dies=st.booleans())
    def deploy(self, number: int, dies: bool) -> None:
        self.carry_out(decide_deploy(GOOD[number], self.act.route(SYSTEM)), DIGESTS[number], dies)

    @rule(number=st.integers(0, 3), dies=st.booleans())
    def roll_back_to(self, number: int, dies: bool) -> None:
        known = self.releases.been_in_production(SYSTEM)
        plan = decide_rollback(SYSTEM, self.act.route(SYSTEM), DIGESTS[number], known)
        self.carry_out(plan, DIGESTS[number] if DIGESTS[number] in self.moves else "", dies)

    @rule(dies=st.booleans())
    def roll_back(self, dies: bool) -> None:
        known = self.releases.been_in_production(SYSTEM)
        plan = decide_rollback(SYSTEM, self.act.route(SYSTEM), known=known)
        self.carry_out(plan, self.champions[-2] if len(self.champions) > 1 else "", dies)

    @rule()
    def deploy_what_failed(self) -> None:
        self.carry_out(decide_deploy(BAD, self.act.route(SYSTEM)), "", False)

    @rule(number=st.integers(0, 3))
    @precondition(lambda self: self.champions)
    def carry_out_what_is_out_of_date(self, number: int) -> None:
        plan = decide_deploy(GOOD[number], None)
        done = self.champions == [DIGESTS[number]]
        self.carry_out(plan, DIGESTS[number] if done else "", False)

    @rule()
    def publish(self) -> None:
        self.act.publish()
        self.published = True

    def carry_out(self, plan: Plan, expected: str, dies: bool) -> None:
        """`expected`: who answers afterwards; "" if the plan must be refused."""
        try:
            (self.dying if dies else self.act)(plan, at=self.stores.minute(), actor="user:ada")
        except Refused:
            assert expected == ""
            self.refusals += 1
            return
        except Killed:
            assert dies
            self.published = False
        else:
            self.published = True
        assert expected
        if self.champions[-1:] != [expected]:
            self.moves.append(expected)
            self.champions = [one for one in self.champions if one != expected] + [expected]

    @invariant()
    def the_journal_says_what_the_model_says(self) -> None:
        route = self.act.route(SYSTEM)
        if not self.champions:
            assert route is None
            return
        assert route is not None
        newest_first = self.champions[::-1]
        assert route.champion == newest_first[0]
        assert route.champion in route.releases()
        assert route.warm[:1] == tuple(newest_first[1:2]), "the champion before this one stays warm"
        assert len(route.warm) <= WARM and len(set(route.releases())) == len(route.releases())
        assert route.generation == len(self.moves)

    @invariant()
    def every_move_and_every_refusal_has_one_entry(self) -> None:
        entries = list(self.stores.reader.entries())
        assert [one.body["champion"] for one in entries if one.kind == "route.moved"] == self.moves
        assert [one.kind for one in entries].count("deployment.refused") == self.refusals
        assert len(entries) == len(self.moves) + self.refusals

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


Routes.TestCase.settings = settings(max_examples=10, stateful_step_count=20, deadline=None)
test_routes = Routes.TestCase
