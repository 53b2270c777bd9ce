from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.deployment.rollouts import carrying_out
from tests.stores import Stores

from trimtab.deployment.act import Act


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    stores = Stores(tmp_path)
    yield stores
    stores.close()


@pytest.fixture
def act(stores: Stores) -> Act:
    return carrying_out(stores, stores.board)
