"""Act: carry a plan out. One transaction moves the pointer; the route board follows from the outbox.

A process killed in between leaves a message in the outbox, and whoever drives it next publishes the same route.
"""

from __future__ import annotations

from datetime import datetime
from typing import NoReturn

from trimtab.deployment.actions import MoveRoute, Plan, Refuse, Stay
from trimtab.kernel.canonical import short
from trimtab.kernel.errors import Corrupt, NotAcknowledged, Refused
from trimtab.kernel.route import Route, route_from
from trimtab.ports.journal import Journal, JournalReader, Outbox
from trimtab.ports.route_board import RouteBoard

TOPIC = "publish_route"
ACKNOWLEDGE_WITHIN_S = 1.0  # a release that is warm is one assignment away
LOAD_WITHIN_S = 30.0  # a release that workers have yet to load; until then the old one answers


class Act:
    """Carries out deployment plans of one system."""

    def __init__(self, journal: Journal, reader: JournalReader, outbox: Outbox, board: RouteBoard) -> None:
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

    def publish(self) -> None:
        """Drive the outbox: publish each route that has not been, and wait for the workers."""
        for message in self._outbox.pending(TOPIC):
            route = self.route(str(message.body["system"]))
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
        route = Route(action.system, action.champion, action.warm, generation=0)
        with self._journal.begin(at=at, actor=actor) as unit:
            # Read inside the unit: nobody else can move the route until it ends.
            current = self.route(action.system)
            if current is not None and current.id == route.id:
                return
            if action.replaces == ("" if current is None else current.champion):
                unit.append("route.moved", action.system, action.body())
                unit.put("route", route.id, route.body())
                unit.point(f"route/{action.system}", route.id)
                unit.send(TOPIC, {"system": action.system})
                return
        because = f"the plan replaces release {short(action.replaces) or '-'}, which does not answer any more"
        self._refuse(Refuse(action.system, action.champion, because), at, actor)

    def _refuse(self, action: Refuse, at: datetime, actor: str) -> NoReturn:
        with self._journal.begin(at=at, actor=actor) as unit:
            unit.append("deployment.refused", action.system, action.body())
        raise Refused(
            f"putting release '{short(action.release)}' into production" if action.release else "the rollback",
            because=action.because,
            do="look at what is there: trimtab status",
        )
