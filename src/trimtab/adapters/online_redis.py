"""The online store on Redis or Valkey: one server for workers on several machines."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from redis import Connection, SSLConnection, exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from trimtab.kernel.errors import InvalidValue, NotFound, OnlineStoreUnavailable

_ALLOWED = "redis://[user:password@]host[:port][/db], or rediss://… over TLS"
_UNTOLD = "one of another form (not shown: it may hold a password)"
_PREFIX_FILE = "online.id"
_PORT = 6379
_CONNECT_S = 2.0
_CHUNK_BYTES = 4 << 20
_READ_BYTES = 1 << 20
_Answer = TypeVar("_Answer")


class RedisReader:
    """Implements OnlineReader. Safe to share among threads, not across a fork; connects when first used."""

    timeout_s = 2.0  # for each send and each receive: a worker answers nobody meanwhile

    def __init__(self, url: str, prefix: bytes) -> None:
        """Prepare.

        Args:
            url: of the server and the number of its database.
            prefix: of all keys, so that projects can share a server.

        Raises:
            InvalidValue: not such a URL.
        """
        self._kind, self._settings = _parsed(url)
        self._prefix = prefix
        self._idle: list[Any] = []
        self.name = f"{self._settings['host']}:{self._settings['port']}/{self._settings['db']}"

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """All keys by one command, and so of one snapshot.

        Raises:
            OnlineStoreUnavailable: the server is away, or does not do it.
        """
        if not keys:
            return []
        prefix = self._prefix
        names = [prefix + key for key in keys]

        def ask(connection: Any) -> list[bytes | None]:
            connection.send_packed_command(connection.pack_command("MGET", *names), check_health=False)
            found: list[bytes | None] = connection.read_response()
            return found

        return self._with_connection(ask)

    @contextmanager
    def held(self, keys: Sequence[bytes]) -> Iterator[list[bytes | None]]:
        """As `get`: what came over a connection is held anyway."""
        yield self.get(keys)

    def close(self) -> None:
        """Close all connections."""
        with suppress(IndexError):
            while True:  # other threads take connections, too
                self._idle.pop().disconnect()

    def _with_connection(self, work: Callable[[Any], _Answer]) -> _Answer:
        """What `work` says; a connection that broke while it was idle is replaced by a new one, once."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = None
        try:
            if connection is not None:
                try:
                    return self._done(connection, work)
                except exceptions.ConnectionError:
                    self.close()
                except exceptions.TimeoutError:
                    self.close()  # the others may be as dead, and would each cost a request its time
                    raise
            return self._done(self._connected(), work)
        except (exceptions.RedisError, OSError) as error:
            raise self._unavailable(error) from error

    def _done(self, connection: Any, work: Callable[[Any], _Answer]) -> _Answer:
        try:
            answer = work(connection)
        except BaseException:
            connection.disconnect()  # half an answer may be on its way
            raise
        self._idle.append(connection)
        return answer

    def _connected(self) -> Any:
        connection = self._kind(
            **self._settings,
            socket_timeout=self.timeout_s,
            socket_connect_timeout=_CONNECT_S,
            socket_read_size=_READ_BYTES,
            socket_keepalive=True,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            connection.connect()
            self._refuse_forgetful(connection)
        except BaseException:
            connection.disconnect()
            raise
        return connection

    def _refuse_forgetful(self, connection: Any) -> None:
        connection.send_command("INFO", "memory")
        told = dict(line.partition(":")[::2] for line in connection.read_response().decode().splitlines())
        policy = told.get("maxmemory_policy", "")
        if told.get("maxmemory") != "0" and policy.startswith("allkeys"):
            raise OnlineStoreUnavailable(
                "the online store may forget single keys, which would be answered as missing facts",
                where=self.name,
                allowed="maxmemory-policy noeviction or volatile-…, or no maxmemory",
                got=f"maxmemory-policy {policy}",
                do="give the projection a server of its own: redis-cli config set maxmemory-policy noeviction",
            )

    def _unavailable(self, error: Exception) -> OnlineStoreUnavailable:
        got = f"{type(error).__name__}: {error}"
        if isinstance(error, exceptions.AuthenticationError):
            return OnlineStoreUnavailable(
                "the online store does not let us in",
                where=self.name,
                got=got,
                do="mend the user and password of online_url",
            )
        if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError | OSError):
            return OnlineStoreUnavailable(
                "the online store does not answer",
                where=self.name,
                allowed=f"an answer within {self.timeout_s:g} s",
                got=got,
                do="start the server, or mend online_url; if it has lost its data: trimtab tick projects them anew",
            )
        return OnlineStoreUnavailable(
            "the online store refused a command", where=self.name, got=got, do="mend the server as it says"
        )


