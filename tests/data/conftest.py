"""Rooms for single tests, and one for all examples of a property."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.data.room import Room, open_room


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return open_room(tmp_path)


@pytest.fixture(scope="session")
def shared_room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """For properties, whose examples take a source of their own each."""
    return open_room(tmp_path_factory.mktemp("room"))
