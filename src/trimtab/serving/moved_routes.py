"""The routes of a system by their generations, as the ledger tells them."""

from __future__ import annotations

from trimtab.kernel.ledger_entry import LedgerEntry
from trimtab.kernel.route import Route, route_from
from trimtab.ports.journal import JournalReader


class MovedRoutes:
    """Reads the ledger once: the n-th move of a system's route is its generation n, and stays what it is."""

    def __init__(self, journal: JournalReader, system: str) -> None:
        self._journal = journal
        self._system = system
        self._moves: list[LedgerEntry] = []

    def __call__(self, generation: int) -> Route | None:
        """The route of a generation; None if the ledger has no such move."""
        if generation > len(self._moves):
            last = self._moves[-1].seq if self._moves else 0
            self._moves += self._journal.entries(after=last, kind="route.moved", subject=self._system)
        if not 0 < generation <= len(self._moves):
            return None
        return route_from({**self._moves[generation - 1].body, "generation": generation})