class RedisWriter(RedisReader):
    """Implements OnlineWriter, and reads what it has written."""

    timeout_s = 60.0  # the server answers when the whole transaction is done

    def put(self, items: Mapping[bytes, bytes | None]) -> None:
        """One transaction: a connection that breaks before its last command leaves nothing.

        The server holds all of it until then: `client-query-buffer-limit` bounds it (1 GiB, unless it is raised).

        Raises:
            OnlineStoreUnavailable: the server is away, or does not take the items.
        """

        def tell(connection: Any) -> None:
            connection.send_command("MULTI")
            connection.read_response()  # refused, its commands would be carried out one by one
            commands = 0
            for command in _commands(items, self._prefix):
                connection.send_packed_command(connection.pack_command(*command), check_health=False)
                commands += 1
            connection.send_packed_command(connection.pack_command("EXEC"), check_health=False)
            failed: exceptions.RedisError | None = None
            for _ in range(commands + 1):
                try:
                    connection.read_response()
                except (exceptions.ConnectionError, exceptions.TimeoutError):
                    raise
                except exceptions.RedisError as error:
                    # What was wrong with a command is said before EXEC's general refusal.
                    failed = failed or error
            if failed is not None:
                raise failed

        if items:
            self._with_connection(tell)


def made_prefix(home: Path) -> bytes:
    """The prefix of a project's keys, which is made once, for its writer, and kept in `home`.

    A project whose folder was deleted and made anew does not find what the former one has projected: its dataset
    versions are numbered from 1 again.
    """
    home.mkdir(parents=True, exist_ok=True)
    path = home / _PREFIX_FILE
    if not path.exists():
        own = home / f"{_PREFIX_FILE}.{secrets.token_hex(8)}"
        name = home.absolute().parent.name[:32].encode(errors="replace").decode(errors="replace")
        with own.open("x", encoding="utf-8") as file:
            file.write(f"trimtab:{name}:{secrets.token_hex(8)}:")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(own, path)  # of two processes, the first one decides
        own.unlink()
    return known_prefix(home)


def known_prefix(home: Path) -> bytes:
    """The prefix of a project's keys, for its readers.

    Raises:
        NotFound: no writer has made it, or this machine lacks the file that holds it.
    """
    path = home / _PREFIX_FILE
    prefix = path.read_bytes() if path.exists() else b""
    if not prefix:
        raise NotFound(
            "the name of this project's keys in the online store",
            str(path),
            allowed="the file that the project's writer has made",
            do="project the features first (trimtab tick); on another machine: copy the file there",
        )
    return prefix


def _commands(items: Mapping[bytes, bytes | None], prefix: bytes) -> Iterator[list[bytes | str]]:
    """Keys and values in commands of some megabytes, then what is removed."""
    told: list[bytes | str] = ["MSET"]
    size = 0
    for key, value in items.items():
        if value is None:
            continue
        told += (prefix + key, value)
        size += len(key) + len(value)
        if size >= _CHUNK_BYTES:
            yield told
            told, size = ["MSET"], 0
    if len(told) > 1:
        yield told
    if removed := [prefix + key for key, value in items.items() if value is None]:
        yield ["DEL", *removed]


def _parsed(url: str) -> tuple[type[Any], dict[str, Any]]:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORT
        db = int(parts.path.removeprefix("/") or "0")
    except ValueError:
        raise InvalidValue("online URL", _UNTOLD, allowed=_ALLOWED) from None
    if parts.scheme not in {"redis", "rediss"} or not parts.hostname or parts.query or parts.fragment or db < 0:
        raise InvalidValue("online URL", _UNTOLD, allowed=_ALLOWED)
    settings: dict[str, Any] = {"host": parts.hostname, "port": port, "db": db}
    if parts.username:
        settings["username"] = unquote(parts.username)
    if parts.password:
        settings["password"] = unquote(parts.password)
    return (SSLConnection if parts.scheme == "rediss" else Connection), settings
