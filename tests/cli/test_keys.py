"""`trimtab keys`, and what `trimtab up` says before it listens."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.cli.calls import call, parts

from trimtab.kernel.errors import NotFound, Refused, UnknownName
from trimtab.project import open_project
from trimtab.wiring.serving import open_keys
from trimtab.wiring.stores import Stores

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Without a system: keys do not need one."""
    (tmp_path / "trimtab.toml").write_text('port = "0"\n')
    return tmp_path


def added(project: Path, *arguments: str) -> dict[str, object]:
    status, shown, error = call(project, "keys", "add", *arguments, "--json")
    assert status == 0, error
    told: dict[str, object] = json.loads(shown)
    return told


def stored(project: Path) -> bytes:
    """Every byte below the project."""
    return b"".join(path.read_bytes() for path in project.rglob("*") if path.is_file())


def test_a_secret_is_shown_once_and_stored_nowhere(project: Path) -> None:
    status, shown, error = call(project, "keys", "add", "shop", "--scope", "predict")
    assert status == 0, error
    [secret] = re.findall(r"tt_[A-Za-z0-9_-]{43}\b", shown)
    assert "requests need no key yet" in shown  # loopback
    other = added(project, "other", "--scope", "append", "--scope", "predict", "--expires", "never")
    assert other["scopes"] == ["predict", "append"] and other["expires_at"] is None
    assert other["secret"] != secret
    status, shown, _ = call(project, "keys", "ls")
    assert status == 0 and "shop" in shown and "other" in shown
    held = stored(project)
    assert b"key.created" in held
    for one in (secret, str(other["secret"])):
        assert one.encode() not in held and one not in shown and one[3:].encode() not in held
    assert stat.S_IMODE((project / ".trimtab" / "keys.json").stat().st_mode) == 0o600


def test_what_became_of_a_key_stands_in_the_ledger(project: Path) -> None:
    told = added(project, "shop", "--scope", "predict", "--expires", "30d")
    expires = datetime.fromisoformat(str(told["expires_at"]))
    assert expires - datetime.fromisoformat(str(told["created_at"])) == timedelta(days=30)
    assert call(project, "keys", "revoke", "shop")[0] == 0
    stores = Stores(open_project(project))
    entries = [one for one in stores.reader.entries() if one.kind.startswith("key.")]
    assert [(one.kind, one.subject) for one in entries] == [("key.created", "shop"), ("key.revoked", "shop")]
    assert entries[0].actor.startswith("user:")
    assert entries[0].body["scopes"] == ["predict"] and entries[0].body["expires_at"] == told["expires_at"]
    stores.close()
    assert json.loads((project / ".trimtab" / "keys.json").read_text())["keys"] == []
    again = added(project, "shop", "--scope", "predict")  # the name is free again
    assert again["secret"] != told["secret"]


@pytest.mark.parametrize(
    ("arguments", "what", "allowed"),
    [
        (["add", "shop", "--scope", "everything"], "unknown scope 'everything'", "append, control, feedback"),
        (["add", "shop"], "--scope has a value", "append, control, feedback"),
        (["add", "a b", "--scope", "predict"], "the key's name", "letters"),
        (["add", "shop", "--scope", "predict", "--expires", "soon"], "--expires", "a number with a unit"),
        (["revoke", "nobody"], "there is no key 'nobody'", "nothing"),
    ],
)
def test_a_wrong_call_is_told_in_five_parts(project: Path, arguments: list[str], what: str, allowed: str) -> None:
    status, _, error = call(project, "keys", *arguments)
    told = parts(error)
    assert status == 1 and what in told["what"] and allowed in told["allowed"] and told["do"]


def test_a_name_is_taken_until_its_key_is_revoked(project: Path) -> None:
    added(project, "shop", "--scope", "predict")
    status, _, error = call(project, "keys", "add", "shop", "--scope", "append")
    assert status == 1 and "trimtab keys revoke shop" in parts(error)["do"]


