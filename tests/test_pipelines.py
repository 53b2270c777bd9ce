"""A user's own pipeline, run in a project: resumed, not repeated."""

from pathlib import Path

import polars as pl
import pytest

import trimtab as tt
from trimtab.kernel.errors import NotAProject, StepFailed


@tt.step
def double(rows: pl.DataFrame, log: str) -> pl.DataFrame:
    with Path(log).open("a") as file:
        file.write("double\n")
    return rows * 2


@tt.step
def total(rows: pl.DataFrame, gate: str) -> int:
    if not Path(gate).exists():
        raise RuntimeError("the gate is closed")
    return int(rows["a"].sum())


@tt.pipeline
def sums(log: str, gate: str) -> int:
    return total(double(pl.DataFrame({"a": [1, 2, 3]}), log), gate)


def test_a_failed_run_goes_on_behind_its_finished_steps(tmp_path: Path) -> None:
    (tmp_path / "trimtab.toml").write_text("")
    log, gate = tmp_path / "log", tmp_path / "gate"

    with pytest.raises(StepFailed, match=r"step 'total' failed after 1 attempt[\s\S]*the gate is closed"):
        tt.run(sums, str(log), str(gate), folder=tmp_path)
    gate.touch()
    assert tt.run(sums, str(log), str(gate), folder=tmp_path) == 12
    assert tt.run(sums, str(log), str(gate), folder=tmp_path) == 12

    assert log.read_text() == "double\n"


def test_outside_a_project_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotAProject, match=r"no Trimtab project here[\s\S]*trimtab init"):
        tt.run(sums, "", "", folder=tmp_path)
