"""A life that stops behind each of its writes in turn: `stopping.py FOLDER JSON STEP_H KINDS`.

Each life is a fork of this process, which has imported everything and done nothing. A life ends at once, without
cleaning up, behind the first write of the kinds that is new to all lives; the next life goes on from what it left.
The last one reaches the end. Writes the figures, and where lives stopped.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.e2e import tiny_life

from trimtab.adapters import tables_delta
from trimtab.adapters.blobs_local import LocalBlobs
from trimtab.adapters.heads_log import HeadsLog
from trimtab.adapters.journal_sql import SqlJournal
from trimtab.adapters.online_lmdb import LmdbWriter
from trimtab.adapters.outbox_sql import SqlOutbox
from trimtab.adapters.route_board_mmap import MmapRouteBoard
from trimtab.adapters.step_results_sql import SqlStepResults
from trimtab.adapters.steps_dbos import DbosSteps  # noqa: F401 - imported here once, not by every life
from trimtab.adapters.tracking_mlflow import MlflowTracking
from trimtab.kernel.canonical import sha256

STOPPED = 75
MOST_LIVES = 400


class Stops:
    """Where earlier lives have stopped."""

    def __init__(self, path: Path, kinds: set[str]) -> None:
        self._path = path
        self._kinds = kinds
        path.touch()

    def all(self) -> list[str]:
        """In order."""
        return self._path.read_text().splitlines()

    def behind(self, kind: str, detail: object) -> None:
        """Stop here unless an earlier life did."""
        point = f"{kind} {detail}"
        if kind not in self._kinds or point in self.all():
            return
        with self._path.open("a") as file:
            file.write(f"{point}\n")
        os._exit(STOPPED)


def hook(stops: Stops) -> None:
    """Have every write of the adapters pass by the stops. For this process and its forks only."""
    begin = SqlJournal.begin

    @contextlib.contextmanager
    def journal(self: SqlJournal, **given: Any) -> Iterator[Any]:
        with begin(self, **given) as unit:
            yield unit
        if unit.newest is not None:  # type: ignore[attr-defined]
            stops.behind("journal", unit.newest.seq)  # type: ignore[attr-defined]

    SqlJournal.begin = journal  # type: ignore[method-assign]
    # Between the commit and the head that is saved of it.
    _before(HeadsLog, "append", lambda head, _: stops.behind("commit", head.seq))
    _behind(SqlOutbox, "done", lambda messages, _: stops.behind("done", messages) if messages else None)
    _behind(
        LmdbWriter, "put", lambda items, _: stops.behind("online", sha256(repr(sorted(items.items())).encode()))
    )
    _behind(MmapRouteBoard, "publish", lambda route, _: stops.behind("publish", route.generation))
    _behind(MlflowTracking, "log_run", lambda _, run: stops.behind("track", run.run_id))
    _behind(LocalBlobs, "put", lambda _, digest: stops.behind("blob", digest))
    _behind(SqlStepResults, "put", lambda key, _: stops.behind("step", key))
    append = tables_delta.write_deltalake  # type: ignore[attr-defined]

    def table(delta: Any, frame: Any, **given: Any) -> None:
        append(delta, frame, **given)
        done = given["commit_properties"].app_transactions[0]
        stops.behind("table", f"{Path(delta.table_uri).name} {done.app_id} {done.version}")

    tables_delta.write_deltalake = table  # type: ignore[attr-defined,assignment]


def _before(owner: type, name: str, see: Callable[..., object]) -> None:
    plain = getattr(owner, name)

    def hooked(self: Any, *given: Any, **named: Any) -> Any:
        see(*given)
        return plain(self, *given, **named)

    setattr(owner, name, hooked)


def _behind(owner: type, name: str, see: Callable[..., object]) -> None:
    plain = getattr(owner, name)

    def hooked(self: Any, *given: Any, **named: Any) -> Any:
        result = plain(self, *given, **named)
        see(*(given[:1] or (None,)), result)
        return result

    setattr(owner, name, hooked)


def main(folder: str, json_file: str, step_h: str, kinds: str) -> None:
    """Live until a life reaches the end."""
    stops = Stops(Path(folder).with_suffix(".stops"), set(kinds.split(",")))
    hook(stops)
    for _ in range(MOST_LIVES):
        assert threading.active_count() == 1, "a fork would lose threads"
        life = os.fork()
        if life == 0:
            found = tiny_life.lived(Path(folder), int(step_h))
            Path(json_file).write_text(json.dumps({"figures": found, "stops": stops.all()}))
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(life, 0)[1])
        print(f"life ended with {status}", flush=True)
        if status != STOPPED:
            sys.exit(status)
    sys.exit(f"no end after {MOST_LIVES} lives")


if __name__ == "__main__":
    main(*sys.argv[1:])
