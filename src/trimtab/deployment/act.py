"""Act: carry a plan out. One transaction moves the pointer; the route board follows from the outbox.

A process killed in between leaves a message in the outbox, and whoever drives it next publishes the same route.
"""

from __future__ import annotations

from datetime import datetime
from typing import NoReturn

from trimtab.deployment.actions import MoveRoute, Plan, Refuse, Stay, StepRollout
from trimtab.deployment.rollout import KIND, Rollout, rollout_from
from trimtab.kernel.canonical import short
from trimtab.kernel.errors import Corrupt, NotAcknowledged, Refused
from trimtab.kernel.moment import from_us
from trimtab.kernel.route import Route, route_from
from trimtab.ports.journal import Journal, JournalReader, Outbox, Unit
from trimtab.ports.route_board import RouteBoard

TOPIC = "publish_route"
ACKNOWLEDGE_WITHIN_S = 1.0  # a release that is warm is one assignment away
LOAD_WITHIN_S = 30.0  # a release that workers have yet to load; until then the old one answers


class Act:
    """Carries out deployment plans of one system."""

    def __init__(
        self, system: str, *, journal: Journal, reader: JournalReader, outbox: Outbox, board: RouteBoard
    ) -> None:
        self._system = system
        self._journal = journal
        self._reader = reader
        self._outbox = outbox
        self._board = board

    def __call__(self, plan: Plan, *, at: datetime, actor: str) -> None:
        """Do what the plan says; a plan that is done already changes nothing.

        Raises:
            Refused: the plan refuses, or the route has moved since it was made; the refusal stands in the ledger.
            NotAcknowledged: the route is in force, but some worker had to be replaced.
        """
        for action in plan:
            match action:
                case MoveRoute():
                    self._move(action, at, actor)
                case StepRollout():
                    self._step(action, at, actor)
                case Refuse():
                    self._refuse(action, at, actor)
                case Stay():
                    pass
        self.publish()

    def route(self, system: str) -> Route | None:
        """The route in force, as the journal has it."""
        pointer = self._reader.pointer(f"route/{system}")
        if pointer is None:
            return None
        body = self._reader.record("route", pointer.value)
        assert body is not None
        return route_from({**body, "generation": pointer.generation})

    def rollout(self, system: str) -> tuple[Rollout, Route, datetime] | None:
        """The rollout under way, the route in force, and since when its step lasts."""
        route = self.route(system)
        if route is None or route.canary is None:
            return None
        body = self._reader.record(KIND, route.canary.salt)
        assert body is not None
        begun = rollout_from(body)
        # Not since the route was moved: a shadow that comes or goes moves it, and the step lasts on.
        steps = self._reader.entries(kind="rollout.advanced", subject=system)
        reached = [entry.at for entry in steps if entry.body["rollout"] == begun.id]
        return begun, route, reached[-1] if reached else from_us(begun.began_us)

    def rollouts(self, system: str) -> list[Rollout]:
        """All rollouts of a system, oldest first."""
        return [rollout_from(body) for _, body in self._reader.records(KIND, prefix=f"{system}/")]

    def publish(self) -> None:
        """Drive the outbox: publish each route that has not been, and wait for the workers."""
        for message in self._outbox.pending(TOPIC):
            if message.body["system"] != self._system:
                continue  # another system of this database has its own board
            route = self.route(self._system)
            assert route is not None
            within_s = ACKNOWLEDGE_WITHIN_S if set(route.releases()) <= self._loaded() else LOAD_WITHIN_S
            self._board.publish(route)
            silent = self._board.silent(route.generation, within_s=within_s)
            self._outbox.done([message.id])
            if silent:
                raise NotAcknowledged(route.generation, silent, within_s)

    def _loaded(self) -> set[str]:
        try:
            shown = self._board.current()
        except Corrupt:  # publishing mends it
            return set()
        return set() if shown is None else set(shown.releases())

    def _move(self, action: MoveRoute, at: datetime, actor: str) -> None:
        with self._journal.begin(at=at, actor=actor) as unit:
            # Read inside the unit: nobody else can move the route until it ends.
            current = self.route(action.system)
            if current is not None and current.id == action.route().id:
                return
            if action.against == _id(current):
                unit.append("route.moved", action.system, action.body())
                self._point(unit, action)
                return
        if action.replaces != ("" if current is None else current.champion):
            because = f"the plan replaces release {short(action.replaces) or '-'}, which does not answer any more"
        else:
            because = "the plan replaces another route than the one in force"
        self._refuse(Refuse(action.system, action.champion, because), at, actor)

    def _step(self, action: StepRollout, at: datetime, actor: str) -> None:
        move = action.move
        with self._journal.begin(at=at, actor=actor) as unit:
            current = self.route(move.system)
            if current is not None and current.id == move.route().id:
                return
            if move.against == _id(current):
                unit.append(f"rollout.{action.stage}", move.system, action.body())
                if action.stage == "started":
                    unit.put(KIND, action.rollout, action.facts)
                unit.append("route.moved", move.system, move.body())
                self._point(unit, move)
                return
        because = f"the plan for rollout {action.rollout} replaces another route than the one in force"
        self._refuse(Refuse(move.system, action.release, because), at, actor)

    def _point(self, unit: Unit, move: MoveRoute) -> None:
        route = move.route()
        unit.put("route", route.id, route.body())
        unit.point(f"route/{move.system}", route.id)
        unit.send(TOPIC, {"system": move.system})

    def _refuse(self, action: Refuse, at: datetime, actor: str) -> NoReturn:
        with self._journal.begin(at=at, actor=actor) as unit:
            unit.append("deployment.refused", action.system, action.body())
        raise Refused(
            f"putting release '{short(action.release)}' into production" if action.release else "the rollback",
            because=action.because,
            do="look at what is there: trimtab status",
        )


def _id(route: Route | None) -> str:
    return "" if route is None else route.id
