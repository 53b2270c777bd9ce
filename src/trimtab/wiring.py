"""Wiring: the one file that names concrete adapters.

Slow libraries (DBOS, MLflow, Alembic) are imported when a command first needs them; everything else is imported
here. A store is moved by one setting, and chosen here by that setting's form.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from trimtab.adapters.blobs_local import LocalBlobs
from trimtab.adapters.clock_system import SystemClock
from trimtab.adapters.database import Database
from trimtab.adapters.heads_log import HeadsLog
from trimtab.adapters.journal_reader_sql import SqlJournalReader
from trimtab.adapters.journal_sql import SqlJournal
from trimtab.adapters.key_board_file import FileKeyBoard, FileKeyFollower
from trimtab.adapters.model_lightgbm import LightgbmText
from trimtab.adapters.model_onnx import OnnxFile
from trimtab.adapters.model_pickle import PickledObject
from trimtab.adapters.model_pyfunc import MlflowFolder
from trimtab.adapters.model_sklearn import SklearnSkops
from trimtab.adapters.model_xgboost import XgboostUbj
from trimtab.adapters.online_lmdb import LmdbReader, LmdbWriter
from trimtab.adapters.outbox_sql import SqlOutbox
from trimtab.adapters.prediction_client_http import HttpPredictionClient
from trimtab.adapters.route_board_mmap import MmapFollower, MmapRouteBoard
from trimtab.adapters.step_results_sql import SqlStepResults
from trimtab.adapters.tables_delta import DeltaTables
from trimtab.data.ingest import Ingest
from trimtab.data.stream_file import read_streams
from trimtab.data.streams import InboxStreams
from trimtab.data.versions import Versions
from trimtab.deployment.act import Act
from trimtab.features.materialise import Materialise
from trimtab.features.prepared import PreparedFacts
from trimtab.governance.keys import Keys
from trimtab.house.code import PinnedCode
from trimtab.house.house import House
from trimtab.house.served import Loader
from trimtab.house.stored_models import StoredModels
from trimtab.house.workshop import SystemWorkshop
from trimtab.kernel.errors import Busy, InvalidValue, NotAProject, ProjectInvalid, TrimtabError, listed
from trimtab.monitoring.alarms import Alarms
from trimtab.monitoring.measure import Measure
from trimtab.ports.existing_models import ExistingModels
from trimtab.ports.online_store import OnlineReader, OwnedStore
from trimtab.ports.predictor import ModelFormat
from trimtab.ports.steps import Steps
from trimtab.ports.tracer import Tracer
from trimtab.ports.tracking import Tracking
from trimtab.project import FILE, SETTINGS, Project, open_project
from trimtab.registry.releases import ReleaseReader, ReleaseWriter
from trimtab.runtime.pipeline_runs import LoggedRuns
from trimtab.serving.access import is_loopback
from trimtab.serving.compactor import Compactor
from trimtab.serving.log_reader import LogReader
from trimtab.serving.log_writer import LogPolicy
from trimtab.serving.recorded_keys import RecordedKeys
from trimtab.serving.reporting import FORMS as REPORT_FORMS
from trimtab.serving.reporting import Form
from trimtab.serving.segment_folder import SegmentFolder
from trimtab.serving.server import ServerSettings
from trimtab.serving.supervisor import SupervisorSettings
from trimtab.serving.tls import TlsFiles
from trimtab.system import System
from trimtab.training.workshop import workshops

_ALONE_WITHIN_S = 60.0
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
APPLICATION_VERSION = 2  # raised only when the shape of a pipeline changes
# The first that takes a model stores it: boosters before scikit-learn, for their wrappers are its estimators too.
FORMATS: tuple[ModelFormat, ...] = (
    LightgbmText(),
    XgboostUbj(),
    SklearnSkops(),
    OnnxFile(),
    MlflowFolder(),
    PickledObject(),
)
MODELS = StoredModels(FORMATS)


class Stores:
    """The stores of one project, each opened by its first use."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.home = project.home

    @cached_property
    def database(self) -> Database:
        """Metadata and ledger, at the newest schema."""
        self.home.mkdir(parents=True, exist_ok=True)
        url = self.project.settings["database_url"] or f"sqlite:///{self.home / 'trimtab.db'}"
        database = Database(url)
        if database.needs_migration():
            _adapter("migrate").migrate(database)
        return database

    @cached_property
    def reader(self) -> SqlJournalReader:
        """The journal, read only."""
        return SqlJournalReader(self.database)

    @cached_property
    def heads(self) -> HeadsLog:
        """Heads of the ledger, kept outside of the database."""
        return HeadsLog(self.home / "heads.log")

    @cached_property
    def blobs(self) -> LocalBlobs:
        """Models, releases, code, training sets."""
        return LocalBlobs(self.home / "blobs")

    @cached_property
    def tables(self) -> DeltaTables:
        """Sources, predictions, evidence."""
        return DeltaTables(self.home / "tables")

    @cached_property
    def segments(self) -> SegmentFolder:
        """Prediction segments that are not in the tables yet."""
        return SegmentFolder(self.home / "wal")

    @cached_property
    def online(self) -> OwnedStore:
        """The online store, for the one process that writes it."""
        if not (url := self.project.settings["online_url"]):
            return LmdbWriter(self.home / "online")
        redis = _online_redis()
        writer: OwnedStore = redis.RedisWriter(url, redis.made_prefix(self.home))
        return writer

    @cached_property
    def prepared(self) -> PreparedFacts:
        """Facts of feature views in order, for joins of many questions."""
        return PreparedFacts(self.home / "prepared", Versions(self.reader, self.tables))

    @cached_property
    def releases(self) -> ReleaseReader:
        """The registry, read only."""
        return ReleaseReader(self.reader, self.blobs)

    @cached_property
    def code(self) -> PinnedCode:
        """Code of releases."""
        return PinnedCode(self.blobs, self.home / "code")

    @contextmanager
    def steps(self) -> Iterator[Steps]:
        """Durable execution; DBOS takes a second to import."""
        runs = LoggedRuns(results=SqlStepResults(self.database), blobs=self.blobs, folder=self.home / "runs")
        url = self.project.settings["runtime_url"] or f"sqlite:///{self.home / 'runtime.db'}"
        steps: Steps = _adapter("steps_dbos").DbosSteps(
            url,
            runs=runs,
            executor_id="loop",
            application_version=APPLICATION_VERSION,
            log=self.home / "runs" / "dbos.log",
        )
        with closing(steps):
            yield steps

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One process at a time: others wait, and give up after a minute."""
        self.home.mkdir(parents=True, exist_ok=True)
        path = self.home / "loop.lock"
        with path.open("a") as file:
            until_s = time.monotonic() + _ALONE_WITHIN_S
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until_s:
                        raise Busy("the loop", where=str(path), do="let the other command finish") from None
                    time.sleep(0.02)
            yield

    @cached_property
    def tracking(self) -> Tracking:
        """MLflow, which takes seconds to import."""
        uri = self.project.settings["tracking_uri"] or None
        tracking: Tracking = _adapter("tracking_mlflow").MlflowTracking(uri, self.home / "mlflow")
        return tracking

    def board(self, system: str) -> MmapRouteBoard:
        """The route board of a system."""
        return MmapRouteBoard(self.home / "route" / system)

    def close(self) -> None:
        """Close what was opened and holds threads or locks."""
        opened = vars(self)
        if "online" in opened:
            self.online.close()
        if "database" in opened:
            self.database.close()


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
            segments, system=system.name, tables=stores.tables, journal=journal, history=stores.reader
        ),
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


def open_loader(stores: Stores) -> Loader:
    """What a worker loads releases with."""
    return Loader(stores.releases, stores.blobs, stores.code, _online_reader(stores), MODELS, _told)


def open_streams(stores: Stores) -> InboxStreams:
    """What a worker appends rows with: the streams as the server's start has written them down."""
    project = stores.project.folder
    return InboxStreams(project, read_streams(project), system_clock())


