"""Adapters whose libraries are slow to import, or not always there."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def adapter(name: str) -> Any:
    """The module of that name, imported now."""
    return import_module(f"trimtab.adapters.{name}")
