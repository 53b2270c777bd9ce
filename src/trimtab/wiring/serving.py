"""What serves a project: workers, their supervisor, their keys, their clients."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from trimtab.adapters.journal_sql import SqlJournal
from trimtab.adapters.key_board_file import FileKeyBoard, FileKeyFollower
from trimtab.adapters.prediction_client_http import HttpPredictionClient
from trimtab.adapters.route_board_mmap import MmapFollower
from trimtab.data.stream_file import read_streams
from trimtab.data.streams import InboxStreams
from trimtab.governance.keys import Keys
from trimtab.house.served import Loader
from trimtab.kernel.errors import ProjectInvalid
from trimtab.ports.online_store import OnlineReader
from trimtab.project import FILE, Project
from trimtab.serving.access import is_loopback
from trimtab.serving.log_writer import LogPolicy
from trimtab.serving.reporting import FORMS as REPORT_FORMS
from trimtab.serving.reporting import Form
from trimtab.serving.server import ServerSettings
from trimtab.serving.supervisor import SupervisorSettings
from trimtab.serving.tls import TlsFiles
from trimtab.wiring.models import MODELS
from trimtab.wiring.online import open_reader
from trimtab.wiring.stores import Stores, system_clock


def open_loader(stores: Stores) -> Loader:
    """What a worker loads releases with."""
    return Loader(stores.releases, stores.blobs, stores.code, _reader(stores), MODELS, _told)


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


def log_form(project: Project) -> Form:
    """How the server's processes report."""
    form: Any = project.one_of("log_format", REPORT_FORMS)
    return cast(Form, form)


def _keys_file(project: Project) -> Path:
    return project.home / "keys.json"


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


def _reader(stores: Stores) -> OnlineReader:
    # A process opens LMDB's files once.
    return stores.online if "online" in vars(stores) else open_reader(stores.project)


def _told(text: str) -> None:
    with suppress(OSError):  # a full disk must not keep a release from being loaded
        print(text, file=sys.stderr, flush=True)
