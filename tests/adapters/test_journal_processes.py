"""Several processes at once, and processes that are killed at any moment."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from tests.conftest import Books

from trimtab.adapters.outbox_sql import SqlOutbox
from trimtab.governance.audit import verify

DRILL = Path(__file__).with_name("journal_drill.py")

_MOST_KILLS = 60


def start(books: Books, database_url: str, actor: str, count: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", DRILL, database_url, books.heads.path, actor, str(count)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process


def assert_all_agree(books: Books) -> int:
    """Ledger, pointer, records and outbox tell of the same units; how many."""
    entries = list(books.reader.entries())
    pointer = books.reader.pointer("drill")
    records = books.reader.records("drill")
    messages = SqlOutbox(books.database).pending("drill")
    seqs = [entry.seq for entry in entries]
    assert seqs == list(range(1, len(entries) + 1))
    assert [int(id) for id, _ in records] == seqs
    assert [message.body["seq"] for message in messages] == seqs
    if pointer is not None:
        assert (pointer.generation, pointer.value, pointer.ledger_seq) == (len(seqs), str(len(seqs)), len(seqs))
    return len(seqs)


def test_units_of_several_processes_take_turns(books: Books, database_url: str) -> None:
    actors = ["a", "b", "c", "d"]
    processes = [start(books, database_url, actor, 50) for actor in actors]
    assert [(process.communicate(timeout=60)[1], process.returncode) for process in processes] == [("", 0)] * 4
    assert assert_all_agree(books) == 200
    for actor in actors:
        mine = [entry.body["n"] for entry in books.reader.entries(subject=actor)]
        assert mine == list(range(50))
    report = verify(books.reader, books.heads.lines())
    assert report.ok, report.lines()
    assert (report.entries, report.newer, len(list(books.heads.lines()))) == (200, 0, 200)


def test_a_process_killed_at_any_moment_leaves_whole_units(books: Books, database_url: str) -> None:
    moments = random.Random(7)
    done = 0
    for number in range(_MOST_KILLS):
        process = start(books, database_url, f"run-{number}", 1_000_000)
        with process:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            time.sleep(moments.uniform(0.0, 0.15))
            process.kill()
        before, done = done, assert_all_agree(books)
        assert done >= before
        report = verify(books.reader, books.heads.lines())
        assert report.ok, report.lines()
        assert report.newer <= 1  # the unit whose head was not saved any more
        assert report.unreadable_heads == 0
        # On a busy machine some are killed before their first unit: go on until there was enough to lose.
        if number >= 9 and done > 10:
            break
    assert done > 10
