import math
from hashlib import sha256
from typing import Any
from zlib import crc32

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trimtab.kernel.canonical import Json
from trimtab.kernel.errors import Corrupt
from trimtab.kernel.prediction import Prediction
from trimtab.kernel.prediction_id import parse_prediction_id
from trimtab.serving.frames import frame
from trimtab.serving.record import Record, encode_record
from trimtab.serving.segment import FORMAT, Header, footer, parse_segment
from trimtab.stats.merkle import merkle_root

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALAR: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | TEXT
)
RECORDS = st.tuples(
    TEXT,
    TEXT,
    st.integers(1, 2**40),
    TEXT,
    st.integers(0, 253402300799_000_000),
    st.dictionaries(TEXT, SCALAR | st.lists(SCALAR, max_size=3), max_size=4),
    st.lists(SCALAR, max_size=5),
    st.lists(st.none() | st.integers(0, 2**62), max_size=4),
    st.floats(allow_nan=False),
    st.lists(st.tuples(TEXT, st.floats(allow_nan=False)), max_size=2),
    st.integers(0, 2**40),
)
MARKED = st.tuples(RECORDS, st.sampled_from(["constant", "rule"]), TEXT).map(lambda one: (*one[0], *one[1:]))
HEADERS = st.builds(
    Header,
    worker=st.integers(0, 4095),
    number=st.integers(1, 2**36 - 1),
    system=TEXT,
    format=st.integers(1, FORMAT),
)


def written(header: Header, records: list[Record], *, sealed: bool) -> bytes:
    payloads = [encode_record(one) for one in records]
    data = header.encode() + b"".join(map(frame, payloads))
    return data + footer(len(payloads), digest_of(header, data, payloads)) if sealed else data


def digest_of(header: Header, data: bytes, payloads: list[bytes]) -> bytes:
    """What a footer of the header's format holds."""
    return merkle_root(payloads) if header.format < 3 else sha256(data).digest()


def fields(one: Prediction) -> tuple[Any, ...]:
    request: dict[str, Json] = dict(one.request)
    row = (one.system, one.release, one.generation, one.key, one.at_us, request)
    marks = (one.fallback, one.cause) if one.fallback else ()
    return (*row, list(one.features), list(one.ages_us), one.score, list(one.others), one.latency_us, *marks)


@given(HEADERS, st.lists(RECORDS | MARKED, max_size=6), st.booleans())
def test_what_was_written_is_read(header: Header, records: list[Record], sealed: bool) -> None:
    found = parse_segment(written(header, records, sealed=sealed), "here", sealed=sealed)
    assert found is not None
    assert (found.header, found.torn_bytes, found.sealed) == (header, 0, sealed)
    assert [fields(one) for one in found.predictions()] == records
    for (offset, _), one in zip(found.records, found.predictions(), strict=True):
        place = parse_prediction_id(one.id)
        assert (place.at_ms, place.segment_name, place.offset) == (one.at_us // 1000, header.name, offset)


@given(HEADERS, st.lists(RECORDS, max_size=4), st.data())
def test_cut_anywhere_a_live_segment_gives_a_prefix_and_reports_the_rest(
    header: Header, records: list[Record], data: st.DataObject
) -> None:
    whole = written(header, records, sealed=False)
    cut = data.draw(st.integers(0, len(whole)))
    found = parse_segment(whole[:cut], "here", sealed=False)
    if cut < len(header.encode()):
        assert found is None
    else:
        assert found is not None
        count = len(found.records)
        assert [fields(one) for one in found.predictions()] == records[:count]
        assert found.end + found.torn_bytes == cut
        assert found.end == len(written(header, records[:count], sealed=False))
        assert count == len(records) or cut < len(written(header, records[: count + 1], sealed=False))


@given(HEADERS, st.lists(RECORDS, min_size=1, max_size=4), st.data())
def test_any_byte_flipped_in_a_sealed_segment_is_found(
    header: Header, records: list[Record], data: st.DataObject
) -> None:
    whole = bytearray(written(header, records, sealed=True))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Corrupt, match="a prediction log segment is corrupt"):
        parse_segment(bytes(whole), "here", sealed=True)


