"""Online stores that the examples of a property test share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from trimtab.adapters.online_lmdb import LmdbWriter


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LmdbWriter, LmdbWriter]]:
    """Two stores that all examples share, each under names of its own."""
    folder = tmp_path_factory.mktemp("online")
    pair = LmdbWriter(folder / "each"), LmdbWriter(folder / "end")
    yield pair
    for store in pair:
        store.close()
