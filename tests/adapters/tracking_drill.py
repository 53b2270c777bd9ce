"""Run by test_tracking_mlflow.py as a process of its own: killed writers and racing writers.

    python tracking_drill.py kill FOLDER     one folder for each write, the writer killed after that write
    python tracking_drill.py race FOLDER     two writers of one key, made to overlap at each write
    python tracking_drill.py first FOLDER    writers killed while they make MLflow's tables, then two at once

Prints one JSON list. Writers are forks, so that MLflow is imported once.
"""

import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from sqlalchemy import Engine, event

from trimtab.adapters.tracking_mlflow import MlflowTracking
from trimtab.ports.tracking import TrackedRun

WRITES = (
    "create_experiment",
    "create_run",
    "log_batch",
    "log_artifact",
    "create_registered_model",
    "create_model_version",
    "set_terminated",
)


def log(folder: Path) -> TrackedRun:
    return MlflowTracking(None, folder / "artifacts").log_run(
        experiment="flight-delay",
        key="flight-delay/train/2013-04",
        params={"num_leaves": 31, "learning_rate": 0.05, "objective": "binary"},
        metrics={"roc_auc": 0.6875, "log_loss": 0.41},
        tags={"source": "weather@1"},
        model=b"tree\nversion=v4\n",
        model_file="model.txt",
    )


def wrap(method: str, before: Callable[[], None], after: Callable[[], None]) -> None:
    """Let something happen around a client's method; in a fork only, which ends soon."""
    original = getattr(MlflowClient, method)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        before()
        result = original(*args, **kwargs)
        after()
        return result

    setattr(MlflowClient, method, wrapped)


def fork(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    return pid


def kill(folder: Path, template: Path) -> list[str]:
    names = []
    for number, method in enumerate(WRITES):
        place = folder / f"{number}-{method}"
        place.mkdir()
        shutil.copy(template / "mlflow.db", place)

        def die(method: str = method, place: Path = place) -> None:
            wrap(method, lambda: None, lambda: os.kill(os.getpid(), signal.SIGKILL))
            log(place)

        status = os.waitpid(fork(die), 0)[1]
        assert os.WIFSIGNALED(status), f"the writer was not killed in {method}"
        names.append(place.name)
    return names


def race(folder: Path, overlapping: tuple[str, ...]) -> list[list[str]]:
    def write(name: str, other: str) -> None:
        for method in overlapping:

            def meet(method: str = method) -> None:
                folder.joinpath(f"{method}.{name}").touch()
                deadline = time.monotonic() + 20
                while not folder.joinpath(f"{method}.{other}").exists() and time.monotonic() < deadline:
                    time.sleep(0.002)

            wrap(method, meet, lambda: None)
        run = log(folder)
        folder.joinpath(f"{name}.json").write_text(json.dumps([run.run_id, run.model_version]))
        os._exit(0)

    pids = [fork(lambda: write("a", "b")), fork(lambda: write("b", "a"))]
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0], "a writer failed"
    return [json.loads(folder.joinpath(f"{name}.json").read_text()) for name in "ab"]


def kill_while_creating(folder: Path) -> None:
    """Writers killed at statements 50, 150 and 250 of MLflow's migrations, one after the other."""
    for most in (50, 150, 250):

        def die(most: int = most) -> None:
            seen = iter(range(most))

            def count(*_: object) -> None:
                if next(seen, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)

            event.listen(Engine, "before_cursor_execute", count)
            log(folder)

        status = os.waitpid(fork(die), 0)[1]
        assert os.WIFSIGNALED(status), f"the writer was not killed at statement {most}"
        assert (folder / "mlflow.db.new").exists(), f"statement {most} was not one of the migrations"


def main(what: str, folder: Path) -> None:
    template = folder / "template"
    if what == "kill":
        MlflowTracking(None, template / "artifacts")
        print(json.dumps(kill(folder, template)))
    elif what == "race":
        MlflowTracking(None, template / "artifacts")
        shutil.copy(template / "mlflow.db", folder)
        print(json.dumps(race(folder, ("create_experiment", "create_run", "create_model_version"))))
    else:
        kill_while_creating(folder)
        print(json.dumps(race(folder, ())))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
