"""A project: a folder with a trimtab.toml, the file that declares the system, and the stores."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from trimtab.kernel.canonical import Json, canonical
from trimtab.kernel.errors import NotAProject, ProjectInvalid, TrimtabError, UnknownName, listed
from trimtab.system import System

FILE = "trimtab.toml"


@dataclass(frozen=True)
class Setting:
    """One setting of trimtab.toml, or of the environment."""

    name: str  # as in trimtab.toml
    environment: str
    default: str
    help: str


SETTINGS = {
    setting.name: setting
    for setting in (
        Setting("system", "TRIMTAB_SYSTEM", "system.py", "The file that declares the system."),
        Setting(
            "database_url", "TRIMTAB_DATABASE_URL", "", "Metadata and ledger; empty: SQLite in .trimtab/trimtab.db."
        ),
        Setting("runtime_url", "TRIMTAB_RUNTIME_URL", "", "Durable steps; empty: SQLite in .trimtab/runtime.db."),
        Setting("tracking_uri", "MLFLOW_TRACKING_URI", "", "MLflow; empty: SQLite in .trimtab/mlflow.db."),
        Setting(
            "host", "TRIMTAB_HOST", "127.0.0.1", "Address of the data plane; only loopback addresses are allowed."
        ),
        Setting("port", "TRIMTAB_PORT", "8600", "Port of the data plane; 0 takes a free one."),
        Setting("workers", "TRIMTAB_WORKERS", "2", "Worker processes of the data plane."),
        Setting("log_mode", "TRIMTAB_LOG_MODE", "write", "Prediction log: 'write' before each answer, or 'fsync'."),
    )
}


@dataclass(frozen=True)
class Project:
    """A project folder and its settings."""

    folder: Path
    settings: Mapping[str, str]

    @property
    def home(self) -> Path:
        """Where embedded stores live."""
        return self.folder / ".trimtab"

    def system(self) -> System:
        """The system as the working tree declares it, unchecked.

        Raises:
            ProjectInvalid: the file is missing, fails, or declares no system or several.
        """
        return load_system(self.folder, self.settings["system"])

    def code(self) -> bytes:
        """The project's Python files as one blob: a release's view definitions are loaded from it."""
        files = sorted(path for path in self.folder.rglob("*.py") if not _hidden(path.relative_to(self.folder)))
        texts: dict[str, Json] = {str(path.relative_to(self.folder)): path.read_text() for path in files}
        return canonical({"system": self.settings["system"], "files": texts})


def open_project(start: Path) -> Project:
    """The project that a folder belongs to.

    Raises:
        NotAProject: neither the folder nor one above it has a trimtab.toml.
        ProjectInvalid: the file cannot be read.
        UnknownName: an unknown setting.
    """
    folder = next((one for one in (start, *start.parents) if (one / FILE).is_file()), None)
    if folder is None:
        raise NotAProject(str(start))
    try:
        written = tomllib.loads((folder / FILE).read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectInvalid(
            f"{FILE} cannot be read", where=str(folder / FILE), got=str(error), do="mend the line that is named"
        ) from error
    for name in written:
        if name not in SETTINGS:
            raise UnknownName("setting", name, SETTINGS, where=str(folder / FILE))
    values = {
        name: os.environ.get(setting.environment) or str(written.get(name, setting.default))
        for name, setting in SETTINGS.items()
    }
    return Project(folder, values)


def load_system(folder: Path, file: str) -> System:
    """Run the declaring file and find the one System in it.

    Modules beside the file can be imported by it; they are forgotten afterwards, so that two versions of a
    project can be loaded by one process.
    """
    path = folder / file
    if not path.is_file():
        raise ProjectInvalid(
            "the file that declares the system is missing",
            where=str(path),
            allowed="a Python file with one trimtab.System",
            do=f'write it, or set system = "…" in {FILE}',
        )
    name = f"trimtab_project_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        found = _systems(_run(path, name))
    finally:
        sys.path.remove(str(folder))
        for module in set(sys.modules) - before:
            origin = getattr(sys.modules[module], "__file__", None) or ""
            if module != name and Path(origin).is_relative_to(folder):
                del sys.modules[module]
    if len(found) != 1:
        raise ProjectInvalid(
            f"{file} declares {len(found)} systems" if found else f"{file} declares no system",
            where=str(path),
            allowed="one trimtab.System at the top level of the file",
            got=listed(system.name for system in found.values()) if found else "none",
            do="assign one tt.System(…) to a name at the top level",
        )
    return next(iter(found.values()))


def _run(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pandera models look their module up while it runs
    try:
        spec.loader.exec_module(module)
    except TrimtabError:
        raise
    except Exception as error:
        line = next(
            (f.tb_lineno for f in reversed(_frames(error)) if f.tb_frame.f_code.co_filename == str(path)), 0
        )
        raise ProjectInvalid(
            f"{path.name} cannot be run",
            where=f"{path}:{line}" if line else str(path),
            got=f"{type(error).__name__}: {error}",
            do="mend the line that is named; try it with: python " + path.name,
        ) from error
    return module


def _frames(error: Exception) -> list[Any]:
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append(trace)
        trace = trace.tb_next
    return frames


def _systems(module: ModuleType) -> dict[int, System]:
    return {id(value): value for value in vars(module).values() if isinstance(value, System)}


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)
