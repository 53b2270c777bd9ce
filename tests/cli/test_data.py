"""`trimtab data`: what a second-day user types, on the starter with a strict contract."""

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
from tests.cli.calls import call, call_process, parts

CONTRACT = """
OutcomeContract = pa.DataFrameSchema(
    {
        "order_id": pa.Column(pl.String, pa.Check.str_matches("O00[02468]")),
        "product": pa.Column(pl.String, pa.Check.ne("P04"), metadata={"action": "warn"}),
    }
)
outcomes = tt.Source("""
CHECKS = """    contract=OutcomeContract,
    checks=[tt.checks.volume(at_most=1_000_000), tt.checks.freshness("1d", action="warn")],
    known_time="settled_at","""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two ticks, two months apart."""
    folder = tmp_path_factory.mktemp("data")
    assert call(folder, "init", "shop")[0] == 0
    shop = folder / "shop"
    declared = (shop / "system.py").read_text()
    declared = declared.replace("\noutcomes = tt.Source(", CONTRACT).replace('    known_time="settled_at",', CHECKS)
    (shop / "system.py").write_text(declared)
    settled = pl.read_parquet(shop / "data" / "outcomes.parquet")["settled_at"].sort()
    for share in (0.5, 0.8):
        at = settled[int(share * settled.len())]
        status, shown, error = call(shop, "tick", "--now", at.isoformat())
        assert status in (0, 1), error + shown
    yield shop
    sys.modules.pop("system", None)


def body(shop: Path, *arguments: str) -> Any:
    status, shown, error = call(shop, "data", *arguments, "--json")
    assert status == 0, error
    return json.loads(shown)


def test_each_command_is_found_from_help(tmp_path: Path) -> None:
    shown = call(tmp_path, "--help")[1]
    assert re.search(r"^  data +Sources and their versions: log, diff, checkout", shown, re.MULTILINE)
    shown = call(tmp_path, "data", "--help")[1]
    for name in ("ls", "verify", "log", "diff", "checkout", "infer", "quarantine", "release"):
        line = next(line for line in shown.splitlines() if line.split()[:1] == [name])
        assert not line.endswith("...")


def test_sources_and_versions(shop: Path) -> None:
    found = {one["source"]: one for one in body(shop, "ls")}
    assert list(found) == ["orders", "outcomes", "products"]
    assert found["outcomes"]["version"] == 2 and found["outcomes"]["quarantined"] > 0
    shown = call(shop, "data", "ls")[1]
    assert re.search(rf"^  outcomes +2 +\S+ \S+ +{found['outcomes']['rows']:,} ", shown, re.MULTILINE)
    log = body(shop, "log", "outcomes")
    assert [one["number"] for one in log["versions"]] == [1, 2]
    assert sum(one["rows"] for one in log["versions"]) == found["outcomes"]["rows"]
    assert log["versions"][0]["profile"]["columns"]["returned"]["distinct"] == 2
    status, shown, _ = call(shop, "data", "log", "outcomes")
    assert status == 0 and "outcomes  2 versions" in shown
    assert log["versions"][1]["digest"][:12] in shown and "product: not_equal_to(P04)" in shown


def test_differences(shop: Path) -> None:
    found = body(shop, "diff", "outcomes", "1", "2")
    log = body(shop, "log", "outcomes")["versions"]
    assert (found["rows_before"], found["rows_added"]) == (log[0]["rows"], log[1]["rows"])
    status, shown, _ = call(shop, "data", "diff", "outcomes", "1", "2")
    assert status == 0 and "outcomes@000001 → outcomes@000002" in shown and f"{found['rows_added']:,}" in shown
    status, _, error = call(shop, "data", "diff", "outcomes", "2", "1")
    assert status == 1 and "an older version, then a newer one" in error


@pytest.mark.parametrize("target", ["out.parquet", "out.csv", "folder"])
def test_checkout_writes_exactly_what_a_version_knows(shop: Path, tmp_path: Path, target: str) -> None:
    first, second = body(shop, "log", "outcomes")["versions"]
    to = tmp_path / target
    status, shown, error = call(shop, "data", "checkout", "outcomes@1", "--to", str(to))
    assert status == 0, error
    file = to if to.suffix else to / "outcomes@000001.parquet"
    assert str(file) in shown.replace("\n", "")
    rows = pl.read_csv(file) if to.suffix == ".csv" else pl.read_parquet(file)
    assert rows.height == first["rows"] and "_version" not in rows.columns
    status, _, error = call(shop, "data", "checkout", "outcomes@1", "--to", str(to))
    assert status == 1 and "--force" in parts(error)["do"]
    arguments = ["outcomes", "--at", first["known_until"], "--to", str(to), "--force"]
    assert call(shop, "data", "checkout", *arguments)[0] == 0
    assert sorted(one.name for one in file.parent.iterdir()) == [file.name]
    if not to.suffix:
        assert pl.read_parquet(file).equals(rows)
        assert rows["settled_at"].max() <= datetime.fromisoformat(first["known_until"])  # type: ignore[operator]
        assert second["rows"] > 0


def test_a_draft_is_written_loads_and_is_not_overwritten(shop: Path) -> None:
    status, shown, _ = call(shop, "data", "infer", "orders")
    assert status == 0 and "OrdersContract = pa.DataFrameSchema(" in shown
    assert call(shop, "data", "infer", "orders", "--write")[0] == 0
    file = shop / "contracts_orders.py"
    assert file.read_text() == shown
    module: dict[str, Any] = {}
    exec(compile(shown, str(file), "exec"), module)
    assert set(module["OrdersContract"].columns) >= {"order_id", "price_eur"}
    status, _, error = call(shop, "data", "infer", "orders", "--write")
    assert status == 1 and "--force" in error
    file.unlink()


def test_a_draft_that_cannot_be_written_is_told(shop: Path) -> None:
    (shop / "contracts_orders.py").mkdir()
    status, _, error = call(shop, "data", "infer", "orders", "--write")
    assert status == 1 and "the contract cannot be written" in parts(error)["what"] and "a folder" in error
    (shop / "contracts_orders.py").rmdir()
    assert not list(shop.glob("*.half"))


def test_a_draft_knows_nothing_of_later(shop: Path) -> None:
    first, _ = body(shop, "log", "outcomes")["versions"]
    shown = call(shop, "data", "infer", "outcomes", "--now", first["known_until"])[1]
    assert f"as far as {first['rows'] + first['quarantined']:,} rows can tell" in shown


def test_rows_are_listed_and_released_once(shop: Path) -> None:
    refused = body(shop, "quarantine", "outcomes")
    reason = "order_id: str_matches('O00[02468]')"
    assert {one["_reason"] for one in refused} == {reason}
    status, shown, _ = call(shop, "data", "quarantine", "outcomes", "--last", "2")
    assert status == 0 and reason in shown and f"{len(refused):,} in quarantine, 0 let in" in shown
    names = [one["_row"] for one in refused[:2]]
    now = body(shop, "log", "outcomes")["versions"][-1]["known_until"]
    arguments = ["outcomes", "--rows", ",".join(names), "--why", "numbers have seven digits now", "--now", now]
    before = body(shop, "ls")[1]["rows"]
    status, shown, error = call(shop, "data", "release", *arguments, "--by", "ada")
    assert status == 0, error
    assert "2 rows of outcomes reviewed by user:ada" in shown and "2 rows let in from quarantine" in shown
    assert body(shop, "ls")[1]["rows"] == before + 2
    status, shown, _ = call(shop, "data", "release", *arguments)
    assert status == 0 and "nothing to do" in shown
    assert body(shop, "ls")[1]["rows"] == before + 2
    let_in = [one for one in body(shop, "quarantine", "outcomes") if one["_let_in"]]
    assert [one["_row"] for one in let_in] == names
    assert let_in[0]["_let_in"] == "let in by user:ada: numbers have seven digits now"
    shown = call(shop, "audit", "log")[1]
    assert "quarantine.released" in shown
    assert call(shop, "audit", "verify")[0] == 0


def test_a_warning_is_an_alarm_that_is_told_once_and_ends(shop: Path) -> None:
    known = datetime.fromisoformat(body(shop, "log", "outcomes")["versions"][-1]["known_until"])
    late = known.replace(year=known.year + 1)
    shown = call(shop, "tick", "--now", late.isoformat())[1]
    assert "freshness(1d)" in shown
    assert "freshness(1d)" in call(shop, "status")[1]
    assert (
        "freshness(1d)" not in call(shop, "tick", "--now", late.replace(hour=(late.hour + 1) % 24).isoformat())[1]
    )


def test_a_stored_file_that_was_changed_is_found(shop: Path) -> None:
    found = body(shop, "verify")
    assert {one["source"]: one["versions"] for one in found} == {
        one["source"]: one["version"] for one in body(shop, "ls")
    }
    assert all(one["harm"] is None and one["files"] >= one["versions"] for one in found)
    file = next((shop / ".trimtab" / "tables" / "sources" / "outcomes").glob("*.parquet"))
    whole = file.read_bytes()
    place = len(whole) // 2
    file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    try:
        status, shown, _ = call(shop, "data", "verify")
        assert status == 1 and file.name in shown.replace("\n", "").replace(" ", "")
        assert re.search(r"^  orders +\d+ +\d+ +as written", shown, re.MULTILINE)
        assert re.search(r"^  outcomes +\d+ +\d+ +1 of \d+ files are not what was written", shown, re.MULTILINE)
        assert call(shop, "data", "verify", "orders")[0] == 0
        file.write_bytes(whole[:100])
        status, _, error = call(shop, "data", "checkout", "outcomes", "--to", str(shop / "x.parquet"))
        assert status == 1 and "trimtab data verify" in parts(error)["do"]
        assert not list(shop.glob("*x.parquet*"))
    finally:
        file.write_bytes(whole)
    assert call(shop, "data", "verify")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["log", "order"], "unknown source 'order'"),
        (["checkout", "orders@99", "--to", "x.parquet"], "there is no dataset version 'orders@000099'"),
        (["checkout", "orders@1", "--at", "2026-01-01T00:00:00+00:00", "--to", "x"], "version has a value"),
        (
            ["checkout", "orders", "--at", "2001-01-01T00:00:00+00:00", "--to", "x"],
            "there is no version 'orders by",
        ),
        (["release", "outcomes", "--why", "x"], "rows has a value"),
        (
            ["release", "orders", "--why", "x", "--reason", "price_eur"],
            "letting rows out of quarantine was refused",
        ),
        (["release", "outcomes", "--reason", "zzz", "--why", "x"], "there is no row"),
        (["release", "outcomes", "--reason", "order_id", "--why", " "], "why has a value"),
        (["checkout", "orders@1", "--to", "x.xlsx"], "--to has a value"),
        (["diff", "products", "1", "2"], "telling versions apart was refused"),
    ],
)
def test_mistakes_are_told(shop: Path, arguments: list[str], told: str) -> None:
    status, _, error = call(shop, "data", *arguments)
    assert status == 1 and told in parts(error)["what"]


def test_it_runs_in_a_process_of_its_own(shop: Path) -> None:
    status, shown, error = call_process(shop, "data", "ls")
    assert status == 0 and "outcomes" in shown, error
