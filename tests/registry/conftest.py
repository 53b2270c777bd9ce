from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.stores import Stores

from trimtab.registry.releases import ReleaseReader, ReleaseWriter


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    stores = Stores(tmp_path)
    yield stores
    stores.close()


@pytest.fixture
def reader(stores: Stores) -> ReleaseReader:
    return ReleaseReader(stores.reader, stores.blobs)


@pytest.fixture
def writer(stores: Stores) -> ReleaseWriter:
    return ReleaseWriter(stores.journal, stores.reader, stores.blobs)
