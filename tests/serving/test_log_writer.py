import asyncio
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from trimtab.kernel.errors import InvalidValue, LogUnwritable
from trimtab.kernel.prediction_id import parse_prediction_id
from trimtab.serving.log_writer import LogPolicy, LogWriter
from trimtab.serving.record import Record
from trimtab.serving.segment import LIVE, SEALED, Segment, read_segment
from trimtab.serving.segment_folder import SegmentFolder


def record(number: int) -> Record:
    return ("s", "r", 1, f"key-{number}", 1_364_774_400_000_000 + number, {"n": number}, [1.5], [None], 0.5, [], 7)


def writer(folder: Path, policy: LogPolicy) -> LogWriter:
    return LogWriter(SegmentFolder(folder), system="s", worker=3, policy=policy, report=lambda _: None)


def segments(folder: Path, ending: str) -> list[Segment]:
    found = [read_segment(path) for path in SegmentFolder(folder).files(ending)]
    return [one for one in found if one is not None]


def ids(folder: Path, ending: str) -> list[str]:
    return [one.id for segment in segments(folder, ending) for one in segment.predictions()]


def writes_of_this_thread() -> int:
    found = re.search(r"syscw: (\d+)", Path("/proc/thread-self/io").read_text())
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize("mode", ["write", "fsync"])
def test_records_stand_in_the_file_under_their_ids_before_the_future_is_done(
    tmp_path: Path, mode: Literal["write", "fsync"]
) -> None:
    async def drive() -> None:
        log = writer(tmp_path, LogPolicy(mode=mode))
        given, futures = [], []
        for number in range(0, 30, 3):
            some, done = log.stage([record(number), record(number + 1), record(number + 2)])
            given += some
            futures.append(done)
        assert not any(done.done() for done in futures)
        assert ids(tmp_path, LIVE) == []
        await futures[0]
        assert ids(tmp_path, LIVE) == given
        await asyncio.gather(*futures)
        assert [one.key for s in segments(tmp_path, LIVE) for one in s.predictions()] == [
            f"key-{n}" for n in range(30)
        ]
        assert {parse_prediction_id(id).worker for id in given} == {3}
        await log.close()
        assert ids(tmp_path, SEALED) == given
        assert ids(tmp_path, LIVE) == []

    asyncio.run(drive())


def test_requests_of_one_turn_are_committed_by_one_write(tmp_path: Path) -> None:
    async def drive() -> int:
        log = writer(tmp_path, LogPolicy(flush_s=30.0))
        await log.stage([record(0)])[1]
        before = writes_of_this_thread()
        futures = [log.stage([record(number)])[1] for number in range(200)]
        await asyncio.gather(*futures)
        used = writes_of_this_thread() - before
        await log.close()
        return used

    assert asyncio.run(drive()) == 1  # by the loop's own thread; flushes and seals have another one


def test_a_segment_ends_by_size_by_age_and_on_request(tmp_path: Path) -> None:
    async def drive() -> None:
        log = writer(tmp_path, LogPolicy(segment_bytes=500, segment_age_s=0.05))
        given = []
        for number in range(20):
            some, done = log.stage([record(number)])
            given += some
            await done
        await log.seal()
        assert len(segments(tmp_path, SEALED)) > 2
        assert all(one.end < 700 for one in segments(tmp_path, SEALED))
        assert ids(tmp_path, SEALED) == given
        await log.stage([record(99)])[1]
        log.turn()
        assert len(ids(tmp_path, LIVE)) == 1
        await asyncio.sleep(0.06)
        log.turn()
        await log.seal()
        assert ids(tmp_path, LIVE) == []
        assert len(ids(tmp_path, SEALED)) == 21
        await log.seal()
        await log.close()
        assert len(ids(tmp_path, SEALED)) == 21

    asyncio.run(drive())


def test_a_segment_is_never_empty(tmp_path: Path) -> None:
    async def drive() -> None:
        log = writer(tmp_path, LogPolicy())
        await log.seal()
        await log.close()

    asyncio.run(drive())
    assert list(tmp_path.glob("*-*")) == []


@contextmanager
def files_no_longer_than(limit_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_the_disk_refuses_is_not_acknowledged_and_leaves_no_trace(tmp_path: Path) -> None:
    async def drive() -> None:
        log = writer(tmp_path, LogPolicy(pause_s=0.0))
        kept, done = log.stage([record(0)])
        await done
        end = segments(tmp_path, LIVE)[0].end
        with files_no_longer_than(end + 10):
            futures = [log.stage([record(number)])[1] for number in (1, 2)]
            for one in futures:
                with pytest.raises(LogUnwritable, match="prediction log cannot be written"):
                    await one
            with pytest.raises(LogUnwritable, match="File too large"):
                await log.stage([record(3)] * 100)[1]
        later, done = log.stage([record(4)])
        await done
        await log.close()
        assert ids(tmp_path, SEALED) == kept + later
        assert ids(tmp_path, LIVE) == []

    asyncio.run(drive())


def test_after_a_failure_requests_are_refused_at_once_for_a_while(tmp_path: Path) -> None:
    async def drive() -> None:
        log = writer(tmp_path, LogPolicy(pause_s=0.2))
        with files_no_longer_than(0), pytest.raises(LogUnwritable):
            log.stage([record(0)])
        with pytest.raises(LogUnwritable):
            log.stage([record(1)])
        await asyncio.sleep(0.25)
        kept, done = log.stage([record(2)])
        await done
        await log.close()
        assert ids(tmp_path, SEALED) == kept

    asyncio.run(drive())


def test_a_record_that_cannot_be_encoded_takes_nothing_with_it(tmp_path: Path) -> None:
    async def drive() -> None:
        log = writer(tmp_path, LogPolicy())
        kept, done = log.stage([record(0)])
        with pytest.raises(OverflowError):
            log.stage([record(1), ("s", "r", 1, "k", 0, {"n": 2**70}, [], [], 0.5, [], 7)])
        await done
        await log.close()
        assert ids(tmp_path, SEALED) == kept

    asyncio.run(drive())


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(InvalidValue, match="prediction log mode"):
        LogPolicy(mode="quick")  # type: ignore[arg-type]


class Unsynced(SegmentFolder):
    """The disk does not take the folder's entries and the numbers that were given."""

    def sync(self) -> None:
        raise OSError("the disk is gone")


def test_no_record_is_on_the_disk_whose_segments_number_could_be_given_again(tmp_path: Path) -> None:
    """A number that a power loss gives twice would have its second segment removed as compacted."""

    async def drive() -> None:
        policy = LogPolicy(mode="fsync")
        log = LogWriter(Unsynced(tmp_path), system="s", worker=3, policy=policy, report=lambda _: None)
        _, done = log.stage([record(1)])
        with pytest.raises(LogUnwritable, match="the disk is gone"):
            await done

    asyncio.run(drive())
