import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serving.client import PREDICT, Client, ServerProcess

from trimtab.kernel.prediction_id import parse_prediction_id
from trimtab.serving.segment import LIVE, read_segment
from trimtab.serving.segment_folder import SegmentFolder

PARTS = {"what", "where", "allowed", "got", "do"}
ADDRESSES = (
    "/healthz, /invocations, /metrics, /openapi.json, /readyz, /v1/feedback, /v1/sources/{name}/rows, "
    "/v1/systems/adder/predict, /v2/models/adder/infer"
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
ROWS = st.lists(
    st.dictionaries(st.sampled_from(["row", "x", "as_of", "y"]), JSON, max_size=4)
    | st.fixed_dictionaries({"row": JSON, "x": JSON})
    | JSON,
    max_size=3,
)


def drive(server: ServerProcess, with_client: Callable[[Client], Awaitable[None]]) -> None:
    async def run() -> None:
        client = Client(server.port)
        try:
            await with_client(client)
        finally:
            client.close()

    asyncio.run(run())


def check_problem(status: int, body: Any, *, expected: int | None = None) -> None:
    assert 400 <= status < 500, body
    assert expected is None or status == expected, body
    assert set(body) == {"error"}
    assert set(body["error"]) == PARTS
    assert all(isinstance(text, str) and text for text in body["error"].values()), body


def test_an_answer_and_its_record(one_worker: ServerProcess) -> None:
    async def ask(client: Client) -> None:
        status, answer = await client.post({"instances": [{"row": "a", "x": 1}, {"row": 7, "x": 2.5, "y": [None]}]})
        assert status == 200
        first, second = answer.pop("predictions")
        assert answer == {"system": "adder", "generation": 1}
        told = {"key": "a", "release": "fragile", "score": 5.0, "missing": ["never_seen"]}
        assert {name: first[name] for name in first if name != "id"} == told
        assert (second["key"], second["release"], second["score"]) == ("7", "fragile", 6.5)
        (path,) = SegmentFolder(one_worker.wal).files(LIVE)
        segment = read_segment(path)
        assert segment is not None
        records = {one.id: one for one in segment.predictions()}
        record = records[second["id"]]
        assert (record.key, record.score, record.release, record.generation) == ("7", 6.5, "fragile", 1)
        assert record.request == {"row": 7, "x": 2.5, "y": [None]}
        assert (record.features, record.ages_us, record.others) == ((2.5, 4.0), (5, None), ())
        assert record.latency_us < 1_000_000

    drive(one_worker, ask)


@settings(max_examples=300, deadline=None)
@given(content=st.builds(lambda rows: {"instances": rows}, ROWS) | JSON | st.binary(max_size=60))
def test_whatever_is_sent_gets_an_answer_or_a_problem_in_five_parts(
    one_worker: ServerProcess, content: Any
) -> None:
    async def ask(client: Client) -> None:
        try:
            body = content if isinstance(content, bytes) else msgspec.json.encode(content)
        except OverflowError:  # msgspec writes no integer beyond 64 bits
            body = str(content).replace("'", '"').encode()
        status, answer = await client.post(body)
        if status != 200:
            check_problem(status, answer, expected=400)
        assert len(one_worker.board.workers()) == 1

    before = one_worker.board.workers()
    drive(one_worker, ask)
    assert one_worker.board.workers() == before


@pytest.mark.parametrize(
    ("body", "where", "got"),
    [
        (b"", "body", "truncated"),
        (b"{}", "body", "instances"),
        (b'{"instances": 3}', "body", "Expected `array`"),
        (b'{"instances": [], "verbose": true}', "body", "unknown field `verbose`"),
        (b'{"instances": []}', "instances", "0 rows"),
        (b'{"instances": [{"row": "a", "x": 1}, 5]}', "body", r"$.instances[1]"),
        (b'{"instances": [{"x": 1}]}', "instances[0].row", "nothing"),
        (b'{"instances": [{"row": "", "x": 1}]}', "instances[0].row", "''"),
        (b'{"instances": [{"row": true, "x": 1}]}', "instances[0].row", "True"),
        (b'{"instances": [{"row": "a", "x": "1"}]}', "x", "'1'"),
        (b'{"instances": [{"row": "a", "x": 1, "as_of": 5}]}', "instances[0].as_of", "5"),
        (b'{"instances": [{"row": "a", "x": 1, "y": 123456789012345678901234567890}]}', "instances", "2**63"),
        (b'{"instances": [{"row": "a\xff", "x": 1}]}', "body", "utf-8"),
        (b'{"instances": [{"row": ' + b"[" * 50_000, "body", "recursion"),
        (b'{"instances": [' + b'{"row":1,"x":1},' * 100 + b'{"row":1,"x":1}]}', "instances", "101 rows"),
    ],
)
def test_a_wrong_body_is_named(one_worker: ServerProcess, body: bytes, where: str, got: str) -> None:
    async def ask(client: Client) -> None:
        status, answer = await client.post(body)
        check_problem(status, answer, expected=400)
        assert answer["error"]["where"] == where
        assert got in answer["error"]["got"]

    drive(one_worker, ask)


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("GET", PREDICT, 405, "POST"),
        ("PUT", PREDICT, 405, "POST"),
        ("POST", "/healthz", 405, "GET"),
        ("GET", "/", 404, ADDRESSES),
        ("GET", "/%ff/%00", 404, ADDRESSES),
        ("POST", "/v1/systems/subtractor/predict", 404, "adder"),
        (
            "POST",
            PREDICT + "/",
            404,
            ADDRESSES,
        ),
    ],
)
def test_a_wrong_address_or_method_is_named(
    one_worker: ServerProcess, method: str, path: str, status: int, allowed: str
) -> None:
    async def ask(client: Client) -> None:
        got, headers, body = await client.get(path, method)
        check_problem(got, msgspec.json.decode(body), expected=status)
        assert msgspec.json.decode(body)["error"]["allowed"] == allowed
        assert headers.get("allow") == (allowed if status == 405 else None)

    drive(one_worker, ask)


