"""What only Redis needs: a server that is away, full, forgetful or shared."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.redis_server import RedisServer, find_program

from trimtab.adapters.online_redis import RedisReader, RedisWriter, known_prefix, made_prefix
from trimtab.kernel.errors import InvalidValue, NotFound, OnlineStoreUnavailable


@pytest.fixture
def own_server(redis_server: RedisServer) -> Iterator[RedisServer]:
    """A server that the test may harm."""
    program = find_program()
    assert program is not None
    server = RedisServer(program)
    yield server
    server.stop()


def test_two_prefixes_do_not_meet(redis_server: RedisServer) -> None:
    one, other = (RedisWriter(redis_server.url, redis_server.new_prefix()) for _ in range(2))
    one.put({b"a": b"1", b"b": b"2"})
    other.put({b"a": b"3"})
    assert (one.get([b"a", b"b"]), other.get([b"a", b"b"])) == ([b"1", b"2"], [b"3", None])
    one.close()
    other.close()


def test_a_read_is_one_command(redis_server: RedisServer) -> None:
    writer = RedisWriter(redis_server.url, redis_server.new_prefix())
    writer.put({b"%d" % number: b"x" for number in range(300)})
    redis_server.command("CONFIG", "RESETSTAT")
    writer.get([b"%d" % number for number in range(300)])
    stats = redis_server.command("INFO", "commandstats")
    assert isinstance(stats, dict)
    assert {name: told["calls"] for name, told in stats.items() if "get" in name} == {"cmdstat_mget": 1}
    writer.close()


def test_a_server_that_is_away_is_an_error_and_no_missing_value(own_server: RedisServer) -> None:
    writer = RedisWriter(own_server.url, b"p:")
    writer.put({b"a": b"1"})
    own_server.kill()
    for act in (lambda: writer.get([b"a"]), lambda: writer.put({b"a": b"2"})):
        with pytest.raises(OnlineStoreUnavailable, match="the online store does not answer") as away:
            act()
        assert away.value.where == f"127.0.0.1:{own_server.port}/0"
        assert "trimtab tick" in away.value.do
    own_server.start()
    assert writer.get([b"a"]) == [None], "the connection is made anew; the server has lost its data"
    writer.put({b"a": b"3"})
    own_server.kill()
    own_server.start()
    writer.put({b"a": b"4"})
    assert writer.get([b"a"]) == [b"4"]
    writer.close()


def test_a_server_that_hangs_is_given_up(own_server: RedisServer) -> None:
    reader = RedisReader(own_server.url, b"p:")
    reader.timeout_s = 0.2
    assert reader.get([b"a"]) == [None]
    RedisWriter(own_server.url, b"p:").put({b"a": b"1", b"b": b"2"})
    own_server.signal(signal.SIGSTOP)
    with pytest.raises(OnlineStoreUnavailable, match="does not answer") as away:
        reader.get([b"a"])
    assert away.value.allowed == "an answer within 0.2 s"
    own_server.signal(signal.SIGCONT)
    assert reader.get([b"b"]) == [b"2"], "the answer to the former question is not taken for this one's"
    reader.close()


def test_a_server_that_is_full_takes_nothing_of_a_write(own_server: RedisServer) -> None:
    writer = RedisWriter(own_server.url, b"p:")
    writer.put({b"a": b"old"})
    own_server.command("CONFIG", "SET", "maxmemory", "24mb")
    with pytest.raises(OnlineStoreUnavailable, match="the online store refused a command") as full:
        writer.put({b"a": b"new"} | {b"%d" % number: os.urandom(1 << 20) for number in range(40)})
    assert "maxmemory" in full.value.got
    assert writer.get([b"a", b"0", b"39"]) == [b"old", None, None]
    own_server.command("CONFIG", "SET", "maxmemory", "0")
    writer.put({b"a": b"new"})
    assert writer.get([b"a"]) == [b"new"]
    writer.close()


def test_a_server_that_may_forget_keys_is_refused(own_server: RedisServer) -> None:
    own_server.command("CONFIG", "SET", "maxmemory", "100mb")
    own_server.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    with pytest.raises(OnlineStoreUnavailable, match="may forget single keys") as forgetful:
        RedisReader(own_server.url, b"p:").get([b"a"])
    assert forgetful.value.got == "maxmemory-policy allkeys-lru"
    own_server.command("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
    reader = RedisReader(own_server.url, b"p:")
    assert reader.get([b"a"]) == [None]
    reader.close()


def test_a_password_is_used_and_not_shown(own_server: RedisServer) -> None:
    own_server.command("ACL", "SETUSER", "ada", "on", ">s@cret", "~p:*", "+@all")
    address = own_server.url.partition("//")[2]
    writer = RedisWriter(f"redis://ada:s%40cret@{address}", b"p:")
    writer.put({b"a": b"1"})
    assert writer.get([b"a"]) == [b"1"]
    with pytest.raises(OnlineStoreUnavailable, match="does not let us in") as stranger:
        RedisReader(f"redis://ada:wr%40ng@{address}", b"p:").get([b"a"])
    assert "wr@ng" not in str(stranger.value) and "wr%40ng" not in str(stranger.value)
    with pytest.raises(OnlineStoreUnavailable, match="refused a command"):
        RedisWriter(f"redis://ada:s%40cret@{address}", b"q:").put({b"a": b"1"})
    writer.close()


@pytest.mark.parametrize(
    "url",
    ["localhost:6379", "http://host", "redis://", "redis://host/x", "redis://host/-1", "redis://host:p/0",
     "redis://ada:secret@host:70000/0", "redis://ada:secret@host/0?db=1", "unix:///tmp/redis.sock",
     "redis://h:1/0?password=secret", ":secret@host"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(InvalidValue, match="online URL has a value that is not allowed") as refused:
        RedisReader(url, b"")
    assert "secret" not in str(refused.value)


def test_a_project_keeps_its_prefix_and_its_successor_has_another(tmp_path: Path) -> None:
    homes = [tmp_path / name / ".trimtab" for name in ("flights", "other")]
    with pytest.raises(NotFound, match=r"online\.id"):
        known_prefix(homes[0])  # a reader does not invent one
    first = [made_prefix(home) for home in homes]
    assert first == [made_prefix(home) for home in homes] == [known_prefix(home) for home in homes]
    assert first[0].startswith(b"trimtab:flights:") and first[0].endswith(b":")
    assert len({prefix[-17:] for prefix in first}) == 2
    (homes[0] / "online.id").unlink()
    assert made_prefix(homes[0]) != first[0]
    assert [path.name for path in homes[0].iterdir()] == ["online.id"]
