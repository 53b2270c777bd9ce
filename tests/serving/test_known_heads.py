"""A request whose head is known is answered as if it had been parsed, whatever else came on the connection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.serving.client import PREDICT
from tests.serving.connections import BODY, Connection, Served, asking, drive, request, score
from tests.serving.test_access import key

from trimtab.adapters.key_board_file import FileKeyBoard
from trimtab.serving.known_heads import HEAD_BYTES, KnownHeads
from trimtab.serving.limits import Limits

ADDRESS = PREDICT.encode()


def test_a_known_head_is_parsed_once_by_all_connections(tmp_path: Path) -> None:
    async def ask(server: Served) -> None:
        first, other = server.connect(), server.connect()
        parsed = await first.read(request())
        known = [await first.read(request()), await other.read(request()), await other.read(request())]
        assert score(parsed) == [2.0] and known == [parsed] * 3
        assert (first.parsed, other.parsed, len(server.heads)) == (1, 0, 1)
        # Each body is the request's own, and another length is another head.
        assert score(await other.read(request(asking(5)))) == [6.0]
        assert score(await other.read(request(asking(50)))) == [51.0]
        assert score(await first.read(request(asking(70)))) == [71.0]
        assert (first.parsed, other.parsed, len(server.heads)) == (1, 1, 2)
        # What the worker refuses is refused as ever.
        assert [status for status, *_ in await first.read(request(b"x" * len(BODY)))] == [400]
        assert first.parsed == 1 and not first.line.closing

    drive(tmp_path, ask)


def test_no_byte_less_and_no_byte_more(tmp_path: Path) -> None:
    async def ask(server: Served) -> None:
        client, whole = server.connect(), request()
        body_at = len(whole) - len(BODY)
        assert score(await client.read(whole)) == [2.0]
        for cut in range(1, len(whole)):
            assert await client.read(whole[:cut]) == []
            assert score(await client.read(whole[cut:])) == [2.0]
            assert client.parsed == min(1 + cut, body_at)  # what lacks some of its body is held (test_held_back.py)
        assert score(await client.read(whole)) == [2.0]
        assert client.parsed == body_at  # between messages again, it need not be parsed
        assert score(await client.read(whole + whole[:30])) == [2.0]
        assert score(await client.read(whole[30:])) == [2.0]
        assert score(await client.read(whole + b"\r\n")) == [2.0]
        assert score(await client.read(whole + whole, whole, whole[:-1], whole[-1:])) == [2.0] * 4
        assert score(await client.read(whole)) == [2.0]

    drive(tmp_path, ask)


def test_answers_keep_their_order_behind_a_known_head(tmp_path: Path) -> None:
    health = b"GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n"

    async def ask(server: Served) -> None:
        client = server.connect()
        await client.read(request())
        # The first is known, and has no answer yet when the others come.
        found = await client.read(request(asking(1)), request(asking(2)), health + request(asking(3)), health)
        assert [body.get("status", "") for *_, body in found] == ["", "", "alive", "", "alive"]
        assert score([one for one in found if "status" not in one[2]]) == [2.0, 3.0, 4.0]
        assert not client.line.paused
        assert score(await client.read(request(asking(4)))) == [5.0]

    drive(tmp_path, ask)


OTHERS = {
    "two lengths": request(lines=f"content-length: {len(BODY)}\r\n"),
    "chunked": request(lines="transfer-encoding: chunked\r\n"),
    "chunked only": request(b"0\r\n\r\n", "transfer-encoding: chunked\r\n").replace(b"Content-Length", b"x"),
    "folded": request(lines="x: a\r\n b\r\n"),
    "bare LF": request(lines="x: a\n"),
    "bare CR": request(lines="x: a\ry: b\r\n"),
    "LF at its end": request().replace(b"\r\n\r\n", b"\n\r\n", 1),
    "LFs at its end": request().replace(b"\r\n\r\n", b"\n\n", 1),
    "space before colon": request(lines="x : a\r\n"),
    "close": request(lines="connection: close\r\n"),
    "close and more": request(lines="connection: keep-alive, close\r\n"),
    "expect": request(lines="expect: 100-continue\r\n"),
    "expects more": request(lines="expect: cheese\r\n"),
    "upgrade": request(lines="connection: upgrade\r\nupgrade: websocket\r\n"),
    "upgrade alone": request(lines="upgrade: h2c\r\n"),
    "version 1.0": request(start=f"POST {PREDICT} HTTP/1.0"),
    "kept by 1.0": request(start=f"POST {PREDICT} HTTP/1.0", lines="connection: keep-alive\r\n"),
    "version 1.2": request(start=f"POST {PREDICT} HTTP/1.2"),
    "method": request(start=f"PUT {PREDICT} HTTP/1.1"),
    "query": request(start=f"POST {PREDICT}?a=1 HTTP/1.1"),
    "absolute": request(start=f"POST http://t{PREDICT} HTTP/1.1"),
    "another address": request(start="POST /invocations HTTP/1.1"),
    "empty line before": b"\r\n" + request(),
    "zeros": request().replace(b"Length: ", b"Length: 000"),
    "plus": request().replace(b"Length: ", b"Length: +"),
    "no length": request().replace(b"Content-Length", b"x"),
    "two spaces": request(start=f"POST  {PREDICT} HTTP/1.1"),
    "long": request(lines=f"x: {'a' * HEAD_BYTES}\r\n"),
    "many": request(lines="".join(f"x{n}: a\r\n" for n in range(40))),
}


@pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS.keys())
def test_what_is_out_of_the_ordinary_is_parsed_each_time(tmp_path: Path, data: bytes) -> None:
    async def ask(server: Served) -> None:
        found = []

        async def read(client: Connection) -> None:
            found.append((await client.read(data), client.line.closing))

        for _ in range(2):
            await read(server.connect())
        assert len(server.heads) == 0
        await server.connect().read(request())
        for _ in range(2):
            client = server.connect()
            await client.read(request())
            assert client.parsed == 0
            await read(client)
            await read(server.connect())
        assert all(one == found[0] for one in found)
        assert len(server.heads) == 1

    drive(tmp_path, ask)


def test_what_two_readers_could_read_differently_is_not_kept() -> None:
    plain = [(b"host", b"t"), (b"content-length", b"5")]
    head = b"POST %b HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\n" % ADDRESS
    for data, headers, body_bytes, kept in (
        (head, plain, 5, True),
        (head, plain, 4, False),
        (head, plain[1:], 5, False),
        (head, [*plain, (b"x", b"a")], 5, False),
        (head.replace(b"Host: t", b"Host: t\r\nHost: t"), plain, 5, False),
        (head.replace(b"t\r\nC", b"t\nC"), plain, 5, False),
        (head[:-4] + b"\n\r\n\r\n", plain, 5, False),
        (head[:-2], plain, 5, False),
        (head[:-4] + b"\r\nx\n", plain, 5, False),
        (b"POS", plain, 5, False),
        (head[:-2] + b"Connection: close\r\n\r\n", [*plain, (b"connection", b"close")], 5, False),
        (b"\r\n" + head, plain, 5, False),
        (head.replace(b"POST", b"PUT"), plain, 5, False),
        (head.replace(b"1.1", b"1.0"), plain, 5, False),
    ):
        heads = KnownHeads(ADDRESS)
        heads.learn(data, headers, body_bytes)
        assert len(heads) == kept, data
        assert (heads.find(data) is not None) == kept


def test_a_known_head_passes_no_key_that_is_revoked(tmp_path: Path) -> None:
    board = FileKeyBoard(tmp_path / "keys.json")
    board.publish([key("a", "predict"), key("b", "feedback")])

    async def ask(server: Served) -> None:
        client, checks = server.connect(), server.worker._access
        sent = {name: request(lines=f"authorization: Bearer tt_{name}\r\n") for name in ("a", "b", "nobody")}
        expected = {"a": 200, "b": 403, "nobody": 401}
        for keys in (None, [key("b", "predict")], []):
            if keys is not None:
                board.publish(keys)
                checks._look_s = 0.0  # else it looks within half a second
                checks.turn()
                expected = {**dict.fromkeys(sent, 401), **{one.name: 200 for one in keys}}
            for name, data in [*sent.items()] * 3:
                assert [status for status, *_ in await client.read(data)] == [expected[name]]
        assert client.parsed == len(server.heads) == 3  # how they were parsed was known all the time

    drive(tmp_path, ask, keys=tmp_path / "keys.json")


def test_heads_that_differ_each_time_take_bounded_memory() -> None:
    now_s = 100.0
    heads = KnownHeads(ADDRESS, lambda: now_s)

    def head(number: int) -> bytes:
        found = request(lines=f"traceparent: {number}\r\n")[: -len(BODY)]
        told = [(b"host", b"t"), (b"traceparent", b"%d" % number), (b"content-length", b"%d" % len(BODY))]
        heads.learn(found, told, len(BODY))
        return found

    first = [head(number) for number in range(256)]
    assert len(heads) == 256 and all(heads.find(one) for one in first)
    others = [head(1000 + number) for number in range(300)]
    assert len(heads) == 256  # emptied once, and then not again within a second
    assert not any(heads.find(one) for one in first)
    assert [heads.find(one) is not None for one in others] == [True] * 256 + [False] * 44
    now_s += 1.0
    again = head(2000)
    assert len(heads) == 1 and heads.find(again) is not None


def test_a_head_that_cannot_be_kept_drives_out_no_other() -> None:
    heads = KnownHeads(ADDRESS, lambda: 100.0)
    for number in range(300):
        length = b"%d" % number
        head = b"POST %b HTTP/1.1\r\nContent-Length: %b\r\n\r\n" % (ADDRESS, length)
        if number < 256:
            heads.learn(head, [(b"content-length", length)], number)
        else:
            heads.learn(head, [(b"content-length", length)], number + 1)
    assert len(heads) == 256


def test_a_connection_that_is_refused_or_closing_answers_no_known_head(tmp_path: Path) -> None:
    async def ask(server: Served) -> None:
        known, wide, empty = [server.connect() for _ in range(3)]
        for client, data in (known, b"x"), (wide, b"POST / HTTP/1.1\r\nx: " + b"a" * 9000), (empty, b"\r\n" * 4500):
            await client.read(request())
            [(status, headers, _)] = await client.read(data)
            assert (status, headers["connection"]) == (400 if client is known else 431, "close")
            parsed = client.parsed
            assert await client.read(request()) == []
            assert client.parsed == parsed
        beyond = [server.connect() for _ in range(2)]
        assert [[one[0] for one in await client.read(request())] for client in beyond] == [[503], [503]]
        assert [client.parsed for client in beyond] == [0, 0]

    drive(tmp_path, ask, limits=Limits(header_bytes=2000, connections=3))


def test_empty_lines_between_known_heads_are_counted_anew(tmp_path: Path) -> None:
    async def ask(server: Served) -> None:
        client = server.connect()
        for _ in range(4):
            assert score(await client.read(request())) == [2.0]
            assert await client.read(b"\r\n" * 750) == []
        assert client.parsed == 1

    drive(tmp_path, ask, limits=Limits(header_bytes=2000))


def test_a_worker_that_stops_says_so_to_whom_it_answers(tmp_path: Path) -> None:
    async def ask(server: Served) -> None:
        client = server.connect()
        await client.read(request())
        client.data_received(request())
        client.shutdown()
        [(status, headers, _)] = await client.read()
        assert (status, headers["connection"], client.line.closing) == (200, "close", True)
        idle = server.connect()
        idle.shutdown()
        assert idle.line.closing

    drive(tmp_path, ask)


def test_a_client_that_does_not_read_is_not_answered_on_the_short_way(tmp_path: Path) -> None:
    async def ask(server: Served) -> None:
        client = server.connect()
        await client.read(request())
        client.pause_writing()
        assert await client.read(request()) == [] and client.parsed == 2
        client.resume_writing()
        assert score(await client.read()) == [2.0]
        assert score(await client.read(request())) == [2.0] and client.parsed == 2

    drive(tmp_path, ask)


def test_an_error_of_our_own_is_one_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def ask(server: Served) -> None:
        client = server.connect()
        await client.read(request())
        entered = server.worker._predicting.predict

        def failing(*asked: Any) -> None:
            entered(*asked)  # it is answered twice, and told once
            raise RuntimeError("a secret of ours")

        server.worker._predicting.predict = failing  # type: ignore[method-assign, assignment]
        for data in (request(), request(lines="x: y\r\n")):  # known, and parsed
            [(status, _, body)] = await client.read(data)
            assert (status, set(body["error"])) == (500, {"what", "where", "allowed", "got", "do"})
            assert "secret" not in str(body)
        server.worker._predicting.predict = entered  # type: ignore[method-assign]
        assert score(await client.read(request())) == [2.0]
        assert server.worker._metrics.counts()["trimtab_request_errors_total"] == {(): [2]}

    drive(tmp_path, ask)
    assert "a secret of ours" in capsys.readouterr().err  # in the server's log, with its stack
