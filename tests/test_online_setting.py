"""The setting online_url: which store it opens, and what it says where that cannot be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.redis_server import RedisServer

from trimtab.kernel.errors import InvalidValue
from trimtab.project import SETTINGS, Project
from trimtab.wiring.serving import open_loader
from trimtab.wiring.stores import Stores

WITHOUT_THE_EXTRA = """
import sys
sys.modules["redis"] = None
from pathlib import Path
from trimtab.kernel.errors import ProjectInvalid
from trimtab.project import SETTINGS, Project
from trimtab.wiring.stores import Stores
settings = {one.name: one.default for one in SETTINGS.values()}
print(type(Stores(Project(Path(sys.argv[1]), settings)).online).__name__)
try:
    Stores(Project(Path(sys.argv[1]), settings | {"online_url": "redis://ada:secret@host"})).online
except ProjectInvalid as error:
    print(error)
"""


def stores(folder: Path, url: str) -> Stores:
    settings = {one.name: one.default for one in SETTINGS.values()}
    return Stores(Project(folder, settings | {"online_url": url}))


def test_projects_on_one_server_do_not_meet_and_a_worker_reads_what_its_project_writes(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    one, other = (stores(tmp_path / name / "flights", redis_server.url) for name in ("a", "b"))
    one.online.put({b"key": b"1"})
    other.online.put({b"key": b"2"})
    for each, value in ((one, b"1"), (other, b"2")):
        assert open_loader(each)._store.get([b"key"]) == [value]
        each.close()
    assert not (one.home / "online").exists()


def test_without_the_extra_the_embedded_store_works_and_the_other_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_EXTRA, str(tmp_path)], capture_output=True, text=True, check=True
    )
    kind, *error = done.stdout.splitlines()
    assert kind == "LmdbWriter"
    assert error[0] == "the online store needs a package that is not installed"
    assert error[-1] == "  do:      pip install 'trimtab[redis]'"
    assert "secret" not in done.stdout


def test_nothing_is_asked_of_a_server_before_it_is_needed(tmp_path: Path) -> None:
    stores(tmp_path, "redis://127.0.0.1:1/0").online.close()
    with pytest.raises(InvalidValue, match="online URL"):
        _ = stores(tmp_path, "localhost").online
