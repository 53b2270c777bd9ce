"""Passwords and signatures stay where they are: nothing that is said of a source shows them."""

from __future__ import annotations

import http.server
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import polars as pl
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.readers.kinds import plain
from tests.postgres import PostgresServer

import trimtab as tt
from trimtab.data.check import check_source
from trimtab.data.feed import BEGINNING_US, Feed
from trimtab.data.readers.shown import shown, shown_address
from trimtab.data.readers.sql_declared import shown_url
from trimtab.data.readers.sql_url import filled, secrets
from trimtab.data.reading import open_source
from trimtab.kernel.errors import SourceUnreadable
from trimtab.kernel.source import Source

PASSWORDS = ["s3cret@/x:y", "s3cret/%40", "s3cret?a=b&c#d", "s3cret ' \\ \"", "s3cret:5432/other", "s3crét"]
PARTS = ["s3cret", "x:y", "%2Fx", "c#d", "5432/other"]


def source_of(read: object) -> Source:
    return Source("orders", read, event_time="at", key="id")


def said(read: object, project: Path) -> str:
    """All that a step's log would keep of its failure, and what a check of the project says."""
    source = source_of(read)
    with pytest.raises(SourceUnreadable, match="source 'orders' cannot be read") as caught:
        Feed(source, project).look(BEGINNING_US, BEGINNING_US)
    checked = "\n".join(map(str, check_source(source, project, {})))
    assert checked
    # The frames show this file's lines; the errors are what counts.
    log = traceback.TracebackException.from_exception(caught.value)
    errors, one = [], log
    while one is not None:
        errors.append("".join(one.format_exception_only()))
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)  # type: ignore[assignment]
    return "\n".join([*errors, repr(caught.value), checked, "" if isinstance(read, str) else repr(read)])


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("where", ["user:${PW}@", "?password", "encoded", "?password, encoded", "${URL}"])
def test_a_password_is_never_shown(
    postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str, where: str
) -> None:
    url = postgres_server.new_database()
    inside = url.replace("postgres@/", f"nobody:{quote(password, safe='')}@/")
    text = {
        "user:${PW}@": url.replace("postgres@/", "nobody:${PW}@/"),
        "?password": url.replace("postgres@/", "nobody@/") + "&password=${PW}",
        "encoded": inside,
        "?password, encoded": url.replace("postgres@/", "nobody@/") + f"&password={quote(password, safe='')}",
        "${URL}": "${URL}",
    }[where]
    monkeypatch.setenv("PW", password)
    monkeypatch.setenv("URL", inside)
    told = said(tt.sql(text, table="orders"), tmp_path)
    assert 'role "nobody" does not exist' in told, "it must reach the server that is named"
    assert "postgresql+psycopg://nobody" in told
    for part in (password, quote(password, safe=""), *PARTS):
        assert part not in told


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_a_variable_stays_in_its_part(value: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("V", value)
        url = filled(source_of(None), "postgresql://u-${V}:p-${V}@h-${V}:5/d-${V}?password=q-${V}&sslmode=require")
    assert (url.username, str(url.password), url.host, url.port, url.database) == (
        f"u-{value}",
        f"p-{value}",
        f"h-{value}",
        5,
        f"d-{value}",
    )
    assert dict(url.query) == {"password": f"q-{value}", "sslmode": "require"}
    assert secrets(url) == (f"p-{value}", f"q-{value}")


def test_a_port_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "6543")
    assert filled(source_of(None), "postgresql://u@h:${PORT}/d").port == 6543
    monkeypatch.setenv("PORT", "6543/other?password=s3cret")
    with pytest.raises(SourceUnreadable) as refused:
        filled(source_of(None), "postgresql://u@h:${PORT}/d")
    assert "s3cret" not in str(refused.value)


def test_what_the_driver_says_is_cleaned(postgres_server: PostgresServer, tmp_path: Path) -> None:
    """A server may repeat the password: here it is a value of the query, too."""
    url = postgres_server.new_database()
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id text, at timestamptz)")
        connection.execute("INSERT INTO orders VALUES ('hunter2', now())")
    query = "SELECT CAST(id AS integer) AS id, at FROM orders"
    for named in (url.replace("postgres@/", "postgres:hunter2@/"), url + "&password=hunter2"):
        told = said_by_look(tt.sql(named, query=query), tmp_path)
        assert 'invalid input syntax for type integer: "***"' in told
        assert "hunter2" not in told