def open_keys(stores: Stores) -> Keys:
    """The keys of the project's data plane, to be made and revoked."""
    journal = SqlJournal(stores.database, stores.heads)
    return Keys(journal, stores.reader, FileKeyBoard(_keys_file(stores.project)))


def follow_keys(project: Project) -> FileKeyFollower | None:
    """Where workers learn which keys are in force; None if the project asks for none."""
    return FileKeyFollower(_keys_file(project)) if keys_required(project) else None


def keys_required(project: Project) -> bool:
    """Whether requests must bring a key: where the project says so, and wherever others can reach the server."""
    return project.one_of("require_keys", ("true", "false")) == "true" or not is_loopback(project.settings["host"])


def tls_files(project: Project) -> TlsFiles | None:
    """The data plane's certificate; None if it speaks plain HTTP.

    Raises:
        ProjectInvalid: only one of the two files is named.
    """
    certificate, key = project.path("tls_certificate"), project.path("tls_key")
    if certificate is not None and key is not None:
        return TlsFiles(certificate, key)
    if certificate is None and key is None:
        return None
    raise ProjectInvalid(
        "TLS needs two files",
        where=str(project.folder / FILE),
        allowed="tls_certificate and tls_key, or neither",
        got="tls_certificate alone" if key is None else "tls_key alone",
        do="name the other one, too",
    )


