"""`trimtab init`: a project that runs, and readable refusals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from tests.cli.calls import call, parts

from trimtab.cli.template import TEMPLATES
from trimtab.project import open_project


def test_it_says_what_was_made_and_what_comes_next(tmp_path: Path) -> None:
    status, shown, error = call(tmp_path, "init", "shop")
    assert (status, error) == (0, "")
    for name in ("system.py", "world.py", "README.md", "trimtab.toml", "orders, outcomes, products"):
        assert name in shown
    assert [line.split("  ")[1] for line in shown.splitlines()[-5:]] == [
        "cd shop",
        "trimtab train",
        "trimtab release",
        "trimtab deploy",
        "trimtab up",
    ]
    project = open_project(tmp_path / "shop")
    project.system().check(project.folder)


def test_here_needs_no_cd(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    status, shown, _ = call(tmp_path / "shop", "init", ".")
    assert status == 0
    assert "shop is ready" in shown
    assert "cd " not in shown


def test_its_world_is_the_same_for_the_same_day_and_lies_around_it(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert call(tmp_path, "init", name)[0] == 0
    for table in ("orders", "outcomes", "products"):
        one, other = (pl.read_parquet(tmp_path / name / "data" / f"{table}.parquet") for name in ("a", "b"))
        assert one.equals(other)
    now = datetime.now(UTC)
    orders = pl.read_parquet(tmp_path / "a/data/orders.parquet")["placed_at"].sort()
    assert orders[0] < now - timedelta(days=140)
    assert orders[-1] > now + timedelta(days=20)


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "mine.txt").write_text("mine")
    status, _, error = call(tmp_path, "init", "shop")
    assert status == 1
    said = parts(error)
    assert said["what"] == "the project's folder is not empty"
    assert (said["where"], said["got"]) == (str(tmp_path / "shop"), "mine.txt")
    assert said["allowed"] and said["do"]
    assert [path.name for path in (tmp_path / "shop").iterdir()] == ["mine.txt"]


def test_an_unknown_template_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    status, _, error = call(tmp_path, "init", "shop", "--template", "ship")
    assert status == 1
    said = parts(error)
    assert (said["what"], said["got"]) == ("unknown template 'ship'", "ship")
    assert said["allowed"] == ", ".join(TEMPLATES) and said["do"]
    assert not (tmp_path / "shop").exists()


@pytest.mark.parametrize("name", ["file", "file/shop"])
def test_a_file_in_the_way_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("mine")
    status, _, error = call(tmp_path, "init", name)
    assert status == 1
    assert {"what", "where", "allowed", "got", "do"} <= parts(error).keys()
    assert (tmp_path / "file").read_text() == "mine"


def test_tables_that_cannot_be_made_are_said_with_the_scripts_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text('raise ImportError("no numbers today")')
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    status, _, error = call(tmp_path, "init", "shop")
    assert status == 1
    said = parts(error)
    assert said["what"] == "the project's tables cannot be made"
    assert "no numbers today" in said["got"]
    assert said["where"] == "shop/world.py" and "world.py" in said["do"]
