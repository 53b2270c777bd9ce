"""Heads in a file: whole lines, by several writers, also behind a torn one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trimtab.adapters.heads_log import HeadsLog
from trimtab.kernel.errors import InvalidValue
from trimtab.kernel.head import Head, parse_head

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)


def head(seq: int) -> Head:
    return Head(seq, f"{seq:064x}")


def test_nothing_saved_yet(tmp_path: Path) -> None:
    assert list(HeadsLog(tmp_path / "heads").lines()) == []


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    log = HeadsLog(tmp_path / "new" / "heads")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda seq: log.append(head(seq), NOON), range(1, 41)))
    assert sorted((parse_head(line) for line in log.lines()), key=lambda one: one.seq) == [
        head(seq) for seq in range(1, 41)
    ]


def test_a_torn_line_does_not_swallow_the_next(tmp_path: Path) -> None:
    log = HeadsLog(tmp_path / "heads")
    log.append(head(1), NOON)
    log.append(head(2), NOON)
    log.path.write_bytes(log.path.read_bytes()[:-40])
    log.append(head(3), NOON)
    lines = list(log.lines())
    assert len(lines) == 3
    assert [parse_head(lines[0]), parse_head(lines[2])] == [head(1), head(3)]


def test_a_typed_head_is_read_back() -> None:
    assert parse_head(f" {str(head(0xAB)).upper()} ") == head(0xAB)


@pytest.mark.parametrize("text", ["", "7", "7:ab", "x:" + "0" * 64, "7:" + "0" * 65, "9" * 30 + ":" + "0" * 64])
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="head of the ledger"):
        parse_head(text)