def test_keys_expire_by_the_clock_that_is_given(project: Path) -> None:
    stores = Stores(open_project(project))
    keys = open_keys(stores)

    def add(name: str, expires: timedelta | None) -> None:
        keys.add(name, ["predict"], expires, secret=f"tt_{name}", at=NOW, actor="test")

    add("day", timedelta(days=1))
    add("ever", None)
    assert [one.name for one in keys.valid(NOW + timedelta(hours=23))] == ["day", "ever"]
    assert [one.name for one in keys.valid(NOW + timedelta(days=1))] == ["ever"]
    assert [one.name for one in keys.all()] == ["day", "ever"]
    with pytest.raises(UnknownName):
        keys.add("x", ["root"], None, secret="tt_x", at=NOW, actor="test")
    with pytest.raises(Refused):
        add("ever", None)
    with pytest.raises(NotFound):
        keys.revoke("x", at=NOW, actor="test")
    stores.close()


def test_a_snapshot_that_is_lost_or_stale_is_mended(project: Path) -> None:
    added(project, "shop", "--scope", "predict")
    snapshot = project / ".trimtab" / "keys.json"
    before = snapshot.read_bytes()
    for harm in (b"", b"{"):
        snapshot.write_bytes(harm)
        assert call(project, "keys", "ls")[0] == 0
        assert snapshot.read_bytes() == before
    snapshot.unlink()
    assert call(project, "keys", "ls")[0] == 0
    assert snapshot.read_bytes() == before


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A system without a release: keys are asked for before anything else is."""
    folder = tmp_path_factory.mktemp("keys")
    assert call(folder, "init", "shop")[0] == 0
    return folder / "shop"


@pytest.mark.parametrize(
    ("arguments", "settings"), [(["--host", "0.0.0.0"], {}), ([], {"TRIMTAB_REQUIRE_KEYS": "true"})]
)
def test_up_refuses_to_ask_for_keys_that_nobody_has(
    starter: Path, arguments: list[str], settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    status, _, error = call(starter, "up", "--port", "0", *arguments)
    told = parts(error)
    assert status == 1 and "without a key was refused" in told["what"]
    assert told["got"] == "no key has been made" and "trimtab keys add NAME" in told["do"]


def test_up_listens_elsewhere_with_a_key_and_follows_its_end(starter: Path) -> None:
    secret = str(added(starter, "shop", "--scope", "predict")["secret"])
    system = "/v1/systems/order-returns/predict"

    def asked(address: str, path: str, key: str = "", body: bytes | None = None) -> tuple[int, str]:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        try:
            with urllib.request.urlopen(urllib.request.Request(address + path, body, headers), timeout=20) as found:
                return found.status, found.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers.get("www-authenticate", "")

    with up(starter, "--host", "0.0.0.0", "--workers", "1", "--every", "1h") as address:
        assert address.startswith("http://0.0.0.0:")
        assert asked(address, "/healthz")[0] == 200
        assert asked(address, system, body=b"{}") == (401, 'Bearer realm="trimtab"')
        assert asked(address, "/metrics")[0] == asked(address, "/nowhere")[0] == 401
        assert asked(address, system, secret, b"{}")[0] == 503  # no release yet: the key has passed
        assert call(starter, "keys", "revoke", "shop")[0] == 0
        until_s = time.monotonic() + 1.0
        while asked(address, system, secret, b"{}")[0] != 401:
            assert time.monotonic() < until_s, "a revoked key was still taken after a second"
            time.sleep(0.02)
        assert "invalid_token" in asked(address, system, secret, b"{}")[1]


@contextmanager
def up(project: Path, *arguments: str) -> Iterator[str]:
    """`trimtab up` at a free port; its address, once it answers."""
    code = "from trimtab.cli.main import main; main()"
    server = subprocess.Popen(
        [sys.executable, "-c", code, "up", "--port", "0", *arguments],
        cwd=project,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        found = next(match for line in server.stdout if (match := re.search(r"GET +(http\S+)/readyz", line)))
        until_s = time.monotonic() + 60
        while not _listens(found[1]):
            assert time.monotonic() < until_s and server.poll() is None
            time.sleep(0.05)
        yield found[1]
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=60)
    assert server.returncode == 0


def _listens(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
