"""The rooms of one system."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from trimtab.data.ingest import Ingest
from trimtab.data.versions import Versions
from trimtab.deployment.act import Act
from trimtab.features.materialise import Materialise
from trimtab.house.code import PinnedCode
from trimtab.house.workshop import SystemWorkshop
from trimtab.monitoring.alarms import Alarms
from trimtab.monitoring.measure import Measure
from trimtab.ports.blobs import Blobs
from trimtab.ports.journal import Journal, JournalReader, Outbox
from trimtab.ports.prediction_log import PredictionLog
from trimtab.ports.route_board import SealBoard
from trimtab.ports.steps import Steps
from trimtab.ports.tables import TableReader
from trimtab.ports.tracking import Tracking
from trimtab.project import Project
from trimtab.registry.releases import ReleaseReader, ReleaseWriter
from trimtab.serving.compactor import Compactor
from trimtab.serving.expiry import Expire
from trimtab.serving.proofs import ProofFolder
from trimtab.system import System


@dataclass(frozen=True)
class House:
    """Everything that the loop works with. What is slow to open is opened by its first use."""

    project: Project
    system: System
    journal: Journal
    reader: JournalReader
    outbox: Outbox
    tables: TableReader
    blobs: Blobs
    ingest: Ingest
    versions: Versions
    materialise: Materialise
    releases: ReleaseReader
    release_writer: ReleaseWriter
    code: PinnedCode
    act: Act
    alarms: Alarms
    measure: Measure
    compactor: Compactor
    expire: Expire
    proofs: ProofFolder
    log: PredictionLog
    seals: SealBoard
    heads: Callable[[], Iterable[str]]  # saved heads of the ledger
    steps: Callable[[], AbstractContextManager[Steps]]  # held only while a pipeline runs
    alone: Callable[[], AbstractContextManager[None]]  # one process at a time writes projections
    tracking: Callable[[], Tracking]
    workshop: Callable[[], SystemWorkshop]

    @property
    def name(self) -> str:
        """The system's name."""
        return self.system.name
