"""The turns beside the server: an error that nobody foresaw ends a turn, and no loop."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from contextlib import chdir, redirect_stdout
from pathlib import Path

from tests.cli.calls import call

from trimtab.cli.screen import Screen
from trimtab.cli.session import session
from trimtab.cli.turning import turning

WITHIN_S = 60.0


def until(holds: Callable[[], bool]) -> None:
    end_s = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def test_a_turn_that_fails_is_said_kept_and_followed_by_the_next(tmp_path: Path) -> None:
    assert call(tmp_path, "init", "shop")[0] == 0
    shop, shown = tmp_path / "shop", io.StringIO()
    lock = shop / ".trimtab" / "loop.lock"
    lock.mkdir(parents=True)  # where the loop wants to open a file
    with (
        chdir(shop),
        redirect_stdout(shown),
        session() as open_,
        turning(open_, Screen(), every_s=0.2, streams_every_s=0.1),
    ):
        until(lambda: shown.getvalue().count("Trimtab failed: IsADirectoryError") > 1)
        assert open_.house.versions.current("orders") == 0
        lock.rmdir()
        until(lambda: open_.house.versions.current("orders") == 1)
    assert "Traceback" not in shown.getvalue()
    assert list((shop / ".trimtab" / "logs").glob("crash-*.log"))
