"""Verifying and rebuilding as a person calls them: what is said, what programs get, and the exit status."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.cli.calls import call, parts
from tests.e2e.tiny_life import START
from tests.house.answering import HOUR, Answers, begun, made, of_other_file, take

from trimtab.cli.session import session
from trimtab.kernel.canonical import sha256


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight answers, each from features that are known by then."""
    folder = made(tmp_path_factory.mktemp("features") / "tiny")
    with session(folder=folder) as open_:
        digest = begun(open_)
        Answers(open_)(digest, START)
        take(open_, START + 6 * HOUR)
        Answers(open_, first=1)(digest, START + 6 * HOUR)
    return folder


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four answers before the facts came, and four of a release that pushes something else."""
    folder = made(tmp_path_factory.mktemp("features") / "tiny")
    with session(folder=folder) as open_:
        answers, digest = Answers(open_), begun(open_)
        answers(digest, START + 3 * HOUR)
        take(open_, START + 6 * HOUR)
        answers(of_other_file(open_.stores, "pushed.py", digest, START + 6 * HOUR), START + 6 * HOUR)
    return folder


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The starter, trained."""
    folder = tmp_path_factory.mktemp("rebuilt")
    for at, command in ((folder, ("init", "shop")), (folder / "shop", ("train",))):
        status, _, error = call(at, *command)
        assert status == 0, error
    yield folder / "shop"
    sys.modules.pop("system", None)


def body(folder: Path, *arguments: str, status: int = 0) -> Any:
    found, shown, error = call(folder, "features", *arguments, "--json")
    assert found == status, error
    return json.loads(shown)


def test_a_healthy_system(healthy: Path) -> None:
    status, shown, _ = call(healthy, "features", "verify")
    assert status == 0
    assert re.search(r"^  answers +8$", shown, re.MULTILINE) and re.search(
        r"^  values +56 recomputed$", shown, re.M
    )
    assert "✓ every value is what its offline definition gives" in shown
    found = body(healthy, "verify")
    assert (found["answers"], found["values"], found["mismatches"], found["seed"]) == (8, 56, [], None)


def test_a_sample_says_so(healthy: Path) -> None:
    shown = call(healthy, "features", "verify", "--sample", "3")[1]
    assert re.search(r"^  answers +3 of 8  a sample, seed 7$", shown, re.MULTILINE)
    found = body(healthy, "verify", "--sample", "3")
    assert (found["answers"], found["of"], found["seed"]) == (3, 8, 7)


def test_which_answers(healthy: Path) -> None:
    later = (START + HOUR).isoformat()
    assert body(healthy, "verify", "--last", "1h")["answers"] == 4
    assert body(healthy, "verify", "--since", later)["answers"] == 4
    assert body(healthy, "verify", "--until", later, "--since", START.isoformat())["answers"] == 4
    release = body(healthy, "verify")["releases"][0]
    assert body(healthy, "verify", "--release", release[:6])["answers"] == 8
    status, shown, _ = call(healthy, "features", "verify", "--since", "2030-01-01T00:00:00Z")
    assert status == 0 and "no such answer is in the table" in shown


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--last", "a week"), "1d12h"),
        (("--since", "2024-01-01"), "time without a zone"),
        (("--until", "soon"), "--until"),
        (("--release", "zzz"), "no release 'zzz'"),
    ],
)
def test_what_cannot_be_asked(healthy: Path, arguments: tuple[str, ...], what: str) -> None:
    status, _, error = call(healthy, "features", "verify", *arguments)
    assert status == 1 and what in error


def test_what_differs_is_counted_and_listed_with_its_cause(wrong: Path) -> None:
    status, shown, _ = call(wrong, "features", "verify")
    assert status == 1
    assert re.search(r"✗ \d+ values of 8 answers are not what their offline definition gives", shown)
    assert re.search(r"staff\.staff +code +4  it is what its push function gives", shown)
    assert re.search(
        r"shop_returns\.count_3d +late data +\d  returns@000003 of 2024-03-30 06:00 UTC brought", shown
    )
    assert "code: the online path computes something else than the definition" in shown
    found = body(wrong, "verify", status=1)
    assert {one["cause"] for one in found["mismatches"]} == {"late data", "code"}
    assert sum(one["values"] for one in found["summary"]) == len(found["mismatches"])
    one = next(one for one in found["mismatches"] if one["cause"] == "late data")
    assert (one["version"], one["in_force"]) == ("returns@000003", "returns@000002")
    assert one["id"] in shown and datetime.fromisoformat(one["at"]) == START + 3 * HOUR
    status, few, _ = call(wrong, "features", "verify", "--show", "1")
    told = len({(one["id"], one["cause"]) for one in found["mismatches"]})
    assert status == 1 and f"  {told - 1} more: --show {told}, or --json" in few
    status, shown, _ = call(wrong, "features", "verify", "--release", one["release"])
    blamed = {each["cause"] for each in found["mismatches"] if each["release"] == one["release"]} - {"late data"}
    assert status == bool(blamed) and ("by no fault" in shown) != bool(blamed)


