"""C libraries that come inside of Python packages, opened without importing the packages."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path


class NativeError(Exception):
    """What a C library said, or why it cannot be used."""


def c_library(package: str, files: Sequence[str], needed: Sequence[str]) -> Path:
    """Where the library of a package lies.

    Args:
        package: that brings it; it is found, not imported.
        files: where it may lie below the package's folder, by platform.
        needed: functions that it must have.

    Raises:
        NativeError: it is not there, cannot be opened, or lacks a function.
    """
    spec = find_spec(package)
    folders = [] if spec is None else [Path(one) for one in spec.submodule_search_locations or ()]
    path = next((folder / file for folder in folders for file in files if (folder / file).is_file()), None)
    if path is None:
        raise NativeError(f"the C library is not where the package '{package}' keeps it")
    try:
        opened = ctypes.CDLL(str(path))
    except OSError as error:
        raise NativeError(str(error)) from error
    missing = [name for name in needed if not hasattr(opened, name)]
    if missing:
        raise NativeError(f"{path.name} has no {', '.join(missing)}")
    return path
