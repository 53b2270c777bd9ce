"""Files and Delta tables on an object store: a real server that speaks S3's protocol, on this machine."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.data.readers.kinds import SCHEMA, some_rows

from trimtab.data.feed import BEGINNING_US, Feed
from trimtab.kernel.errors import SourceUnreadable
from trimtab.kernel.moment import to_us
from trimtab.kernel.source import Source

START = datetime(2013, 4, 1, tzinfo=UTC)
ROWS = some_rows(60, START)
_START_S = 30.0


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of an empty server."""
    if importlib.util.find_spec("moto") is None or importlib.util.find_spec("flask_cors") is None:
        reason = "NO S3 SERVER HERE (pip install 'moto[s3]' flask flask-cors): nothing was tested against S3"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline_s = time.monotonic() + _START_S
        while True:
            try:
                urllib.request.urlopen(urllib.request.Request(f"{address}/lake", method="PUT")).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline_s:
                    raise
                time.sleep(0.1)
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=_START_S)


@pytest.fixture
def lake(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder on it, with the environment that finds it."""
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    return f"s3://lake/{time.monotonic_ns()}"


def source_of(read: str) -> Source:
    return Source("rows", read, event_time="happened_at", known_time="known_at", key="id")


def put(lake: str, kind: str) -> str:
    halves = (ROWS.head(30), ROWS.tail(-30))
    if kind == "parquet":
        for number, half in enumerate(halves):
            half.write_parquet(f"{lake}/{number}.parquet")
        return f"{lake}/*.parquet"
    if kind == "csv":
        ROWS.write_csv(f"{lake}/rows.csv", datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")
        return f"{lake}/*.csv"
    name = {"delta": "table", "delta, with a dot": "table.v2"}[kind]
    for half in halves:
        half.write_delta(f"{lake}/{name}", mode="append")
    return f"{lake}/{name}"


@pytest.mark.parametrize("kind", ["parquet", "csv", "delta", "delta, with a dot"])
def test_rows_come_out_as_they_were_put_in(lake: str, tmp_path: Path, kind: str) -> None:
    source = source_of(put(lake, kind))
    cut = START + timedelta(hours=4)
    everything = Feed(source, tmp_path).look(BEGINNING_US, to_us(START + timedelta(days=9)))
    assert everything.rows.schema == SCHEMA
    assert_frame_equal(everything.rows.sort("id"), ROWS)
    found = Feed(source, tmp_path).look(to_us(cut), to_us(START + timedelta(days=9)))
    assert_frame_equal(
        found.rows.sort("id"), ROWS.filter((pl.col("known_at") > cut) | pl.col("known_at").is_null())
    )
    assert found.earlier == (ROWS["known_at"].drop_nulls() <= cut).sum()


@pytest.mark.parametrize("what", ["none/*.parquet", "none.csv", "none"])
def test_what_is_not_there_is_said(lake: str, tmp_path: Path, what: str) -> None:
    source = source_of(f"{lake}/{what}")
    with pytest.raises(SourceUnreadable, match="source 'rows' cannot be read") as unreadable:
        Feed(source, tmp_path).look(BEGINNING_US, to_us(START))
    assert unreadable.value.where == source.place
    assert unreadable.value.got
    assert unreadable.value.do
