from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.stores import Stores


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    stores = Stores(tmp_path)
    yield stores
    stores.close()
