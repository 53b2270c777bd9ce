"""The environment that a model was trained in: what would have to be installed to train it again."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from trimtab.kernel.canonical import Json

_DECIDING = ("trimtab", "numpy", "polars", "lightgbm")


def environment(also: Iterable[str] = ()) -> dict[str, Json]:
    """Python, and the libraries that decide features and models, with their versions.

    Args:
        also: distributions that decide this model beside; those that are not installed are left out.
    """
    found: dict[str, Json] = {"python": platform.python_version(), **{name: version(name) for name in _DECIDING}}
    for name in also:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