def said_by_look(read: object, project: Path) -> str:
    feed = Feed(source_of(read), project)
    with pytest.raises(SourceUnreadable) as caught:
        feed.look(BEGINNING_US, 2**55)
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://h/db?user=u&password=hunter2", "postgresql://h/db"),
        ("postgresql://u:hunter2@h:5/db?sslpassword=hunter2", "postgresql://u:***@h:5/db"),
        ("postgresql://u:${PW}@${HOST}/${DB}", "postgresql://u:***@${HOST}/${DB}"),
        ("postgresql://u:a@hunter2@h/db", "postgresql://***"),
        ("postgresql://u:a/hunter2@h:x/db", "postgresql://***"),
        ("host=h password=hunter2", "***"),
        ("hunter2@h/db", "***"),
        ("${DATABASE_URL}", "${DATABASE_URL}"),
        ("sqlite:///a/shop 1.db", "sqlite:///a/shop 1.db"),
    ],
)
def test_a_url_is_shown_without_what_lets_in(tmp_path: Path, url: str, expected: str) -> None:
    assert shown_url(url) == expected
    assert repr(tt.sql(url, table="t")) == f"sql({expected!r}, table='t')"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://h/db?password=hunter2",
        "postgresql://u:a@hunter2@h/db",
        "host=h password=hunter2",
        "postgres://hunter2@h",
    ],
)
def test_a_url_that_is_refused_is_shown_so_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("U", url)
    for text in (url, "${U}"):
        with pytest.raises(SourceUnreadable) as refused:
            open_source(source_of(tt.sql(text, table="orders")), tmp_path)
        assert "hunter2" not in str(refused.value).replace("postgres://hunter2@h", "")


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    """A server on this machine that has nothing: host:port."""

    class Nothing(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_args: object) -> None: ...

        def answer(self) -> None:
            self.send_error(404)

        do_GET = do_HEAD = answer  # noqa: N815 - as the library calls them

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Nothing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("name", ["x.parquet", "x.csv", "x.json", "table"])
@pytest.mark.parametrize(
    "address",
    ["http://{}?X-Amz-Expires=9&X-Amz-Signature=SECRET", "http://{}?SECRET", "http://user:SECRET@{}"],
)
def test_an_address_is_shown_without_what_lets_in(web: str, tmp_path: Path, name: str, address: str) -> None:
    read = address.format(f"{web}/{name}")
    told = said(read, tmp_path)
    assert f"{web}/{name}" in told
    assert "SECRET" not in told
    assert "user" not in told


def test_the_address_of_a_delta_table_is_shown_so_too(tmp_path: Path) -> None:
    told = said("nowhere://user:SECRET@host/table?key=SECRET", tmp_path)
    assert "nowhere://***@host/table?***: " in told
    assert "SECRET" not in told


def test_a_function_may_fail_with_an_address(tmp_path: Path) -> None:
    def read() -> pl.DataFrame:
        raise ConnectionError("no route to https://user:SECRET@host/x?sig=SECRET")

    with pytest.raises(SourceUnreadable) as caught:
        open_source(source_of(read), tmp_path)
    assert caught.value.got == "its function raised ConnectionError: no route to https://***@host/x?***"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("s3://bucket/a@b.parquet", "s3://bucket/a@b.parquet"),
        ("s3://bucket/2013-0?.parquet", "s3://bucket/2013-0?***"),
        ("https://h/a.csv#part", "https://h/a.csv"),
        ("https://u:SEC/RET@h/a", "https://***"),
        ("https://u:SEC?RET@h/a", "https://***"),
        ("https://u:SEC@RET@h/a", "https://***@h/a"),
        ("https://u:SEC@R/ET@h/a", "https://***"),
        ("https://u:S'E C@h/a?b='c d", "https://***@h/a?***"),
    ],
)
def test_addresses_are_shown(address: str, expected: str) -> None:
    assert shown_address(address) == expected
    assert shown(f"at {address}: gone, see '{address}'", of=address) == f"at {expected}: gone, see '{expected}'"


@given(
    st.text("Q@/?#:%& ='"),
    st.sampled_from(["https://user:{}@host/x", "https://host/x?sig={}", "https://u:{}@h:1/x?a=b@c"]),
)
def test_no_letter_of_a_password_is_shown(secret: str, form: str) -> None:
    assert "Q" not in shown_address(form.format(secret))