def test_a_huge_body_is_refused_with_and_without_its_length(one_worker: ServerProcess) -> None:
    async def ask(client: Client) -> None:
        status, answer = await client.post(b'{"instances": [' + b" " * 3_000_000)
        check_problem(status, answer, expected=413)
        assert answer["error"]["allowed"] == "at most 100000 bytes"
        head = f"POST {PREDICT} HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n".encode()
        status, _, body = await client.send(head + b"ffff\r\n" + b" " * 0xFFFF + b"\r\nffff\r\n" + b" " * 0xFFFF)
        check_problem(status, msgspec.json.decode(body), expected=413)
        client.close()
        assert (await client.post({"instances": [{"row": "a", "x": 1}]}))[0] == 200

    drive(one_worker, ask)


def test_a_slow_body_is_given_up(one_worker: ServerProcess) -> None:
    async def ask(client: Client) -> None:
        head = f"POST {PREDICT} HTTP/1.1\r\nhost: t\r\ncontent-length: 100\r\n\r\n".encode()
        status, headers, body = await client.send(head + b"{")
        check_problem(status, msgspec.json.decode(body), expected=408)
        assert headers["connection"] == "close"

    drive(one_worker, ask)


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01 hello\r\n\r\n", b"POST\r\n\r\n", b"GET /\xff HTTP/1.1\r\nhost: t\r\n\r\n"]
)
def test_what_is_no_http_gets_json_too(one_worker: ServerProcess, data: bytes) -> None:
    async def ask(client: Client) -> None:
        status, _, body = await client.send(data)
        check_problem(status, msgspec.json.decode(body), expected=400)

    drive(one_worker, ask)


def test_pipelined_requests_are_answered_in_order(one_worker: ServerProcess) -> None:
    async def ask(client: Client) -> None:
        bodies = [f'{{"instances":[{{"row":"{name}","x":1}}]}}'.encode() for name in "abc"]
        head = "POST {} HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n"
        await client.get("/healthz")
        first = await client.send(b"".join(head.format(PREDICT, len(one)).encode() + one for one in bodies))
        answers = [first, await client.send(b""), await client.send(b"")]
        assert [msgspec.json.decode(one[2])["predictions"][0]["key"] for one in answers] == ["a", "b", "c"]

    drive(one_worker, ask)


def test_a_release_that_breaks_is_one_answer_without_its_words(one_worker: ServerProcess) -> None:
    async def ask(client: Client) -> None:
        status, answer = await client.post({"instances": [{"row": "a", "x": 13}]})
        assert status == 500
        assert set(answer["error"]) == PARTS
        assert "secret" not in str(answer)
        assert (await client.post({"instances": [{"row": "a", "x": 14}]}))[0] == 200

    drive(one_worker, ask)
    assert "a secret of the model's code" in one_worker.said()


