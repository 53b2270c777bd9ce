"""The environment that a model was trained in: what would have to be installed to train it again."""

from __future__ import annotations

import platform
from importlib.metadata import version

from trimtab.kernel.canonical import Json

_DECIDING = ("trimtab", "numpy", "polars", "lightgbm")


def environment() -> dict[str, Json]:
    """Python, and the libraries that decide features and models, with their versions."""
    return {"python": platform.python_version(), **{name: version(name) for name in _DECIDING}}
