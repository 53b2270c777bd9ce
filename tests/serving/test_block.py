"""Records of rows that were answered together, in one block: they are what they would be one by one."""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serving.conftest import Stores
from tests.serving.logged import NOW, compactor, proved
from tests.serving.releases import SUMMANDS, SYSTEM, load
from tests.serving.test_answering import answer_all
from tests.serving.ticket import Asked

from trimtab.features.packed_numbers import packed_numbers
from trimtab.house.served import LoadedRelease
from trimtab.kernel.errors import Corrupt
from trimtab.kernel.feature_schema import Feature
from trimtab.kernel.prediction import Prediction
from trimtab.kernel.prediction_id import consecutive_ids, parse_prediction_id, prediction_id
from trimtab.kernel.release import Release
from trimtab.kernel.route import Canary, Route
from trimtab.ports.feature_reader import FeatureBlock
from trimtab.ports.typed_rows import SentNumbers, TypedRows
from trimtab.serving.block import Block, is_block, records_of
from trimtab.serving.frames import Frames, frame
from trimtab.serving.log_reader import LogReader
from trimtab.serving.log_writer import LogPolicy, LogWriter
from trimtab.serving.record import Record, encode_record
from trimtab.serving.recorded_keys import RecordedKeys
from trimtab.serving.released import Serving
from trimtab.serving.segment import Header, footer, parse_segment
from trimtab.serving.typed_request import typed_request

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "String": st.none() | TEXT,
    "Int64": st.none() | st.integers(-(2**63), 2**63 - 1),
    "Float64": st.none() | NUMBERS,
    "Boolean": st.none() | st.booleans(),
}
AT_US = 1_364_774_400_123_456


@st.composite
def blocks(draw: st.DrawFn) -> tuple[Block, list[Record]]:
    """A block, and its records as they would stand by themselves."""
    kinds = st.lists(st.sampled_from(sorted(VALUES)), max_size=2)
    before, width, behind = draw(kinds), draw(st.integers(1, 18)), draw(kinds)
    fields = [("key", "String")] if draw(st.booleans()) else []
    fields += [(f"b{place}", kind) for place, kind in enumerate(before)]
    places = slice(len(fields), len(fields) + width)
    fields += [(f"f{place}", "Float64") for place in range(width)]
    fields += [(f"a{place}", kind) for place, kind in enumerate(behind)]
    given = [TEXT if name == "key" else NUMBERS if name[0] == "f" else VALUES[kind] for name, kind in fields]
    cells = draw(st.lists(st.tuples(*given), min_size=1, max_size=20))
    names = [name for name, _ in fields]
    requests = [dict(zip(names, row, strict=True)) for row in cells]
    decode = typed_request(fields, "rows")
    assert decode is not None
    sent = decode(msgspec.json.encode({"rows": requests}))
    keys = sent.column("key") if fields[0][0] == "key" else [f"made up {number}" for number in range(len(sent))]
    several: Any = lambda one: st.lists(one, min_size=len(sent), max_size=len(sent))  # noqa: E731
    releases = draw(several(st.sampled_from(["a" * 64, "b" * 64, "ü"])))
    scores = draw(several(st.floats()))
    latency_us = draw(several(st.integers(0, 2**40)))
    numbers = packed_numbers([row[places] for row in sent.cells], width)
    features = FeatureBlock([], [], numbers=numbers, sent=SentNumbers(fields, places))
    each: Any = {"releases": releases, "scores": scores, "latency_us": latency_us}
    block = Block("s", 7, AT_US, sent=sent, keys=keys, features=features, **each)
    columns = zip(releases, keys, requests, cells, scores, latency_us, strict=True)
    return block, [
        ("s", release, 7, key, AT_US, request, list(row[places]), [], score, [], us)
        for release, key, request, row, score, us in columns
    ]


@given(blocks())
def test_a_block_stands_for_the_bytes_of_its_records(made: tuple[Block, list[Record]]) -> None:
    block, records = made
    payload = block.encode()
    assert is_block(payload)
    assert not any(is_block(encode_record(one)) for one in records)
    assert list(map(encode_record, records_of(payload))) == list(map(encode_record, records))
    assert len(block) == len(records) < len(frame(payload)), "each record has an offset of its own"
    assert list(map(encode_record, block[:2])) == list(map(encode_record, records[:2]))