def test_metrics_count_what_happened(one_worker: ServerProcess) -> None:
    async def counts(client: Client) -> dict[str, float]:
        _, headers, body = await client.get("/metrics")
        assert headers["content-type"].startswith("text/plain; version=0.0.4")
        lines = [line for line in body.decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    async def ask(client: Client) -> None:
        await client.post({"instances": [{"row": "a", "x": 1}]})
        await client.post({"instances": []})
        before = await counts(client)
        await client.post({"instances": [{"row": "a", "x": 1}, {"row": "b", "x": 1}]})
        await client.post({"instances": []})
        after = await counts(client)
        grown = {name: after[name] - before[name] for name in after if after[name] != before[name]}
        assert grown.pop("trimtab_latency_seconds_sum") == grown.pop(
            'trimtab_release_latency_seconds_sum{release="fragile"}'
        )
        buckets = {name: grown.pop(name) for name in list(grown) if "_bucket" in name}
        assert buckets['trimtab_latency_seconds_bucket{le="+Inf"}'] == 1
        assert buckets['trimtab_request_rows_bucket{le="2"}'] == 1
        assert 'trimtab_request_rows_bucket{le="1"}' not in buckets
        told = {name: grown[name] for name in grown if not name.startswith(("trimtab_log_", "trimtab_feature_age"))}
        assert told == {
            'trimtab_requests_total{status="200"}': 1,
            'trimtab_requests_total{status="400"}': 1,
            "trimtab_request_errors_total": 1,
            'trimtab_rows_total{release="fragile"}': 2,
            "trimtab_latency_seconds_count": 1,
            'trimtab_release_requests_total{release="fragile",status="200"}': 1,
            'trimtab_release_requests_total{release="fragile",status="400"}': 1,
            'trimtab_release_latency_seconds_count{release="fragile"}': 1,
            "trimtab_request_rows_count": 1,
            "trimtab_request_rows_sum": 2,
            "trimtab_batch_rows_count": 1,
            "trimtab_batch_rows_sum": 2,
            'trimtab_feature_missing_total{view="never_seen"}': 2,
        }

    drive(one_worker, ask)


@pytest.mark.parametrize(
    ("as_of", "at_ms"),
    [
        ("2013-04-01T00:00:00+00:00", 1_364_774_400_000),
        ("2013-04-01T02:00:00+02:00", 1_364_774_400_000),
        (1_364_774_400_000_999, 1_364_774_400_000),
        (0, 0),
    ],
)
def test_a_replay_carries_its_own_instants(replayer: ServerProcess, as_of: str | int, at_ms: int) -> None:
    async def ask(client: Client) -> None:
        status, answer = await client.post({"instances": [{"row": "a", "x": 1, "as_of": as_of}]})
        assert status == 200
        assert parse_prediction_id(answer["predictions"][0]["id"]).at_ms == at_ms

    drive(replayer, ask)


@pytest.mark.parametrize(
    "as_of", ["2013-04-01", "2013-04-01T00:00:00", "now", -1, 1.5, True, [], 2**62, "0001-01-01T00:00:00+14:00"]
)
def test_a_replay_refuses_what_is_no_instant(replayer: ServerProcess, as_of: Any) -> None:
    async def ask(client: Client) -> None:
        status, answer = await client.post({"instances": [{"row": "a", "x": 1, "as_of": as_of}]})
        check_problem(status, answer, expected=400)
        assert answer["error"]["where"] == "instances[0].as_of"

    drive(replayer, ask)


def test_before_the_first_route_the_server_says_so(server: ServerProcess) -> None:
    async def ask() -> None:
        client = Client(server.port)
        assert (await client.get("/healthz"))[0] == 200
        for status, headers, _ in [await client.get("/readyz")]:
            assert (status, headers["retry-after"]) == (503, "1")
        status, answer = await client.post({"instances": [{"row": "a", "x": 1}]})
        assert status == 503
        assert set(answer["error"]) == PARTS
        server.ready("one")
        assert (await client.get("/readyz"))[0] == 200
        assert (await client.post({"instances": [{"row": "a", "x": 1}]}))[0] == 200
        client.close()

    asyncio.run(ask())
