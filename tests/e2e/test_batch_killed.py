"""A batch that is killed, or stopped, goes on where it stood: each row is recorded once."""

from __future__ import annotations

import random
import shutil
import signal
import time
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from tests.e2e.batch_drill import compact, questions, scored
from tests.e2e.living import Living, trimtab
from tests.e2e.tiny_life import START

from trimtab.cli.session import session
from trimtab.house.parity import served


@pytest.fixture
def folder(served_tiny: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(served_tiny, tmp_path / "tiny"))


def test_killed_anywhere_it_goes_on_and_records_each_row_once(folder: Path, tmp_path: Path) -> None:
    """Seven parts; killed again and again, and compacted in between."""
    asked = questions(65_000, seed=2).with_columns(as_of=pl.lit(START + timedelta(hours=1)))
    asked.write_parquet(tmp_path / "rows.parquet")
    out = tmp_path / "answers.parquet"
    arguments = (scored, folder, folder, tmp_path / "rows.parquet", out)
    chance = random.Random(20130401)
    kills, parts = 0, set()
    for number in range(5):
        life = Living(*arguments)
        wanted = chance.randrange(0, 3)
        until_s = time.monotonic() + 120.0
        seen = len(sealed(folder))
        while life.process.poll() is None and len(sealed(folder)) < seen + wanted:
            assert time.monotonic() < until_s, life.said()
            time.sleep(0.002)
        time.sleep(chance.uniform(0.0, 0.05))
        parts.add(len(sealed(folder)))
        if not life.kill():
            break
        kills += 1
        assert not out.exists()
        if number == 1:
            compact(folder)
    else:
        Living(*arguments).ends()
    assert kills >= 3
    assert out.exists()
    compact(folder)
    answers = pl.read_parquet(out)
    assert answers["key"].to_list() == asked["order_id"].to_list()
    assert answers["id"].n_unique() == answers.height
    with session(folder=folder) as open_:
        assert list(open_.house.log.recent()) == []
        rows = served(open_.house).select("id", "key", "score").collect()
        assert list(open_.house.reader.entries(kind="segment.corrupt")) == []
    assert rows.sort("key").equals(answers.sort("key").select("id", "key", "score"))
    assert list((folder / ".trimtab" / "batch").iterdir()) == []


def sealed(folder: Path) -> list[Path]:
    return list((folder / ".trimtab" / "batch").glob("*/*.segment"))


def test_ctrl_c_says_how_to_go_on(folder: Path, tmp_path: Path) -> None:
    questions(60_000, seed=3).with_columns(as_of=pl.lit(START)).write_parquet(tmp_path / "rows.parquet")
    command = trimtab("predict", "--batch", str(tmp_path / "rows.parquet"))
    life = Living(command, folder, cwd=folder)
    until_s = time.monotonic() + 120.0
    while not sealed(folder):
        assert life.process.poll() is None and time.monotonic() < until_s, life.said()
        time.sleep(0.002)
    life.process.send_signal(signal.SIGINT)
    assert life.process.wait(60) == 130
    assert "the same command goes on from here" in life.said()
    assert "Traceback" not in life.said()
    assert "scored before" in Living(command, folder, cwd=folder).ends()
