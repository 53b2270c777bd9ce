"""A project's rooms, put together."""

from __future__ import annotations

from functools import cache

from trimtab.adapters.journal_sql import SqlJournal
from trimtab.adapters.outbox_sql import SqlOutbox
from trimtab.adapters.table_eraser_delta import DeltaEraser
from trimtab.data.ingest import Ingest
from trimtab.data.versions import Versions
from trimtab.deployment.act import Act
from trimtab.features.materialise import Materialise
from trimtab.house.house import House
from trimtab.house.rescoring import Rescoring
from trimtab.house.workshop import SystemWorkshop
from trimtab.kernel.errors import TrimtabError
from trimtab.monitoring.alarms import Alarms
from trimtab.monitoring.measure import Measure
from trimtab.project import Project
from trimtab.registry.releases import ReleaseWriter
from trimtab.serving.compactor import Compactor
from trimtab.serving.expiry import Expire
from trimtab.serving.log_reader import LogReader
from trimtab.serving.moved_routes import MovedRoutes
from trimtab.serving.pairing import Pairing
from trimtab.serving.recorded_keys import RecordedKeys
from trimtab.serving.sampling import Sampling, compared_generations
from trimtab.system import System
from trimtab.training.workshop import workshops
from trimtab.wiring.models import MODELS
from trimtab.wiring.stores import Stores


def open_house(stores: Stores, *, project: Project | None = None, checked: bool = True) -> House:
    """The rooms of the project's system.

    Args:
        stores: of the project.
        project: the same project with other settings, e.g. with another file that declares its system.
        checked: False for commands that must work while the declaration is broken (a rollback, an explanation):
            they get what can be declared, or else the system as its newest release knows it.

    Raises:
        DeclarationInvalid: with everything that is wrong.
    """
    project = project or stores.project
    system = _system(stores, project, checked)
    journal = SqlJournal(stores.database, stores.heads)
    outbox = SqlOutbox(stores.database)
    versions = Versions(stores.reader, stores.tables)
    board = stores.board(system.name)
    segments = stores.segments
    recorded = RecordedKeys(segments, tables=stores.tables, journal=stores.reader)

    @cache
    def made() -> SystemWorkshop:
        return SystemWorkshop(
            system,
            project.folder,
            versions=versions,
            releases=stores.releases,
            blobs=stores.blobs,
            code=stores.code,
            models=MODELS,
            prepared=stores.prepared,
        )

    def workshop() -> SystemWorkshop:
        # Every time: another declaration of the same system may have been opened in between.
        workshops.open(system.name, made())
        return made()

    return House(
        project=project,
        system=system,
        journal=journal,
        reader=stores.reader,
        outbox=outbox,
        tables=stores.tables,
        blobs=stores.blobs,
        ingest=Ingest(
            project.folder,
            journal=journal,
            reader=stores.reader,
            tables=stores.tables,
            versions=versions,
            blobs=stores.blobs,
            keys_of=lambda ids: recorded(ids, system.name),
        ),
        versions=versions,
        materialise=Materialise(stores.online, versions, prepared=stores.prepared),
        releases=stores.releases,
        release_writer=ReleaseWriter(journal, stores.reader, stores.blobs),
        code=stores.code,
        act=Act(system.name, journal=journal, reader=stores.reader, outbox=outbox, board=board),
        alarms=Alarms(system.name, journal, stores.reader),
        measure=Measure(journal=journal, reader=stores.reader, tables=stores.tables, writer=stores.tables),
        compactor=Compactor(
            segments,
            system=system.name,
            tables=stores.tables,
            journal=journal,
            history=stores.reader,
            sampling=Sampling(system.log, lambda: compared_generations(stores.reader, system.name)),
            pair=Pairing(
                Rescoring(stores.releases, stores.blobs, stores.code, MODELS),
                MovedRoutes(stores.reader, system.name),
            ),
        ),
        expire=Expire(
            segments,
            system=system.name,
            policy=system.log,
            tables=stores.tables,
            writer=stores.tables,
            eraser=DeltaEraser(stores.home / "tables"),
            journal=journal,
            history=stores.reader,
            outbox=outbox,
        ),
        proofs=segments.proofs,
        log=LogReader(segments, tables=stores.tables, journal=stores.reader),
        seals=board,
        heads=stores.heads.lines,
        steps=stores.steps,
        alone=stores.alone,
        tracking=lambda: stores.tracking,
        workshop=workshop,
    )


def _system(stores: Stores, project: Project, checked: bool) -> System:
    try:
        system = project.system()
        if checked:
            system.check(project.folder)
    except TrimtabError:
        released = [] if checked else stores.reader.records("release")
        if not released:
            raise
        return stores.code.system(stores.releases.get(released[-1][0].rpartition("/")[2]))
    return system
