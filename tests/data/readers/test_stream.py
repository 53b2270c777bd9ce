"""Streams: what they refuse, what they store, and what a look at them costs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from tests.data.room import Room
from tests.data.streams import CLICKS, INSTANT, START, TurnedClock, click, open_streams

import trimtab as tt
from trimtab.data.feed import BEGINNING_US, Feed
from trimtab.data.readers import stream_inbox
from trimtab.data.readers.stream_batches import FAN_OUT, packed, unpacked
from trimtab.data.readers.stream_inbox import Inbox
from trimtab.data.reading import open_source
from trimtab.data.stream_file import Declarations, declarations, read_streams, write_streams
from trimtab.data.streams import MOST_ROWS, InboxStreams
from trimtab.kernel.errors import (
    Conflict,
    InvalidValue,
    NaiveTime,
    NotAStream,
    RequestInvalid,
    RowsRefused,
    SourceUnreadable,
    TrimtabError,
    UnknownName,
)
from trimtab.kernel.moment import from_us, to_us
from trimtab.ports.streams import Accepted, Append

ORDERS = tt.Source("orders", "orders.parquet", event_time="at", key="id")


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def streams(tmp_path: Path, clock: TurnedClock) -> Iterator[InboxStreams]:
    made = open_streams(tmp_path, clock, CLICKS, ORDERS)
    yield made
    made.close()


def sent(*rows: Any, key: str = "", source: str = "clicks") -> Append:
    return Append(source, json.dumps({"rows": rows}).encode(), key)


def one(streams: InboxStreams, request: Append) -> Accepted | TrimtabError:
    [found] = streams.append([request])
    return found


def stored(project: Path) -> list[str]:
    """Ids of all rows, in the order in which they were accepted."""
    return open_source(CLICKS, project).collect()["click_id"].to_list()


def test_rows_bring_their_values_and_get_their_known_time(streams: InboxStreams, tmp_path: Path) -> None:
    full = click(
        1,
        clicked_at="2013-04-01T01:59:59.000001+02:00",
        received_at="2013-03-31T23:59:59.5Z",
        seconds=2,
        position=-128,
        device="desk",
        tags=["a", None],
    )
    assert one(streams, sent(full, click(2))) == Accepted(2, to_us(START))
    at = datetime(2013, 3, 31, 23, 59, 59, tzinfo=UTC)
    known = at + timedelta(milliseconds=500)
    assert open_source(CLICKS, tmp_path).collect().rows() == [
        ("c1", at + timedelta(microseconds=1), known, 2.0, -128, "desk", ["a", None]),
        ("c2", at, START, None, None, None, None),
    ]


@pytest.mark.parametrize(
    ("row", "where", "allowed", "got"),
    [
        (click(secnds=1.0), "rows[1].secnds", "seconds", "secnds"),
        (click(seconds="1.0"), "rows[1].seconds", "Float64, or null", "'1.0'"),
        (click(seconds=True), "rows[1].seconds", "Float64", "True"),
        (click(position=128), "rows[1].position", "Int8", "128"),
        (click(position=1.5), "rows[1].position", "Int8", "1.5"),
        (click(device="watch"), "rows[1].device", "one of desk, phone", "'watch'"),
        (click(tags=["a", 1]), "rows[1].tags[1]", "List(String)", "['a', 1]"),
        (click(clicked_at="2013-03-31T23:59:59"), "rows[1].clicked_at", "with a zone", "'2013-03-31T23:59:59'"),
        (click(clicked_at="yesterday"), "rows[1].clicked_at", "an instant", "'yesterday'"),
        (click(clicked_at=1364774399), "rows[1].clicked_at", "an instant", "1364774399"),
        (click(clicked_at=None), "rows[1].clicked_at", "an instant", "null"),
        (click(clicked_at="0001-01-01T00:00:00Z"), "rows[1].clicked_at", "0001-01-03", "0001-01-01"),
        ({"click_id": "c"}, "rows[1].clicked_at", "an instant", "nothing"),
        ({"clicked_at": "2013-03-31T23:59:59Z"}, "rows[1].click_id", "String", "nothing"),
        (click(click_id=None), "rows[1].click_id", "String", "null"),
        (click(received_at="2013-04-01T00:00:00.000001Z"), "rows[1].received_at", "2013-04-01", "00:00:00.000001"),
        (7, "rows[1]", "{column: value", "7"),
    ],
)
def test_a_row_that_does_not_fit_is_named_and_none_is_accepted(
    streams: InboxStreams, tmp_path: Path, row: Any, where: str, allowed: str, got: str
) -> None:
    refused = one(streams, sent(click(), row))
    assert isinstance(refused, RowsRefused), refused
    assert refused.where == where
    assert allowed in refused.allowed
    assert got in refused.got
    assert refused.do
    assert stored(tmp_path) == []


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"{}", b'{"rows": 3}', b'{"rows": []}', b'{"rows": [], "more": 1}', b'{"rows": ["\xff"]}'],
)
def test_a_body_of_another_shape_is_refused(streams: InboxStreams, body: bytes) -> None:
    assert isinstance(one(streams, Append("clicks", body)), RequestInvalid)


def test_a_request_has_a_largest_number_of_rows(streams: InboxStreams, tmp_path: Path) -> None:
    refused = one(streams, sent(*[click()] * (MOST_ROWS + 1)))
    assert isinstance(refused, RequestInvalid)
    assert one(streams, sent(*[click()] * MOST_ROWS)) == Accepted(MOST_ROWS, to_us(START))
    assert len(stored(tmp_path)) == MOST_ROWS


def test_what_is_no_stream_is_said(streams: InboxStreams) -> None:
    unknown, read_elsewhere = streams.append([sent(click(), source="clikcs"), sent(click(), source="orders")])
    assert isinstance(unknown, UnknownName)
    assert unknown.allowed == "clicks"
    assert isinstance(read_elsewhere, NotAStream)
    assert read_elsewhere.allowed == "streams: clicks"


def test_one_bad_request_of_a_group_costs_the_others_nothing(streams: InboxStreams, tmp_path: Path) -> None:
    late = sent(click(4), click(5, received_at="2014-01-01T00:00:00Z"))
    found = streams.append([sent(click(1)), sent(click(2, x=1)), sent(click(3)), late, Append("clicks", b"?")])
    assert [type(one) for one in found] == [Accepted, RowsRefused, Accepted, RowsRefused, RequestInvalid]
    assert stored(tmp_path) == ["c1", "c3"]
    assert isinstance(found[3], RowsRefused)
    assert found[3].where == "rows[1].received_at"


def test_a_key_is_accepted_once(streams: InboxStreams, tmp_path: Path, clock: TurnedClock) -> None:
    first = one(streams, sent(click(1), key="k"))
    clock.at += timedelta(hours=1)
    again = [sent(click(1), key="k"), sent(click(2), key="k"), sent(click(2), key="n"), sent(click(2), key="n")]
    same, other, fresh, twice = streams.append(again)
    assert same == first == Accepted(1, to_us(START))
    assert isinstance(other, Conflict)
    assert "'k'" in other.what
    assert fresh == twice == Accepted(1, to_us(clock.at))
    assert stored(tmp_path) == ["c1", "c2"]
    with_spaces = b'{ "rows": [ {"clicked_at": "2013-04-01T01:59:59+02:00", "click_id": "c1", "device": null} ] }'
    assert one(streams, Append("clicks", with_spaces, "k")) == first
    assert isinstance(one(streams, sent(click(1), key="k" * 256)), RequestInvalid)
    streams.close()
    reopened = open_streams(tmp_path, clock)
    assert one(reopened, sent(click(1), key="k")) == first
    reopened.close()


def frame(**columns: Any) -> pl.DataFrame:
    at = [START - timedelta(seconds=1)] * 2
    return pl.DataFrame({"click_id": ["a", "b"], "clicked_at": at, "seconds": [1.0, None]} | columns)


@pytest.mark.parametrize("kind", ["polars", "lazy", "arrow", "pandas", "dictionaries"])
def test_python_rows_are_what_http_rows_are(streams: InboxStreams, tmp_path: Path, kind: str) -> None:
    rows = frame(clicked_at=pl.Series([START - timedelta(seconds=1)] * 2).dt.convert_time_zone("Europe/Berlin"))
    made = {
        "polars": rows,
        "lazy": rows.lazy(),
        "arrow": rows.to_arrow(),
        "pandas": rows.to_pandas(),
        "dictionaries": rows.to_dicts(),
    }
    assert streams.append_rows(CLICKS, made[kind]).rows == 2
    found = open_source(CLICKS, tmp_path).collect()
    assert found.schema == open_source(CLICKS, tmp_path).collect_schema()
    assert found.select("click_id", "clicked_at", "received_at", "position").rows() == [
        ("a", START - timedelta(seconds=1), START, None),
        ("b", START - timedelta(seconds=1), START, None),
    ]


@pytest.mark.parametrize(
    ("columns", "where", "got"),
    [
        ({"x": [1, 2]}, "column x", "x"),
        ({"seconds": ["1", "2"]}, "column seconds", "String"),
        ({"position": [1, 128]}, "column position", "Int64"),
        ({"device": ["phone", "watch"]}, "column device", "String"),
        ({"clicked_at": [datetime(2013, 4, 1)] * 2}, "column clicked_at", "Datetime"),  # noqa: DTZ001 - the mistake
        ({"clicked_at": [START, None]}, "rows[1].clicked_at", "null"),
        ({"click_id": [None, "b"]}, "rows[0].click_id", "null"),
        ({"received_at": [None, START + timedelta(days=1)]}, "rows[1].received_at", "2013-04-02"),
    ],
)
def test_a_frame_that_does_not_fit_is_refused(
    streams: InboxStreams, tmp_path: Path, columns: dict[str, Any], where: str, got: str
) -> None:
    with pytest.raises(RowsRefused) as refused:
        streams.append_rows(CLICKS, frame(**columns))
    assert refused.value.where == where
    assert got in refused.value.got
    assert stored(tmp_path) == []


@pytest.mark.parametrize("rows", [[], "rows", None, 3, frame().clear()])
def test_what_are_no_rows_is_refused(streams: InboxStreams, rows: object) -> None:
    with pytest.raises(RequestInvalid):
        streams.append_rows(CLICKS, rows)
    with pytest.raises(RowsRefused):
        streams.append_rows(CLICKS, frame().drop("click_id"))


@pytest.mark.parametrize(
    ("schema", "error"),
    [
        ({}, InvalidValue),
        ({"at": pl.Datetime("us")}, NaiveTime),
        ({"at": pl.Datetime("ns", "UTC")}, InvalidValue),
        ({"at": pl.Datetime("us", "Europe/Berlin")}, InvalidValue),
        ({"x": pl.Object}, InvalidValue),
        ({"x": pl.UInt64}, InvalidValue),
        ({"x": pl.Enum([])}, InvalidValue),
        ({"x": pl.List(pl.Time)}, InvalidValue),
    ],
)
def test_what_rows_cannot_bring_is_not_declared(schema: dict[str, Any], error: type[TrimtabError]) -> None:
    with pytest.raises(error) as raised:
        tt.stream(schema)
    assert raised.value.where.startswith("test_stream.py:")


@pytest.mark.parametrize("times", [{"known_time": ""}, {"known_time": "clicked_at"}, {"known_time": "seconds"}])
def test_a_stream_without_a_known_time_of_its_own_is_refused(times: dict[str, str], tmp_path: Path) -> None:
    source = tt.Source("clicks", CLICKS.read, event_time="clicked_at", key="click_id", **times)
    with pytest.raises(SourceUnreadable, match="'clicks' cannot be read"):
        open_source(source, tmp_path)


def test_workers_read_what_was_declared(tmp_path: Path) -> None:
    assert read_streams(tmp_path) == Declarations()
    for sources in ([CLICKS, ORDERS], [ORDERS], []):
        write_streams(tmp_path, declarations(sources))
        assert read_streams(tmp_path) == declarations(sources)
    assert [one.name for one in (tmp_path / ".trimtab" / "inbox").iterdir()] == ["streams.json"]


def test_a_look_at_nothing_makes_nothing(tmp_path: Path) -> None:
    assert Feed(CLICKS, tmp_path).look(BEGINNING_US, to_us(START)).rows.is_empty()
    assert Inbox(tmp_path, "clicks").appended() == 0
    Inbox(tmp_path, "clicks").tidy()
    assert list(tmp_path.iterdir()) == []


def batches(project: Path) -> list[tuple[int, int]]:
    """(level, rows) of each batch that is stored."""
    connection = sqlite3.connect(project / ".trimtab" / "inbox" / "clicks.db")
    found = connection.execute("SELECT level, count FROM batches ORDER BY id").fetchall()
    connection.close()
    return found


def test_many_small_requests_become_few_batches_with_the_same_rows_in_the_same_order(
    streams: InboxStreams, tmp_path: Path, clock: TurnedClock
) -> None:
    inbox, count = Inbox(tmp_path, "clicks"), FAN_OUT * 2 + 10
    past = (START - timedelta(days=3)).isoformat()
    appended = []
    for number in range(count):
        clock.at = START + timedelta(seconds=number)
        streams.append([sent(click(number, **({"received_at": past} if number == 300 else {})))])
        appended.append(inbox.appended())
    before = open_source(CLICKS, tmp_path).collect()
    cuts = [START - timedelta(days=4), *(START + timedelta(seconds=one) for one in (0, 1, 255, 256, 400, 600))]
    looks = [Feed(CLICKS, tmp_path).look(to_us(cut), to_us(START) + 500_000_000) for cut in cuts]
    streams.tidy()
    assert batches(tmp_path) == [(1, FAN_OUT), (1, FAN_OUT), *[(0, 1)] * 10]
    assert_frame_equal(open_source(CLICKS, tmp_path).collect(), before)
    assert before["click_id"].to_list() == [f"c{number}" for number in range(count)]
    for cut, look in zip(cuts, looks, strict=True):
        again = Feed(CLICKS, tmp_path).look(to_us(cut), to_us(START) + 500_000_000)
        assert_frame_equal(again.rows, look.rows)
        assert again.earlier == look.earlier
    assert appended == sorted(set(appended)) and inbox.appended() == appended[-1]
    streams.append([sent(click("last"))])
    assert inbox.appended() > appended[-1]
    inbox.close()


def test_batches_that_are_large_or_of_another_schema_are_not_merged(
    streams: InboxStreams, tmp_path: Path, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(FAN_OUT - 1):
        streams.append([sent(click(number))])
    streams.close()
    assert isinstance(CLICKS.read, type(tt.stream({"x": pl.String})))
    wider = tt.Source(
        "clicks",
        tt.stream({**CLICKS.read.schema, "page": pl.String}),
        event_time="clicked_at",
        known_time="received_at",
        key="click_id",
    )
    changed = open_streams(tmp_path, clock, wider)
    changed.append([sent(click("new", page="home"))])
    changed.tidy()
    assert {level for level, _ in batches(tmp_path)} == {-1}
    found = open_source(wider, tmp_path).collect()
    assert found["page"].to_list() == [None] * (FAN_OUT - 1) + ["home"]
    assert stored(tmp_path)[-1] == "cnew"  # the older declaration reads the newer rows too
    changed.close()


def test_a_column_whose_type_was_changed_is_said(streams: InboxStreams, tmp_path: Path) -> None:
    streams.append([sent(click(1, device="phone"))])
    assert isinstance(CLICKS.read, type(tt.stream({"x": pl.String})))
    other = tt.Source(
        "clicks",
        tt.stream({**CLICKS.read.schema, "device": pl.Int64}),
        event_time="clicked_at",
        known_time="received_at",
        key="click_id",
    )
    with pytest.raises(SourceUnreadable, match="another type needs a new name"):
        Feed(other, tmp_path).look(BEGINNING_US, to_us(START))


def test_a_look_opens_what_is_new_and_counts_the_rest(
    streams: InboxStreams, tmp_path: Path, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hour in range(50):
        clock.at = START + timedelta(hours=hour)
        streams.append([sent(*(click(f"{hour}-{number}") for number in range(20)))])
    opened: list[int] = []

    def counted(found: Any) -> list[pl.DataFrame]:
        every = list(found)
        opened.append(len(every))
        return unpacked(every)

    monkeypatch.setattr(stream_inbox, "unpacked", counted)
    look = Feed(CLICKS, tmp_path).look(to_us(START + timedelta(hours=47)), to_us(START + timedelta(hours=48)))
    assert (look.rows.height, look.earlier, opened) == (20, 48 * 20, [1])


def test_a_look_waits_for_what_was_stamped_before_it(tmp_path: Path, clock: TurnedClock) -> None:
    stamped, go_on = Event(), Event()

    class SlowClock(TurnedClock):
        """Within the transaction the time is told, and the writer is held up."""

        looks = 0

        def now(self) -> datetime:
            self.looks += 1
            if self.looks == 2:
                stamped.set()
                assert go_on.wait(10)
            return START

    streams = open_streams(tmp_path, SlowClock())
    writer = Thread(target=streams.append, args=([sent(click(1))],))
    Inbox(tmp_path, "clicks").append([], "received_at", clock)  # the file is there
    writer.start()
    assert stamped.wait(10)
    looked: list[pl.DataFrame] = []
    reader = Thread(target=lambda: looked.append(Feed(CLICKS, tmp_path).look(BEGINNING_US, to_us(START)).rows))
    reader.start()
    reader.join(0.3)
    assert reader.is_alive(), "it did not wait"
    go_on.set()
    writer.join()
    reader.join()
    assert looked[0]["click_id"].to_list() == ["c1"]
    streams.close()


def test_history_is_taken_at_its_word_before_the_first_look(room: Room) -> None:
    streams = open_streams(room.project, TurnedClock())
    past = START - timedelta(days=400)
    streams.append([sent(click(1, received_at=past.isoformat()), click(2))])
    made = room.look(CLICKS, START)
    assert made is not None
    assert (made.rows, made.backfilled) == (2, 0)
    assert sorted(room.rows(CLICKS)["received_at"]) == [past, START]
    streams.close()


def test_a_file_that_is_no_inbox_is_said(tmp_path: Path) -> None:
    path = Inbox(tmp_path, "clicks").path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database" * 100)
    with pytest.raises(SourceUnreadable, match="not a database"):
        Feed(CLICKS, tmp_path).look(BEGINNING_US, to_us(START))
    with pytest.raises(SourceUnreadable, match="not a database"):
        open_source(CLICKS, tmp_path).collect()
    assert Inbox(tmp_path, "clicks").appended() == 0


def test_an_empty_stream_is_a_version_and_its_rows_are_the_next_ones(room: Room) -> None:
    clock = TurnedClock()
    streams = open_streams(room.project, clock)
    begun = room.look(CLICKS, START)
    assert begun is not None
    assert (begun.number, begun.rows) == (1, 0)
    assert room.look(CLICKS, START + timedelta(seconds=1)) is None
    clock.at = START + timedelta(seconds=2)
    streams.append([sent(click(1), click(2))])
    made = room.look(CLICKS, START + timedelta(seconds=3))
    assert made is not None
    assert (made.number, made.rows, made.backfilled) == (2, 2, 0)
    assert room.rows(CLICKS)["received_at"].to_list() == [clock.at] * 2
    # A known time that has been looked past: nobody knew the row then. One that has not is kept.
    clock.at = START + timedelta(seconds=5)
    kept = START + timedelta(seconds=4)
    rows = [click(3, received_at=START.isoformat()), click(4, received_at=kept.isoformat()), click(5)]
    found = one(streams, sent(*rows, key="late"))
    assert found == Accepted(3, to_us(clock.at), late=1) == one(streams, sent(*rows, key="late"))
    late = room.look(CLICKS, START + timedelta(seconds=6))
    assert late is not None
    assert (late.rows, late.backfilled) == (3, 0)
    times = dict(zip(room.rows(CLICKS)["click_id"], room.rows(CLICKS)["received_at"], strict=True))
    assert (times["c3"], times["c4"], times["c5"]) == (clock.at, kept, clock.at)
    assert room.look(CLICKS, START + timedelta(seconds=7)) is None
    streams.close()


@settings(max_examples=60, deadline=None)
@given(
    groups=st.lists(
        st.lists(st.tuples(st.sampled_from(["", "a", "b"]), st.integers(0, 2), st.integers(1, 3)), max_size=4),
        max_size=6,
    ),
    look_after=st.sets(st.integers(0, 5)),
)
def test_versions_hold_exactly_what_was_accepted_once(
    groups: list[list[tuple[str, int, int]]], look_after: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    project = tmp_path_factory.mktemp("stream")
    clock = TurnedClock(step=timedelta(milliseconds=1))
    streams = open_streams(project, clock)
    expected: list[str] = []
    keys: dict[str, tuple[int, int]] = {}
    seen: list[str] = []
    after_us = BEGINNING_US
    for number, group in enumerate(groups):
        requests = [sent(*(click(f"{seed}-{n}") for n in range(rows)), key=key) for key, seed, rows in group]
        for found, (key, seed, rows) in zip(streams.append(requests), group, strict=True):
            fresh = not key or key not in keys
            same = fresh or keys[key] == (seed, rows)
            assert isinstance(found, Accepted if same else Conflict)
            if fresh:
                keys[key] = (seed, rows)
                expected += [f"c{seed}-{n}" for n in range(rows)]
        if number in look_after:
            until_us = to_us(clock.now())
            look = Feed(CLICKS, project).look(after_us, until_us)
            assert look.earlier == len(seen)
            seen += look.rows["click_id"].to_list()
            after_us = until_us
    assert stored(project) == expected
    seen += Feed(CLICKS, project).look(after_us, to_us(clock.now())).rows["click_id"].to_list()
    assert sorted(seen) == sorted(expected)
    streams.close()


def test_a_batch_keeps_its_values() -> None:
    rows = pl.DataFrame(
        {"at": [from_us(1)] * 300, "x": [None, 0.5, float("nan")] * 100}, schema_overrides={"at": INSTANT}
    )
    for part in (rows, rows.head(2), rows.clear()):
        assert_frame_equal(pl.read_ipc_stream(packed(part)), part)
