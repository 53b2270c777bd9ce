"""Reports as JSON lines: of the supervisor, the loop and the workers, their faults and their last words."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.cli.calls import call, parts

from trimtab.serving.reporting import last_message

FIELDS = {"time", "level", "system", "worker", "event", "message"}


def objects(text: str) -> list[dict[str, Any]]:
    """Every line must be one."""
    found = [json.loads(line) for line in text.splitlines()]
    for one in found:
        assert set(one) - {"stack"} == FIELDS
        at = datetime.fromisoformat(one["time"])
        assert at.utcoffset() == timedelta() and abs(datetime.now(UTC) - at) < timedelta(minutes=5)
        assert one["level"] in ("info", "warning", "error")
    return found


def test_a_server_that_speaks_json_says_nothing_else(tmp_path: Path) -> None:
    assert call(tmp_path, "init", "shop")[0] == 0
    folder = tmp_path / "shop"
    said = tmp_path / "said.log"
    code = "from trimtab.cli.main import main; main()"
    with said.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-c", code, "up", "--port", "0", "--workers", "1", "--every", "1h"],
            cwd=folder,
            env={**os.environ, "TRIMTAB_LOG": "json"},
            stdout=output,
            stderr=output,
        )
    until_s = time.monotonic() + 60
    try:
        while not (found := re.search(r"GET +(http\S+)/readyz", said.read_text())):
            assert time.monotonic() < until_s and server.poll() is None, said.read_text()
            time.sleep(0.05)
        assert b"alive" in urllib.request.urlopen(f"{found[1]}/healthz", timeout=60).read()
        [pid] = subprocess.run(
            ["pgrep", "-f", f"trimtab.cli.worker {folder}"], capture_output=True, text=True, check=True
        ).stdout.split()
        os.kill(int(pid), signal.SIGKILL)
        while "worker.ended" not in said.read_text():
            assert time.monotonic() < until_s, said.read_text()
            time.sleep(0.05)
    finally:
        server.send_signal(signal.SIGINT)
        assert server.wait(60) == 0
    lines = objects(said.read_text())
    assert {one["system"] for one in lines} == {"order-returns"}
    [ended] = [one for one in lines if one["event"] == "worker.ended"]
    assert (ended["level"], ended["worker"]) == ("error", 0) and "SIGKILL" in ended["message"]
    assert lines[-1]["message"] == "stopped; every acknowledged answer is in the log"
    for log in (folder / ".trimtab" / "logs").glob("worker-*.log"):
        objects(log.read_text())


PROCESS = """
import logging, sys, warnings
from trimtab.serving.reporting import Event, Reporting, process
Reporting("{form}", system="shop", worker=3).begin()
process().named("log.unwritable")("no space\\nleft")
process()(Event("as ever", "x.y", "info", worker=1))
try:
    raise ValueError("a fault")
except ValueError:
    process().fault()
logging.getLogger("some.library").warning("it %s", "rains")
raise RuntimeError("the end")
"""


def ended(form: str) -> str:
    code = PROCESS.replace("{form}", form)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


def test_faults_library_records_and_the_end_are_reports_too() -> None:
    log, event, fault, library, end = objects(ended("json"))
    assert (log["event"], log["level"], log["worker"]) == ("log.unwritable", "error", 3)
    assert log["message"] == "no space\nleft"
    assert (event["event"], event["level"], event["worker"]) == ("x.y", "info", 1)
    assert (fault["event"], fault["message"]) == ("request.failed", "ValueError: a fault")
    assert fault["stack"].startswith("Traceback") and 'raise ValueError("a fault")' not in fault["message"]
    assert (library["event"], library["level"], library["message"]) == (
        "library.some.library",
        "warning",
        "it rains",
    )
    assert (end["event"], end["message"]) == ("process.failed", "RuntimeError: the end")
    assert last_message(json.dumps(end)) == "RuntimeError: the end"


def test_plain_text_is_as_it_was() -> None:
    text = ended("text")
    assert text.startswith("no space\nleft\nas ever\nTraceback (most recent call last):\n")
    assert "ValueError: a fault\nit rains\nTraceback" in text
    assert last_message(text.splitlines()[-1]) == "RuntimeError: the end"


def test_a_disk_that_is_full_stops_no_report() -> None:
    code = (
        "from trimtab.serving.reporting import Event, Reporting\n"
        "for _ in range(3): Reporting('json', system='shop')(Event('lost', 'x.y'))\n"
        "print('went on', flush=True)"
    )
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=full, timeout=60, check=False
        )
    assert done.stdout == b"went on\n"


def test_another_form_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(tmp_path, "init", "shop")[0] == 0
    monkeypatch.setenv("TRIMTAB_LOG", "xml")
    status, _, error = call(tmp_path / "shop", "up", "--port", "0")
    assert (status, parts(error)["allowed"], parts(error)["got"]) == (1, "json, text", "'xml'")
