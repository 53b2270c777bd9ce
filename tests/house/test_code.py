"""A release answers with its own definitions, whatever the working tree says by then."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from tests.stores import release
from tests.test_project import write

from trimtab.adapters.blobs_local import LocalBlobs
from trimtab.features.on_request import RequestFeatures
from trimtab.house.code import PinnedCode
from trimtab.kernel.canonical import canonical, short
from trimtab.kernel.errors import Corrupt, NotFound
from trimtab.kernel.release import Release
from trimtab.project import open_project
from trimtab.system import System

ROW = pl.LazyFrame({"carrier": ["AA"]})


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


@pytest.fixture
def code(blobs: LocalBlobs, tmp_path: Path) -> PinnedCode:
    return PinnedCode(blobs, tmp_path / "code")


def released(blobs: LocalBlobs, folder: Path) -> Release:
    """A release of the project as it lies in a folder now."""
    project = open_project(folder)
    system = project.system()
    return replace(release("A"), code=blobs.put(project.code()), views=system.feature_set.versions)


def chosen(system: System) -> list[str]:
    """What the one view makes of a row."""
    view = system.features[0]
    assert isinstance(view, RequestFeatures)
    return view.function(ROW).collect().columns


def project(folder: Path, column: str) -> Path:
    """A project whose view says what it selects in a module beside it."""
    function = (
        f'import polars as pl\n\n\ndef chosen() -> pl.Expr:\n    return pl.col("carrier").alias("{column}")\n'
    )
    return write(folder, imports="from views.chosen import chosen", selected="chosen()", views__chosen=function)


def test_a_release_answers_with_its_own_definitions(blobs: LocalBlobs, code: PinnedCode, tmp_path: Path) -> None:
    folder = project(tmp_path / "project", "first")
    first = released(blobs, folder)
    project(folder, "second_name")
    second = released(blobs, folder)
    assert first.code != second.code and first.views != second.views
    project(folder, "third_as_yet_unreleased")
    for _ in range(2):
        assert chosen(code.system(first)) == ["first"]
        assert chosen(code.system(second)) == ["second_name"]
    assert chosen(open_project(folder).system()) == ["third_as_yet_unreleased"]


def test_nothing_is_left_of_the_working_tree(blobs: LocalBlobs, code: PinnedCode, tmp_path: Path) -> None:
    folder = project(tmp_path / "project", "first")
    first = released(blobs, folder)
    folder.rename(tmp_path / "gone")
    assert chosen(code.system(first)) == ["first"]


def test_where_the_code_is_unpacked_does_not_change_its_definitions(
    blobs: LocalBlobs, code: PinnedCode, tmp_path: Path
) -> None:
    first = released(blobs, project(tmp_path / "project", "first"))
    assert code.system(first).feature_set.versions == first.views


def test_a_system_is_loaded_once(blobs: LocalBlobs, code: PinnedCode, tmp_path: Path) -> None:
    first = released(blobs, project(tmp_path / "project", "first"))
    again = replace(first, model="another model, made by the same code")
    assert code.system(first) is code.system(again)


def test_a_file_that_was_changed_after_it_was_unpacked_is_written_anew(
    blobs: LocalBlobs, code: PinnedCode, tmp_path: Path
) -> None:
    first = released(blobs, project(tmp_path / "project", "first"))
    code.system(first)
    unpacked = tmp_path / "code" / first.code / "views" / "chosen.py"
    unpacked.write_text(unpacked.read_text().replace("first", "forged by somebody"))
    assert chosen(PinnedCode(blobs, tmp_path / "code").system(first)) == ["first"]
    assert "forged" not in unpacked.read_text()


def test_other_definitions_than_the_release_names_are_corrupt(
    blobs: LocalBlobs, code: PinnedCode, tmp_path: Path
) -> None:
    first = released(blobs, project(tmp_path / "project", "first"))
    other = replace(first, views=(("schedule", "0" * 64),))
    with pytest.raises(Corrupt, match=f"the code of release {short(other.digest)} is corrupt") as corrupt:
        code.system(other)
    assert "0" * 64 in corrupt.value.allowed
    assert first.views[0][1] in corrupt.value.got
    assert "train and release again" in corrupt.value.do
    assert chosen(code.system(first)) == ["first"]


def test_code_that_was_changed_in_the_store_is_corrupt(blobs: LocalBlobs, code: PinnedCode, tmp_path: Path) -> None:
    first = released(blobs, project(tmp_path / "project", "first"))
    path = tmp_path / "blobs" / first.code[:2] / first.code
    path.write_bytes(path.read_bytes().replace(b"first", b"worst"))
    with pytest.raises(Corrupt):
        code.system(first)
    path.unlink()
    with pytest.raises(NotFound):
        code.system(first)


def test_workers_that_start_together_unpack_the_same_code(blobs: LocalBlobs, tmp_path: Path) -> None:
    """Each writes a file of its own and renames it: nobody takes away or reads another's half."""
    files = {f"part_{number}.py": f"x = {number}\n" * 2000 for number in range(30)}
    files["system.py"] = (project(tmp_path / "project", "first") / "system.py").read_text()
    files["views/chosen.py"] = (tmp_path / "project" / "views" / "chosen.py").read_text()
    digest = blobs.put(canonical({"system": "system.py", "files": dict(files)}))
    with ThreadPoolExecutor(8) as workers:
        list(workers.map(lambda _: PinnedCode(blobs, tmp_path / "code").unpack(digest), range(16)))
    folder = tmp_path / "code" / digest
    found = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert found == files
