"""Help, version, and what is said to a command that does not exist."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
from tests.cli.calls import call, call_process

from trimtab.cli.lazy import summary
from trimtab.cli.main import COMMANDS

SLOW = ("polars", "sqlalchemy", "numpy", "rich", "lightgbm", "dbos", "mlflow")
LOADED = (
    "import atexit, sys\n"
    f"atexit.register(lambda: print('loaded:', sorted(set({SLOW!r}) & set(sys.modules)), file=sys.stderr))"
)


@pytest.mark.parametrize("asked", [["--help"], ["--version"]])
def test_help_and_version_load_nothing_that_is_slow(tmp_path: Path, asked: list[str]) -> None:
    status, _, said = call_process(tmp_path, *asked, program=LOADED)
    assert status == 0
    assert said == "loaded: []\n"


def test_a_command_does_load_what_help_leaves_out(tmp_path: Path) -> None:
    assert "'polars'" in call_process(tmp_path, "status", program=LOADED)[2]


def test_help_lists_every_command_with_its_line(tmp_path: Path) -> None:
    _, shown, _ = call(tmp_path, "--help")
    for name in COMMANDS:
        line = next(line for line in shown.splitlines() if line.split()[:1] == [name])
        assert line.split(maxsplit=1)[1].removesuffix("...") in summary(f"trimtab.cli.{name}")


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_shows_its_own_help(tmp_path: Path, name: str) -> None:
    status, shown, said = call(tmp_path, name, "--help")
    assert (status, said) == (0, "")
    assert shown.startswith(f"Usage: trimtab {name} ")
    assert summary(f"trimtab.cli.{name}") in " ".join(shown.split())


def test_version_is_the_distributions(tmp_path: Path) -> None:
    assert call(tmp_path, "--version") == (0, version("trimtab") + "\n", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["relase"], "No such command 'relase'. Did you mean 'release'?"),
        (["explain"], "Missing argument 'id'"),
        (["status", "--colour"], "No such option: --colour"),
        (["demo", "--days", "many"], "Invalid value for '--days'"),
    ],
)
def test_wrong_usage_ends_with_status_2(tmp_path: Path, arguments: list[str], said: str) -> None:
    status, _, error = call(tmp_path, *arguments)
    assert status == 2
    assert said in error
