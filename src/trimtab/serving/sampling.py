"""Sampling: which records of a sealed segment go into the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trimtab.kernel.prediction import Prediction
from trimtab.kernel.prediction_id import BATCH_WORKER, parse_prediction_id
from trimtab.kernel.route import BUCKETS
from trimtab.ports.journal import JournalReader
from trimtab.serving.retention import KEEP_EVERYTHING, Retention


@dataclass(frozen=True)
class Sampling:
    """The share that a policy keeps, and what is kept whatever it says."""

    policy: Retention = KEEP_EVERYTHING
    compared: Callable[[], Callable[[int], bool]] = lambda: lambda _: False  # see `compared_generations`

    def chooser(self) -> Callable[[Prediction], bool]:
        """Says of each record whether it is kept; asked anew for each compaction, since routes move."""
        if self.policy.buckets == BUCKETS:
            return lambda _: True
        compared = self.compared()
        return lambda one: is_evidence(one, compared) or self.policy.draws(one.system, one.key)


def is_evidence(one: Prediction, compared: Callable[[int], bool]) -> bool:
    """Whether a record is kept whatever the sample: others rely on all of its kind being there.

    A rollout is decided on every row that was asked under it, also on those that the challenger did not score. The
    rows of a batch are its result.
    """
    batch = one.generation == 0 or parse_prediction_id(one.id).worker == BATCH_WORKER
    return batch or bool(one.fallback or one.others) or compared(one.generation)


def compared_generations(journal: JournalReader, system: str) -> Callable[[int], bool]:
    """Whether the route of a generation had releases beside its champion: the ledger says each of its moves."""
    moves = [
        bool(entry.body.get("canary") or entry.body.get("shadows"))
        for entry in journal.entries(kind="route.moved", subject=system)
    ]
    # A generation without a move is of a route that the ledger does not know: what it was to show is not known.
    return lambda generation: not 0 < generation <= len(moves) or moves[generation - 1]
