import os
from pathlib import Path

import pytest

from trimtab.serving.frames import frame
from trimtab.serving.record import encode_record
from trimtab.serving.segment import LIVE, SEALED, SET_ASIDE, Header, read_segment
from trimtab.serving.segment_folder import SegmentFolder

RECORD = encode_record(("s", "r", 1, "k", 0, {}, [], [], 0.5, 0))


def abandon(folder: SegmentFolder, worker: int, tail: bytes) -> str:
    """A live segment whose writer is dead: its descriptor is closed."""
    fd, _, header = folder.create("s", worker)
    os.write(fd, tail)
    os.close(fd)
    return header.name


def names(folder: SegmentFolder, ending: str) -> list[str]:
    return [path.stem for path in folder.files(ending)]


def test_numbers_rise_over_workers_and_are_never_given_twice(tmp_path: Path) -> None:
    folder = SegmentFolder(tmp_path)
    seen = [abandon(folder, worker, b"") for worker in (3, 0, 3)]
    assert seen == ["0003-0000000001", "0000-0000000002", "0003-0000000003"]
    folder.seal_orphans()
    assert names(folder, LIVE) == []
    assert abandon(SegmentFolder(tmp_path), 1, b"") == "0001-0000000004"


def test_a_lost_counter_is_made_up_for_by_the_files(tmp_path: Path) -> None:
    folder = SegmentFolder(tmp_path)
    for _ in range(3):
        abandon(folder, 0, frame(RECORD))
    folder.seal_orphans()
    (tmp_path / "segment.counter").unlink()
    (tmp_path / "compactor-s-99.lock").touch()
    assert abandon(folder, 0, b"") == "0000-0000000004"


def test_orphans_are_sealed_and_the_living_left_alone(tmp_path: Path) -> None:
    folder = SegmentFolder(tmp_path)
    fd, _, living = folder.create("s", 0)
    os.write(fd, frame(RECORD))
    dead = abandon(folder, 1, frame(RECORD) * 3)
    empty = abandon(folder, 2, b"")
    done = folder.seal_orphans()
    assert (done.sealed, done.torn, done.corrupt) == ([dead], [], [])
    assert names(folder, LIVE) == [living.name]
    sealed = read_segment(tmp_path / f"{dead}{SEALED}")
    assert sealed is not None
    assert len(sealed.records) == 3
    assert not list(tmp_path.glob(f"{empty}*"))
    os.close(fd)
    assert folder.seal_orphans().sealed == [living.name]
    assert folder.seal_orphans().sealed == []


@pytest.mark.parametrize("kept", range(1, len(frame(RECORD))))
def test_a_torn_tail_is_cut_and_kept_aside(tmp_path: Path, kept: int) -> None:
    folder = SegmentFolder(tmp_path)
    tail = frame(RECORD)[:kept]
    name = abandon(folder, 0, frame(RECORD) + tail)
    done = folder.seal_orphans()
    assert (done.sealed, done.torn) == ([name], [name])
    sealed = read_segment(tmp_path / f"{name}{SEALED}")
    assert sealed is not None
    assert [payload for _, payload in sealed.records] == [RECORD]
    assert (tmp_path / f"{name}.torn").read_bytes() == tail


def test_a_writer_killed_between_footer_and_name_loses_nothing(tmp_path: Path) -> None:
    folder = SegmentFolder(tmp_path)
    name = abandon(folder, 0, frame(RECORD))
    folder.seal_orphans()
    (tmp_path / f"{name}{SEALED}").rename(tmp_path / f"{name}{LIVE}")
    before = (tmp_path / f"{name}{LIVE}").read_bytes()
    assert folder.seal_orphans().sealed == [name]
    assert (tmp_path / f"{name}{SEALED}").read_bytes() == before


def test_a_damaged_orphan_is_set_aside_and_stops_nobody(tmp_path: Path) -> None:
    folder = SegmentFolder(tmp_path)
    name = abandon(folder, 0, frame(RECORD) * 3)
    path = tmp_path / f"{name}{LIVE}"
    data = bytearray(path.read_bytes())
    data[len(Header(0, 1, "s").encode()) + 12] ^= 1
    path.write_bytes(data)
    good = abandon(folder, 1, frame(RECORD))
    done = folder.seal_orphans()
    assert (done.sealed, done.corrupt) == ([good], [name])
    assert names(folder, SET_ASIDE) == [name]
