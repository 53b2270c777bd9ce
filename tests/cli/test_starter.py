"""The starter, from `init` to an answer by HTTP that is explained; each command as its README has it."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cli.calls import call, call_process

README = Path(__file__).parents[2] / "examples" / "starter" / "README.md"
WITHIN_S = 60.0


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Initialised, trained, released and deployed; each in a process of its own."""
    folder = tmp_path_factory.mktemp("starter")
    assert call_process(folder, "init", "shop")[0] == 0
    for command in ("train", "release", "deploy"):
        status, _, error = call_process(folder / "shop", command)
        assert status == 0, error
    return folder / "shop"


@contextmanager
def up(shop: Path) -> Iterator[str]:
    """`trimtab up` at a free port; its address."""
    code = "from trimtab.cli.main import main; main()"
    server = subprocess.Popen(
        [sys.executable, "-c", code, "up", "--port", "0"],
        cwd=shop,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        found = next(match for line in server.stdout if (match := re.search(r"GET +(http://\S+)/readyz", line)))
        until_s = time.monotonic() + WITHIN_S
        while not _ready(found[1]):
            assert time.monotonic() < until_s and server.poll() is None
            time.sleep(0.1)
        yield found[1]
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=WITHIN_S)
    assert server.returncode == 0


def _ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def request_of_the_readme() -> tuple[str, bytes]:
    """The path and the body of its curl command."""
    found = re.search(
        r"    curl -s localhost:8600(?P<path>\S+) -d (?P<body>'.*?')\n", README.read_text(), re.DOTALL
    )
    assert found is not None
    return found["path"], shlex.split(found["body"])[0].encode()


def test_the_request_of_the_readme_is_answered_and_explained(shop: Path) -> None:
    path, body = request_of_the_readme()
    with up(shop) as address:
        with urllib.request.urlopen(address + path, data=body, timeout=10) as answer:
            (told,) = json.load(answer)["predictions"]
        status, shown, error = call(shop, "explain", told["id"])
        assert status == 0, error
    assert (told["key"], told["missing"]) == ("mine-1", [])
    assert f"{told['score']:.4f}" in shown and "returned is not known yet" in shown
    for view in ("order", "product", "product_returns", "customer_returns"):
        assert re.search(rf"^  {view} ", shown, re.MULTILINE)
    assert re.search(r"^  product_returns +outcomes@000001 · \d+ rows · \d+ (min|h) old$", shown, re.MULTILINE)
    assert re.search(r"^    category shoes   list_price_eur [\d.]+$", shown, re.MULTILINE)


def test_what_broke_its_contract_is_in_quarantine_and_the_release_is_in_production(shop: Path) -> None:
    status, shown, _ = call(shop, "status")
    assert status == 0
    orders = next(line.split() for line in shown.splitlines() if line.split()[:1] == ["orders"])
    assert int(orders[-1]) > 0
    assert re.search(r"^  [0-9a-f]{12}  .* now$", shown, re.MULTILINE)
    assert "whole" in shown and "NOT" not in shown


@pytest.mark.parametrize(
    "mistake", ["this is no Python", "raise RuntimeError('half edited')", "order_returns = None"]
)
def test_on_call_works_while_the_declaration_is_broken(shop: Path, mistake: str) -> None:
    declared = shop / "system.py"
    whole = declared.read_text()
    declared.write_text(whole + "\n" + mistake + "\n")
    try:
        status, _, error = call(shop, "tick")
        assert status == 1 and "system.py" in error
        status, shown, error = call(shop, "status")
        assert status == 0 and "order-returns" in shown, error
        status, _, error = call(shop, "rollback")
        assert status == 1 and "there is no earlier release to go back to" in error
        assert call(shop, "audit", "verify")[0] == 0
    finally:
        declared.write_text(whole)
