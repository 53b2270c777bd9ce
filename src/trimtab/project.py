"""A project: a folder with a trimtab.toml, the file that declares the system, and the stores."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import threading
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

from trimtab.kernel.canonical import Json, canonical
from trimtab.kernel.errors import InvalidValue, NotAProject, ProjectInvalid, TrimtabError, UnknownName, listed
from trimtab.system import System

FILE = "trimtab.toml"
_LOADING = threading.RLock()  # what one thread loads, another one must not take for its own


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
        Setting(
            "online_url",
            "TRIMTAB_ONLINE_URL",
            "",
            "Online store: redis://[user:password@]host[:port][/db] or rediss://…; empty: LMDB in .trimtab/online.",
        ),
        Setting("tracking_uri", "MLFLOW_TRACKING_URI", "", "MLflow; empty: SQLite in .trimtab/mlflow.db."),
        Setting(
            "host",
            "TRIMTAB_HOST",
            "127.0.0.1",
            "Address of the data plane; one that others can reach asks for keys: trimtab keys add.",
        ),
        Setting(
            "require_keys",
            "TRIMTAB_REQUIRE_KEYS",
            "false",
            "Whether requests need a key on a loopback address, too: 'true' or 'false'.",
        ),
        Setting(
            "tls_certificate",
            "TRIMTAB_TLS_CERTIFICATE",
            "",
            "PEM file with the data plane's certificate and its chain; empty: no TLS.",
        ),
        Setting("tls_key", "TRIMTAB_TLS_KEY", "", "PEM file with the certificate's key, without a passphrase."),
        Setting("port", "TRIMTAB_PORT", "8600", "Port of the data plane; 0 takes a free one."),
        Setting("workers", "TRIMTAB_WORKERS", "2", "Worker processes of the data plane."),
        Setting("log_mode", "TRIMTAB_LOG_MODE", "write", "Prediction log: 'write' before each answer, or 'fsync'."),
        Setting("log_format", "TRIMTAB_LOG", "text", "Reports of the server: 'text', or 'json', an object a line."),
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

    def with_settings(self, settings: Mapping[str, str]) -> Project:
        """The same project with some settings replaced, e.g. by options of a command.

        Raises:
            UnknownName: an unknown setting.
        """
        for name in settings:
            if name not in SETTINGS:
                raise UnknownName("setting", name, SETTINGS)
        return Project(self.folder, {**self.settings, **settings})

    def one_of(self, setting: str, allowed: tuple[str, ...]) -> str:
        """A setting that takes one of a few words; TOML's own true and false among them.

        Raises:
            InvalidValue: it has another value.
        """
        value = self.settings[setting]
        if (word := value.lower()) in allowed:
            return word
        raise InvalidValue(f"setting '{setting}'", value, allowed=listed(allowed), where=str(self.folder / FILE))

    def path(self, setting: str) -> Path | None:
        """A setting that names a file, from the project's folder; None if it is empty."""
        value = self.settings[setting]
        return self.folder / value if value else None

    def system(self) -> System:
        """The system as the working tree declares it, unchecked.

        Raises:
            ProjectInvalid: the file is missing, fails, or declares no system or several.
        """
        self.code()  # read before it is run: what is kept with a release is what made it
        return load_system(self.folder, self.settings["system"])

    def code(self) -> bytes:
        """The project's Python files as one blob, as they were when the system was loaded.

        A release's view definitions are loaded from it.

        Raises:
            ProjectInvalid: a file cannot be read.
        """
        return self._code

    @cached_property
    def _code(self) -> bytes:
        texts: dict[str, Json] = {str(path.relative_to(self.folder)): _text(path) for path in _modules(self.folder)}
        return canonical({"system": self.settings["system"], "files": texts})


def open_project(start: Path) -> Project:
    """The project that a folder belongs to.

    Raises:
        NotAProject: neither the folder nor one above it has a trimtab.toml.
        ProjectInvalid: the file cannot be read.
        UnknownName: an unknown setting.
    """
    start = start.absolute()  # a relative path has no folders above it
    folder = next((one for one in (start, *start.parents) if (one / FILE).is_file()), None)
    if folder is None:
        raise NotAProject(str(start))
    try:
        written = tomllib.loads((folder / FILE).read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
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

    Modules beside the file can be imported by it; afterwards they bear names of their own, so that two versions
    of a project can be loaded by one process.
    """
    folder = folder.absolute()
    path = folder / file
    if not path.is_file():
        raise ProjectInvalid(
            "the file that declares the system is missing",
            where=str(path),
            allowed="a Python file with one trimtab.System",
            do=f'write it, or set system = "…" in {FILE}',
        )
    name = f"trimtab_project_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    with _LOADING:
        before = set(sys.modules)
        sys.path.insert(0, str(folder))
        try:
            found = _systems(_run(path, name))
        finally:
            sys.path.remove(str(folder))
            for module in set(sys.modules) - before - {name}:
                if _lies_in(folder, sys.modules[module]):
                    _rename(sys.modules.pop(module), f"{name}.{module}")
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
    except TrimtabError as error:
        raise error if error.where else error.at(_line(error, path)) from error
    except (Exception, SystemExit) as error:
        raise ProjectInvalid(
            f"{path.name} cannot be run",
            where=_line(error, path),
            got=f"{type(error).__name__}: {error}",
            do="mend the line that is named; try it with: python " + path.name,
        ) from error
    return module


def _line(error: BaseException, path: Path) -> str:
    """The last line of the project's own files that was running, or that is no Python: `/path/file.py:12`."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_relative_to(path.parent):
        return f"{error.filename}:{error.lineno}"
    where, trace = str(path), error.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.is_relative_to(path.parent) and not _hidden(file.relative_to(path.parent)):
            where = f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return where


def _lies_in(folder: Path, module: ModuleType) -> bool:
    """A folder without an `__init__.py` is a module too, which has no file."""
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", [])]
    return any(Path(place).is_relative_to(folder) for place in places if place)


def _rename(module: ModuleType, name: str) -> None:
    """Pandera models look up the module that their class names when they are first used, not when they are made."""
    for value in vars(module).values():
        if isinstance(value, type) and value.__module__ == module.__name__:
            value.__module__ = name
    sys.modules[name] = module


def _modules(folder: Path) -> list[Path]:
    """Python files, but for those of virtual environments; the stores are hidden, and not walked through."""
    found = []
    for place, below, files in os.walk(folder):
        here = Path(place)
        below[:] = [one for one in below if not _hidden(Path(one)) and not (here / one / "pyvenv.cfg").exists()]
        found += [here / one for one in files if one.endswith(".py") and not _hidden(Path(one))]
    return sorted(found)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as error:
        raise ProjectInvalid(
            f"{path.name} cannot be kept with a release",
            where=str(path),
            got=str(error),
            allowed="Python files in UTF-8",
            do="save it as UTF-8, or move it out of the project",
        ) from error


def _systems(module: ModuleType) -> dict[int, System]:
    return {id(value): value for value in vars(module).values() if isinstance(value, System)}


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)