def open_tracer(environment: Mapping[str, str]) -> Tracer | None:
    """What workers trace by; None unless the OTEL_* variables name where spans are sent.

    Raises:
        InvalidValue, ProjectInvalid: as `check_tracing`.
    """
    adapter = check_tracing(environment)
    if adapter is None:
        return None
    attributes = environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    named = bool(environment.get("OTEL_SERVICE_NAME")) or "service.name=" in attributes
    tracer: Tracer = adapter.OtelTracer(named=named)
    return tracer


def check_tracing(environment: Mapping[str, str]) -> Any:
    """The adapter that the OTEL_* variables ask for; None if they ask for none.

    Raises:
        InvalidValue: they ask for what is not offered here.
        ProjectInvalid: a package is missing.
    """
    named = any(environment.get(name) for name in _ENDPOINTS)
    exporter = environment.get("OTEL_TRACES_EXPORTER", "otlp")
    if not named or exporter == "none" or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    for name, allowed in (("OTEL_TRACES_EXPORTER", "otlp"), *((one, "http/protobuf") for one in _PROTOCOLS)):
        if (value := environment.get(name)) not in (None, "", allowed):
            raise InvalidValue(name, value, allowed=f"{allowed}, or unset", where="the environment")
    try:
        return _adapter("traces_otel")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        raise ProjectInvalid(
            "traces need a package that is not installed",
            where=listed(name for name in _ENDPOINTS if environment.get(name)),
            allowed="unset, or with the extra 'otel'",
            got=f"an endpoint, without the package '{error.name}'",
            do="pip install 'trimtab[otel]'",
        ) from error


def log_form(project: Project) -> Form:
    """How the server's processes report."""
    form: Any = project.one_of("log_format", REPORT_FORMS)
    return cast(Form, form)


def _keys_file(project: Project) -> Path:
    return project.home / "keys.json"


def existing_models(folder: Path) -> ExistingModels:
    """Models outside of any system: those of the project that a folder belongs to, or of MLflow's own settings."""
    uri = os.environ.get(SETTINGS["tracking_uri"].environment, "")
    with suppress(NotAProject):
        project = open_project(folder)
        own = project.home / "mlflow.db"
        uri = project.settings["tracking_uri"] or (f"sqlite:///{own}" if own.exists() else "")
    models: ExistingModels = _adapter("existing_models_mlflow").MlflowModels(uri)
    return models


def take_place(stores: Stores, system: str, slot: int) -> MmapFollower:
    """A worker's place on the route board."""
    return stores.board(system).follower(slot)


def server_settings(stores: Stores, system: str, *, replay: bool) -> ServerSettings:
    """How workers serve a system; in a replay each row brings its own instant."""
    mode: Any = stores.project.settings["log_mode"]
    return ServerSettings(
        system=system,
        log_folder=stores.segments.path,
        clock="request" if replay else "now",
        log=LogPolicy(mode=mode),
        tls=None if replay else tls_files(stores.project),
    )


def supervisor_settings(project: Project, *, workers: int, host: str, port: int) -> SupervisorSettings:
    """Where the server listens, and where it keeps what it needs."""
    home = project.home
    return SupervisorSettings(
        workers=workers,
        host=host,
        port=port,
        lock_path=home / "server.lock",
        log_folder=home / "wal",
        output_folder=home / "logs",
    )


def open_client(host: str, port: int, system: str) -> HttpPredictionClient:
    """A client of the data plane."""
    return HttpPredictionClient(host, port, system)


def system_clock() -> SystemClock:
    """The machine's clock."""
    return SystemClock()


def _online_reader(stores: Stores) -> OnlineReader:
    if "online" in vars(stores):
        return stores.online  # a process opens LMDB's files once
    if not (url := stores.project.settings["online_url"]):
        return LmdbReader(stores.home / "online")
    redis = _online_redis()
    reader: OnlineReader = redis.RedisReader(url, redis.known_prefix(stores.home))
    return reader


def _online_redis() -> Any:
    try:
        return _adapter("online_redis")
    except ModuleNotFoundError as error:
        if error.name != "redis":
            raise
        raise ProjectInvalid(
            "the online store needs a package that is not installed",
            where="online_url",
            allowed="empty (LMDB), or with the extra 'redis'",
            got=f"a URL, without the package '{error.name}'",
            do="pip install 'trimtab[redis]'",
        ) from error


def _told(text: str) -> None:
    with suppress(OSError):  # a full disk must not keep a release from being loaded
        print(text, file=sys.stderr, flush=True)


def _adapter(name: str) -> Any:
    return import_module(f"trimtab.adapters.{name}")
