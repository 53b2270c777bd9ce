"""Two processes ingest one source at once, without the lock that commands take: nothing twice, nothing lost."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

from tests.data.room import open_room
from tests.data.test_ingest import table

from trimtab.kernel.source import Source

HOURS = 12


def test_two_processes_at_once(tmp_path: Path) -> None:
    rows = table(*((f"r{number}", 0, number / 10, number) for number in range(1, 10 * HOURS + 1)))
    rows.write_parquet(tmp_path / "feed.parquet")
    room = open_room(tmp_path)
    command = [sys.executable, "-m", "tests.data.ingest_drill", str(tmp_path), str(HOURS)]
    both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for one in both:
        assert one.stdout is not None and one.stdout.readline() == "ready\n"
    for one in both:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    said = [one.communicate(timeout=300)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    source = Source("weather", "feed.parquet", event_time="event", known_time="known", key="id")
    held = room.rows(source)
    assert sorted(held["id"]) == sorted(rows["id"])
    versions = room.versions.all("weather")
    assert [one.number for one in versions] == list(range(1, len(versions) + 1)) and len(versions) >= HOURS
    entered = [entry.subject for entry in room.reader.entries(kind="source.versioned")]
    assert entered == [one.id for one in versions]
    assert all(one.known_until_us == two.known_from_us for one, two in pairwise(versions))
