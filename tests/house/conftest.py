"""A system that has lived with canaries, and a copy of it to go on with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.canaried import canary_lived
from tests.e2e.conftest import copied

from trimtab.cli.session import Session, session


@pytest.fixture
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """To look at."""
    with session(folder=canary_lived(tmp_path_factory.getbasetemp()).folder) as open_:
        yield open_


@pytest.fixture
def copy(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[Session]:
    """To go on with."""
    folder = copied(canary_lived(tmp_path_factory.getbasetemp()), tmp_path / "tiny")
    with session(folder=folder) as open_:
        yield open_