@given(st.lists(blocks() | st.integers(0, 5), min_size=1, max_size=4), st.booleans(), st.data())
def test_blocks_and_records_in_one_segment(
    parts: list[tuple[Block, list[Record]] | int], sealed: bool, data: st.DataObject
) -> None:
    """Whole, cut anywhere, and with any byte flipped."""
    header = Header(1, 2, "s")
    whole, ends, expected = header.encode(), [], []
    for part in parts:
        if isinstance(part, int):
            lone: Record = ("s", "r", 1, "k", AT_US, {"n": part}, [1.5], [None], 0.5, [], 9)
            payload, records = encode_record(lone), [lone]
        else:
            payload, records = part[0].encode(), part[1]
        expected += [(len(whole) + place, encode_record(one)) for place, one in enumerate(records)]
        whole += frame(payload)
        ends.append((len(whole), len(expected)))
    found = parse_segment(whole, "here", sealed=False)
    assert found is not None
    assert list(found.records) == expected
    assert found.record_bytes == sum(len(one) for _, one in expected)
    if sealed:
        tail = footer(len(expected), found.footer_digest(whole))
        assert parse_segment(whole + tail, "here", sealed=True) is not None
        with pytest.raises(Corrupt):
            parse_segment(whole + footer(len(expected) + 1, found.footer_digest(whole)), "here", sealed=True)
    cut = data.draw(st.integers(len(header.encode()), len(whole)))
    torn = parse_segment(whole[:cut], "here", sealed=False)
    assert torn is not None
    assert list(torn.records) == expected[: max([count for end, count in ends if end <= cut], default=0)]
    flipped = bytearray(whole)
    flipped[data.draw(st.integers(len(header.encode()), len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        damaged = parse_segment(bytes(flipped), "here", sealed=False)
    except Corrupt:
        return
    assert damaged is not None
    assert damaged.torn_bytes > 0
    assert list(damaged.records) == expected[: len(damaged.records)]


def test_what_calls_itself_a_block_and_is_none_is_corrupt() -> None:
    two = b"\x9c" + b"".join(map(msgspec.msgpack.encode, (2, "s", 1, 5, ["r"], b"\0\0", ["x", "y"], ["x"], [0])))
    short = two + b"".join(map(msgspec.msgpack.encode, (bytes(16), bytes(15), [1, 2])))
    for payload in (b"\x9c\x01", short):
        with pytest.raises(Corrupt, match="a block of records that is none"):
            parse_segment(Header(1, 2, "s").encode() + frame(payload), "here", sealed=False)


@given(
    at_ms=st.integers(0, 2**48 - 1),
    offset=st.integers(0, 2**32 - 5000) | st.integers(2**30 - 2000, 2**30),
    count=st.integers(1, 3000),
)
@settings(max_examples=50)
def test_ids_of_consecutive_offsets(at_ms: int, offset: int, count: int) -> None:
    found = consecutive_ids(at_ms, 3, 9, offset, count)
    assert len(found) == count
    for place in {0, count // 2, count - 1}:
        assert found[place] == prediction_id(at_ms, 3, 9, offset + place)


@given(st.integers(1, 70_000).flatmap(lambda rows: st.tuples(st.just(rows), st.sampled_from([1, 15, 16, 20]))))
@settings(max_examples=10, deadline=None)
def test_packed_numbers_of_many_shapes(shape: tuple[int, int]) -> None:
    rows, width = shape
    given = [tuple(float(row * width + place) / 7 for place in range(width)) for row in range(rows)]
    found = packed_numbers(given, width)
    assert found is not None
    assert found.tolist() == list(map(list, given))
    assert packed_numbers([*given, (*given[0][1:], None)], width) is None


def test_odd_numbers_are_packed_as_they_are() -> None:
    odd = [(-0.0, 5e-324), (math.inf, -1.7976931348623157e308)]
    found = packed_numbers(odd, 2)
    assert found is not None
    assert struct.pack("<4d", *found.ravel().tolist()) == struct.pack("<4d", *odd[0], *odd[1])


def typed(rows: Sequence[tuple[str, float | None]]) -> TypedRows:
    decode = typed_request(load("sent").request, "rows")
    assert decode is not None
    return decode(msgspec.json.encode({"rows": [{"row": key, "x": x} for key, x in rows]}))


def blocks_in(folder: Path) -> int:
    """How many frames of the log's segments are blocks."""
    count = 0
    for path in folder.glob("*.live"):
        data, offset = path.read_bytes(), 24 + len(SYSTEM) + 2
        while offset < len(data):
            length = int.from_bytes(data[offset : offset + 4], "little")
            count += is_block(data[offset + 8 :])
            offset += 8 + length
    return count


@pytest.mark.parametrize("releases", [("sent",), ("sent", "sent too")])
@pytest.mark.parametrize("size", [2, 70])
def test_rows_that_are_numbers_are_recorded_in_a_block_and_told_as_one_by_one(
    tmp_path: Path, releases: tuple[str, ...], size: int
) -> None:
    canary = Canary("sent too", 4_000, "salt") if len(releases) > 1 else None
    route = Serving(Route(SYSTEM, "sent", (), 1, canary), tuple(map(load, releases)))
    rows = [(f"k{number}", number / 4) for number in range(size)]
    together = answer_all(tmp_path / "a", [[Asked(typed(rows), route)]], mode="now")
    alone = answer_all(tmp_path / "b", [[Asked(typed([row]), route)] for row in rows], mode="now")
    assert (blocks_in(tmp_path / "a"), blocks_in(tmp_path / "b")) == (1, 0)

    def told(one: Prediction) -> tuple[Any, ...]:
        asked, answered = (one.key, one.request, one.features), (one.release, one.score)
        return *asked, *answered, one.ages_us, one.others, one.generation, one.fallback

    assert list(map(told, together)) == list(map(told, alone))
    assert {one.release for one in together} == (set(releases) if size > 2 else {one.release for one in together})
    assert all(one.score == one.features[0] + SUMMANDS[one.release] for one in together)  # type: ignore[operator]


def test_a_null_has_records_of_their_own_written(tmp_path: Path) -> None:
    route = Serving(Route(SYSTEM, "sent", (), 1), (load("sent"),))
    rows = typed([("a", 1.0), ("b", None)])
    first, second = answer_all(tmp_path, [[Asked(rows, route)]], mode="now")
    assert blocks_in(tmp_path) == 0
    assert (first.features, first.score, second.features) == ((1.0,), 11.0, (None,))
    assert math.isnan(second.score)


def test_behind_a_damaged_length_records_are_still_found_and_the_footer_is_none() -> None:
    lone = [encode_record(("s", "r", 1, f"k{n}", AT_US, {}, [1.5], [None], 0.5, [], 9)) for n in range(3)]
    data = bytearray(Header(1, 2, "s").encode())
    first, starts = len(data), []
    for one in lone:
        starts.append(len(data))
        data += frame(one)
    end = len(data)
    data += footer(3, bytes(32))
    whole = Frames(bytes(data), first, "here")
    assert [whole.record(start) for start in starts] == lone
    assert [whole.record(place) for place in range(len(data)) if place not in starts] == [None] * (len(data) - 3)
    assert end < len(data)
    data[starts[1]] ^= 4
    damaged = Frames(bytes(data), first, "here")
    assert (damaged.record(starts[0]), damaged.record(starts[2])) == (lone[0], lone[2])
    with pytest.raises(Corrupt):
        damaged.record(starts[1])


def test_a_model_that_writes_into_its_matrix_changes_no_record(tmp_path: Path) -> None:
    class Reader:
        names: tuple[str, ...] = ("row.x",)
        views: tuple[str, ...] = ()
        read = staticmethod(load("sent").look_up)

    class Writing:
        def predict(self, matrix: Any) -> Any:
            scores = matrix[:, 0].copy()
            matrix[:] = 0.0
            return scores

    about: Any = {"model": "m", "model_format": "f", "code": "c", "views": (), "key": "row", "label": {}}
    about |= {"training": {}, "verdicts": (), "environment": {}, "predictor": {}}
    declared = Release(SYSTEM, features=(Feature("row.x"),), request=load("sent").request, **about)
    release = LoadedRelease(declared, Reader(), Writing())
    route = Serving(Route(SYSTEM, release.digest, (), 1), (release,))
    records = answer_all(tmp_path, [[Asked(typed([("a", 1.0), ("b", 2.0)]), route)]], mode="now")
    assert blocks_in(tmp_path) == 1
    assert [(one.request["x"], one.features, one.score) for one in records] == [
        (1.0, (1.0,), 1.0),
        (2.0, (2.0,), 2.0),
    ]


def test_each_record_of_a_block_is_found_moved_and_proved(stores: Stores) -> None:
    """By its id, before it is compacted and after; ids that name no record find none."""
    sent = typed([(f"k{number}", float(number)) for number in range(40)])
    numbers = packed_numbers([(float(number),) for number in range(40)], 1)
    features = FeatureBlock([], [], numbers=numbers, sent=SentNumbers(sent.fields, slice(1, 2)))
    each: dict[str, Any] = {"releases": ["r"] * 40, "scores": [0.5] * 40, "latency_us": [3] * 40}
    block = Block(SYSTEM, 2, AT_US, sent=sent, keys=sent.column("row"), features=features, **each)
    lone: Record = (SYSTEM, "r", 2, "lone", AT_US, {}, [1.5], [None], 0.5, [], 9)

    async def write() -> list[str]:
        log = LogWriter(stores.segments, system=SYSTEM, worker=1, policy=LogPolicy(), report=lambda _: None)
        ids = []
        for some in ([lone], block, [lone], block):
            more, done = log.stage(some)
            ids += more
            await done
        await log.close()
        return ids

    ids = asyncio.run(write())
    keys = ["lone", *sent.column("row")] * 2
    assert len(set(ids)) == len(keys) == 82

    def check() -> None:
        log = LogReader(stores.segments, tables=stores.tables, journal=stores.history)
        assert [log.find(id).key for id in ids] == keys
        keys_of = RecordedKeys(stores.segments, tables=stores.tables, journal=stores.history)
        place = parse_prediction_id(ids[40])
        beyond = consecutive_ids(place.at_ms, place.worker, place.segment, place.offset, 30)[1:]
        assert keys_of([*ids, *beyond], SYSTEM) == dict(zip(ids, keys, strict=True))

    check()
    done = compactor(stores).compact(at=NOW, actor="test")
    assert (done.rows, done.kept) == (82, 82)
    check()
    found = proved(stores)
    assert (found.ok, found.proved, found.records) == (True, 82, 82), found.lines()
