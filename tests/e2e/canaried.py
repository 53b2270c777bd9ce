"""The small system's life with canaries, lived once for all tests that look at it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tests.e2e import canary_life
from tests.e2e.conftest import Lived
from tests.e2e.living import Living, figures_of


def canary_living(folder: Path, *, workers: int = 1) -> Living:
    """The life, started."""
    return Living(canary_life.write, folder, folder, folder.with_suffix(".json"), TRIMTAB_WORKERS=str(workers))


@cache
def canary_lived(base: Path) -> Lived:
    """The life, undisturbed."""
    folder = base / "canaried" / "tiny"
    folder.parent.mkdir()
    canary_living(folder).ends()
    return Lived(folder, figures_of(folder.with_suffix(".json")))
