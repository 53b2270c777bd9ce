"""Lives that several tests look at: each is lived once."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.e2e import tiny_life
from tests.e2e.living import WITHIN_S, Living, figures_of, trimtab
from tests.house.answering import begun, made, take

from trimtab.cli.session import session

DAYS = 2
# They import the file beside them, as a project's files do; doctest would not find it.
collect_ignore = ["tiny/canary.py", "tiny/pushed.py", "tiny/sampled.py", "tiny/segment.py"]


@dataclass(frozen=True)
class Lived:
    """A project at the end of its life, and the figures that it wrote."""

    folder: Path
    figures: dict[str, Any]
    kills: int = 0


def demo(folder: Path, *, days: int = DAYS, step_h: int = 6) -> Living:
    """`trimtab demo`, started."""
    json_file = folder.with_suffix(".json")
    asked = ["--dir", str(folder), "--json", str(json_file), "--days", str(days), "--step", str(step_h)]
    return Living(trimtab("demo", *asked), folder, cwd=folder.parent)


def demo_lived(folder: Path, *, days: int = DAYS, step_h: int = 6, within_s: float = WITHIN_S) -> Lived:
    """`trimtab demo`, undisturbed."""
    demo(folder, days=days, step_h=step_h).ends(within_s)
    return Lived(folder, figures_of(folder.with_suffix(".json")))


def small_life(folder: Path, *, step_h: int = 6, workers: int = 2) -> Living:
    """The small system's life, started."""
    json_file = folder.with_suffix(".json")
    return Living(tiny_life.write, folder, folder, json_file, step_h, TRIMTAB_WORKERS=str(workers))


def small_lived(folder: Path, *, step_h: int = 6) -> Lived:
    """The small system's life, undisturbed."""
    small_life(folder, step_h=step_h).ends()
    return Lived(folder, figures_of(folder.with_suffix(".json")))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """The small system's life in steps of 6 hours."""
    return small_lived(tmp_path_factory.mktemp("small") / "tiny")


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """The flights' first days, in one go."""
    return demo_lived(tmp_path_factory.mktemp("undisturbed") / "flights")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """The flights when the first release goes live: killed there, and before, while it was ingested and trained."""
    folder = tmp_path_factory.mktemp("prepared") / "flights"
    deaths = [("flights@000001", 0.2), *[("Flights", wait_s) for wait_s in (1.1, 2.5, 4.0)]]
    kills = 0
    for line, wait_s in [*deaths, ("passed its gates", 0.0), ("answers flight-delay", 0.0)]:
        if _is_live(folder):
            break  # the last one was killed too late
        life = demo(folder)
        assert life.reaches(line), life.said()
        until_s = time.monotonic() + wait_s
        # Of the training, which comes behind history, nothing is said until it is over.
        while time.monotonic() < until_s and "finished" not in life.said():
            time.sleep(0.01)
        kills += life.kill()
    assert _is_live(folder)
    return Lived(folder, {}, kills)


@pytest.fixture(scope="session")
def served_tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small system with its first release in force, and half a day that became known since."""
    folder = made(tmp_path_factory.mktemp("served") / "tiny")
    with session(folder=folder) as open_:
        begun(open_)
        take(open_, tiny_life.START + timedelta(hours=12))
    return folder


def _is_live(folder: Path) -> bool:
    if not (folder / ".trimtab" / "trimtab.db").exists():
        return False
    with session(folder=folder) as open_:
        return open_.house.act.route(open_.house.name) is not None


def copied(project: Lived, folder: Path) -> Path:
    """A copy of a project; stores hold no path that they are read by."""
    shutil.copytree(project.folder, folder)
    return folder
