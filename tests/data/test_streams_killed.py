"""Writers of one stream that are killed at any moment, while it is read."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import polars as pl
from tests.data.append_drill import ids
from tests.data.streams import CLICKS

from trimtab.data.feed import BEGINNING_US, Feed
from trimtab.data.readers.stream_inbox import Inbox
from trimtab.data.reading import open_source

NAMES = ("ada", "ben")
KILLS = 10
SEED = 20130401


def started(folder: Path, name: str) -> subprocess.Popen[str]:
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.data.append_drill", str(folder), name], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    return writer


def ended(writer: subprocess.Popen[str]) -> None:
    writer.kill()
    writer.wait()
    assert writer.stdout is not None
    writer.stdout.close()


def requests(rows: pl.DataFrame) -> Counter[tuple[str, int]]:
    """How many rows of each request there are."""
    return Counter((name, int(number)) for name, number, _ in (one[1:].split("-") for one in rows["click_id"]))


def test_every_acknowledged_row_is_there_once_whoever_is_killed(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    writers = {name: started(tmp_path, name) for name in NAMES}
    looks: list[pl.DataFrame] = []
    after_us = BEGINNING_US
    try:
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.0, 0.3))
            until_us = time.time_ns() // 1000
            look = Feed(CLICKS, tmp_path).look(after_us, until_us)
            assert look.earlier == sum(one.height for one in looks), "a row became visible behind a look"
            looks.append(look.rows)
            after_us = until_us
            name = chance.choice(NAMES)
            ended(writers[name])
            writers[name] = started(tmp_path, name)
    finally:
        for writer in writers.values():
            ended(writer)
    looks.append(Feed(CLICKS, tmp_path).look(after_us, time.time_ns() // 1000).rows)
    held = open_source(CLICKS, tmp_path).collect()
    ids_held = Counter(held["click_id"])
    assert set(ids_held.values()) == {1}
    assert Counter(pl.concat(looks)["click_id"]) == ids_held
    for name in NAMES:
        acknowledged = [int(one) for one in (tmp_path / f"{name}.log").read_text().split()]
        assert acknowledged == list(range(len(acknowledged)))
        assert len(acknowledged) > 100
        lost = [one for number in acknowledged for one in ids(name, number) if f"c{one}" not in ids_held]
        assert lost == []
    for seen in looks:
        halves = [one for one, count in requests(seen).items() if count != len(ids(*one))]
        assert halves == [], "a request was seen in part"
    # At most the request under way when a writer was killed for the last time was accepted and not acknowledged.
    told = sum(len((tmp_path / f"{name}.log").read_text().split()) for name in NAMES)
    assert told <= len(requests(held)) <= told + len(NAMES)
    inbox = Inbox(tmp_path, "clicks")
    assert inbox.appended() >= told
    inbox.close()