@pytest.mark.parametrize(
    ("old", "new"), [("def staff(shops:", "def staff(shopz:"), ("tiny = tt.System(", "tiny = tt.Systeme(")]
)
def test_a_broken_declaration_does_not_stand_in_the_way(wrong: Path, old: str, new: str) -> None:
    before, text = body(wrong, "verify", status=1), (wrong / "system.py").read_text()
    set_ = body(wrong, "rebuild")
    assert text.count(old) == 1
    (wrong / "system.py").write_text(text.replace(old, new))
    try:
        assert body(wrong, "verify", status=1) == before
        assert body(wrong, "rebuild") == set_
    finally:
        (wrong / "system.py").write_text(text)


def test_the_starters_training_set(shop: Path, tmp_path: Path) -> None:
    status, shown, error = call(shop, "features", "rebuild", "--to", str(tmp_path / "set.arrow"))
    assert status == 0, error
    assert "✓ it is the training set of the run, byte for byte" in shown
    found = body(shop, "rebuild")
    assert found["same"] and found["sha256"] == found["recorded"] == sha256((tmp_path / "set.arrow").read_bytes())
    assert pl.read_ipc(tmp_path / "set.arrow").height == found["rows"]
    assert f"{found['rows']:,}" in shown and found["sources"][0] in shown
    status, _, error = call(shop, "features", "rebuild", found["run"], "--to", str(tmp_path / "set.arrow"))
    assert status == 1 and "--force" in parts(error)["do"]
    assert call(shop, "features", "rebuild", "--to", str(tmp_path / "set.arrow"), "--force")[0] == 0
    status, _, error = call(shop, "features", "rebuild", "zzz")
    assert status == 1 and "there is no run or release 'zzz'" in error


def test_a_file_that_was_changed_is_named_and_nothing_is_written(healthy: Path, tmp_path: Path) -> None:
    path = next((healthy / ".trimtab" / "tables" / "sources" / "shops").glob("*.parquet"))
    data = path.read_bytes()
    path.write_bytes(b"PAR1" + data[5:] + b"1")
    try:
        status, shown, error = call(healthy, "features", "rebuild", "--to", str(tmp_path / "set.arrow"))
        assert (status, shown.strip()) == (1, "")
        told = parts(error)
        assert told["where"] == str(path) and told["do"] == "restore the files from a backup"
        assert not (tmp_path / "set.arrow").exists()
    finally:
        path.write_bytes(data)


def test_other_bytes_are_told_and_not_written(healthy: Path, tmp_path: Path) -> None:
    with session(folder=healthy) as open_:
        house = open_.house
        [(run, body_)] = house.reader.records("run")
        result = {**body_["result"], "training_set_sha256": "0" * 64}  # type: ignore[dict-item]
        with house.journal.begin(at=START, actor="test") as unit:
            unit.append("run.finished", "train-other", {})
            unit.put("run", "train-other", {**body_, "result": result})
    status, shown, _ = call(healthy, "features", "rebuild", "train-o", "--to", str(tmp_path / "set.arrow"))
    assert status == 1
    assert f"✗ the run has written down another SHA-256: {'0' * 64}" in shown
    assert "only the file is written otherwise" in shown and f"{tmp_path / 'set.arrow'} was not written" in shown
    assert not (tmp_path / "set.arrow").exists()
    assert not body(healthy, "rebuild", "train-o", status=1)["same"]
    assert body(healthy, "rebuild", run)["same"]


def test_each_command_is_found_from_help(tmp_path: Path) -> None:
    assert re.search(r"^  features +\S", call(tmp_path, "--help")[1], re.MULTILINE)
    shown = call(tmp_path, "features", "--help")[1]
    for name in ("verify", "rebuild"):
        line = next(line for line in shown.splitlines() if line.split()[:1] == [name])
        assert not line.endswith("...")
