"""Projects that questions are asked of."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e import tiny_life
from tests.e2e.conftest import small_lived


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of which nothing has been ingested."""
    folder = tmp_path_factory.mktemp("empty") / "tiny"
    tiny_life.make(folder)
    return folder


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a month measured, a retraining, and two releases that have answered."""
    return small_lived(tmp_path_factory.mktemp("lived") / "tiny", step_h=12).folder
