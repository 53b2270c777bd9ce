"""The benchmark is void at one answer that is not good: wrk tells of failed ones, a look at others of the rest."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from benchmarks.serving.checking import check
from benchmarks.serving.run import load
from benchmarks.serving.servers import Server

ROWS = 40
SCORES = [row / 100 for row in range(ROWS)]
ASKED = Server((), "/", "rows.jsonl", "tests")

Reply = Callable[[int, list[int]], tuple[int, Any]]  # (requests before, rows asked for) → status and content


@contextmanager
def answering(reply: Reply) -> Iterator[str]:
    """A server's address; a status of 0 breaks the connection."""
    lock, counted = threading.Lock(), iter(range(10**9))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with lock:
                before = next(counted)
            status, content = reply(before, [one["row"] for one in body["instances"]])
            if status == 0:
                self.close_connection = True
                return
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is said."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two rows a request."""
    requests = [[{"row": row}, {"row": row + 1}] for row in range(0, ROWS, 2)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"instances": one}) + "\n" for one in requests))
    (tmp_path / "scores_tests.json").write_text(json.dumps(SCORES))
    return tmp_path


def good(_before: int, rows: list[int]) -> tuple[int, Any]:
    return 200, {"predictions": [SCORES[row] for row in rows]}


def canaried(_before: int, rows: list[int]) -> tuple[int, Any]:
    return 200, {"predictions": [{"score": SCORES[row], "release": "ab"[row % 3 == 0]} for row in rows]}


def once(status: int) -> Reply:
    """One answer of thousands is not good."""
    return lambda before, rows: (status, {}) if before == 100 else good(before, rows)


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
@pytest.mark.parametrize(("reply", "void"), [(good, False), (once(503), True), (once(400), True), (once(0), True)])
def test_one_failed_request_makes_a_measurement_void(reply: Reply, void: bool, folder: Path) -> None:
    with answering(reply) as url:
        if not void:
            assert load(url, folder / "rows.jsonl", 1)["per_s"] > 50
            return
        with pytest.raises(SystemExit, match="void"):
            load(url, folder / "rows.jsonl", 1)


@pytest.mark.parametrize(
    "reply", [good, canaried, lambda before, rows: (200, good(before, rows)[1]["predictions"])]
)
def test_right_answers_are_let_through(reply: Reply, folder: Path) -> None:
    with answering(reply) as url:
        check("one", ASKED, url, folder)


@pytest.mark.parametrize(
    "reply",
    [
        lambda _, rows: (200, {"predictions": [SCORES[row] + 1e-6 for row in rows]}),
        lambda _, rows: (200, {"predictions": [SCORES[row] for row in reversed(rows)]}),
        lambda _, rows: (200, {"predictions": [SCORES[row] for row in rows[:1]]}),
        lambda _, rows: (200, {"predictions": [{"score": SCORES[row], "release": "a"} for row in rows]}),
        lambda _, rows: (200, {"predictions": [float("nan") for row in rows]}),
        lambda before, rows: (429 if before == 7 else 200, good(before, rows)[1]),
    ],
    ids=["another score", "other rows", "a row less", "no canary", "no number", "refused"],
)
def test_wrong_answers_are_found(reply: Reply, folder: Path) -> None:
    with answering(reply) as url, pytest.raises(SystemExit, match="void"):
        check("one", ASKED, url, folder)
