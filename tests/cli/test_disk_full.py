"""A full disk: said in words, nothing half visible, and the next command takes up what was begun."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from tests.cli.calls import call, call_process, parts

SIZE_KB = 16_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or os.system(f"mount -t tmpfs -o size={SIZE_KB}k tmpfs {folder}") != 0:
        pytest.skip("NO SMALL DISK CAN BE MOUNTED HERE: what happens on a full one is not tested")
    yield folder
    os.system(f"umount {folder}")


def fill(path: Path, leave_bytes: int) -> None:
    """Until the disk takes no more than that."""
    free = os.statvfs(path.parent)
    with path.open("wb") as file:
        file.write(bytes(max(0, free.f_bavail * free.f_frsize - leave_bytes)))


@pytest.mark.parametrize("leave_kb", [0, 256, *(pytest.param(kb, marks=pytest.mark.slow) for kb in (24, 64, 128))])
def test_a_tick_on_a_full_disk_is_refused_and_taken_up(disk: Path, leave_kb: int) -> None:
    assert call(disk, "init", "shop")[0] == 0
    shop, filler = disk / "shop", disk / "filler"
    settled = pl.read_parquet(shop / "data" / "outcomes.parquet")["settled_at"].sort()
    first, second = (settled[int(share * settled.len())].isoformat() for share in (0.3, 0.6))
    status, _, error = call(shop, "tick", "--now", first)
    assert status in (0, 1) and "error" not in error
    before = json.loads(call(shop, "data", "ls", "--json")[1])
    fill(filler, leave_kb << 10)
    status, _, error = call_process(shop, "tick", "--now", second)
    assert status == 1
    assert "the disk is full" in parts(error)["what"] and "run the same command again" in parts(error)["do"]
    assert not list((shop / ".trimtab" / "tables").rglob("tmp*")), "half files must not keep a disk full"
    filler.unlink()
    told = json.loads(call(shop, "data", "ls", "--json")[1])
    assert [one["version"] - was["version"] in (0, 1) for one, was in zip(told, before, strict=True)]
    status, _, error = call(shop, "tick", "--now", second)
    assert status in (0, 1) and "error" not in error
    after = {one["source"]: one for one in json.loads(call(shop, "data", "ls", "--json")[1])}
    assert all(one["version"] == 2 for one in after.values() if one["source"] != "products"), after
    for name, one in after.items():
        rows = shop / f"{name}.parquet"
        assert call(shop, "data", "checkout", name, "--to", str(rows))[0] == 0
        held = pl.read_parquet(rows)
        assert held.height == one["rows"] and held.unique().height == held.height
        rows.unlink()
    assert call(shop, "audit", "verify")[0] == 0
