"""Running a pipeline of one's own, durably, in a project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from trimtab.kernel.canonical import digest
from trimtab.kernel.step import Pipeline
from trimtab.project import open_project
from trimtab.wiring.stores import Stores

P = ParamSpec("P")
R = TypeVar("R")


def run(pipeline: Pipeline[P, R] | Callable[P, R], /, *args: Any, id: str = "", folder: str | Path = "") -> R:
    """Run a pipeline to its end, or take it up where a crash stopped it.

    Args:
        pipeline: declared with `pipeline`.
        args: plain data (JSON).
        id: names the run: the same id gives the same run. Defaults to the pipeline's name and its arguments.
        folder: the project's, or one below it; the working folder by default.

    Raises:
        NotAProject: there is no project.
        StepFailed: a step gave up after its retries; the same call goes on behind the finished steps.
    """
    declared = pipeline if isinstance(pipeline, Pipeline) else Pipeline(pipeline, pipeline.__name__)
    named = id or f"{declared.name}-{digest(list(args))[:16]}"
    stores = Stores(open_project(Path(folder) if folder else Path.cwd()))
    try:
        with stores.steps() as steps:
            result: R = steps.run(declared, named, *args)
            return result
    finally:
        stores.close()