@given(HEADERS, st.lists(RECORDS, min_size=1, max_size=4), st.data())
def test_any_byte_flipped_in_a_live_segment_is_found_or_reported_as_torn(
    header: Header, records: list[Record], data: st.DataObject
) -> None:
    whole = bytearray(written(header, records, sealed=False))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = parse_segment(bytes(whole), "here", sealed=False)
    except Corrupt:
        return
    # Only the length of the system's name can make a header look unfinished.
    if found is None:
        return
    assert found.torn_bytes > 0
    assert [fields(one) for one in found.predictions()] == records[: len(found.records)]


@given(HEADERS, st.lists(RECORDS, min_size=1, max_size=4), st.data())
def test_a_sealed_segment_that_was_cut_is_found(header: Header, records: list[Record], data: st.DataObject) -> None:
    whole = written(header, records, sealed=True)
    with pytest.raises(Corrupt):
        parse_segment(whole[: data.draw(st.integers(0, len(whole) - 1))], "here", sealed=True)


@given(HEADERS, st.lists(RECORDS, min_size=2, max_size=4), st.data())
def test_records_exchanged_or_left_out_break_the_footers_hash(
    header: Header, records: list[Record], data: st.DataObject
) -> None:
    payloads = [encode_record(one) for one in records]
    other = data.draw(st.permutations(payloads) | st.just(payloads[:-1]))
    assume(other != payloads)
    whole = header.encode() + b"".join(map(frame, payloads))
    digest = digest_of(header, whole, payloads)
    forged = header.encode() + b"".join(map(frame, other)) + footer(len(other), digest)
    with pytest.raises(Corrupt, match="corrupt"):
        parse_segment(forged, "here", sealed=True)


def test_zeros_behind_the_last_record_are_a_torn_tail() -> None:
    header = Header(1, 2, "s")
    data = header.encode() + frame(b"\x90")
    found = parse_segment(data + bytes(5000), "here", sealed=False)
    assert found is not None
    assert (len(found.records), found.torn_bytes) == (1, 5000)


def with_format(number: int) -> bytes:
    """An empty segment that says to be of this format."""
    head = bytearray(Header(1, 2, "s").encode()[:-4])
    head[8:10] = number.to_bytes(2, "little")
    return bytes(head) + crc32(head).to_bytes(4, "little")


def test_a_later_format_is_refused_in_words() -> None:
    with pytest.raises(Corrupt) as later:
        parse_segment(with_format(FORMAT + 1), "here", sealed=False)
    assert (later.value.got, later.value.allowed[:15]) == (f"format {FORMAT + 1}", f"formats up to {FORMAT}")
    data = bytearray(Header(1, 2, "s").encode())
    data[8] = FORMAT + 1
    with pytest.raises(Corrupt, match="checksum"):
        parse_segment(bytes(data), "here", sealed=False)


def test_the_format_without_fallbacks_is_still_read() -> None:
    record: Record = ("s", "r", 1, "k", 0, {"x": 1}, [1.5], [None], 0.5, [], 9)
    payload = encode_record(record)
    assert payload[0] == 0x9B  # eleven fields, as ever
    found = parse_segment(with_format(1) + frame(payload), "here", sealed=False)
    assert found is not None
    [one] = found.predictions()
    assert (fields(one), one.fallback, one.cause) == (
        ("s", "r", 1, "k", 0, {"x": 1}, [1.5], [None], 0.5, [], 9),
        "",
        "",
    )


def test_scores_that_are_no_numbers_survive() -> None:
    record: Record = ("s", "r", 1, "k", 0, {}, [], [], math.inf, [], 0)
    found = parse_segment(written(Header(0, 1, "s"), [record], sealed=True), "here", sealed=True)
    assert found is not None
    assert next(found.predictions()).score == math.inf
