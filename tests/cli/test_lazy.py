"""A package of commands, written to disk, called in a process of its own: what is imported and what is printed."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from trimtab.cli.lazy import summary

MAIN = '''
import typer
from trimtab.cli.lazy import lazy_group, plain_app

app = plain_app()

@app.callback()
def top() -> None:
    """A ship."""

group = lazy_group(app, "ship", ["sail", "drop_anchor", "log"])

if __name__ == "__main__":
    group()
'''

SAIL = '''
"""Sail to a port.

More about sailing.
"""
print("sail was imported")
from trimtab.cli.lazy import plain_app

app = plain_app()

@app.command()
def sail(port: str, knots: int = 5) -> None:
    """Sail to a port, at some speed."""
    print(f"to {port} at {knots}")
'''

ANCHOR = '''
"""Stop here."""
raise RuntimeError("imported without need")
'''

LOG = '''
"""The ship's log."""
from trimtab.cli.lazy import plain_app

app = plain_app()

@app.callback()
def log() -> None:
    """The ship's log."""

@app.command()
def verify() -> None:
    """Check the log."""
    print("verified")
'''


@pytest.fixture
def ship(tmp_path: Path) -> Path:
    package = tmp_path / "ship"
    package.mkdir()
    for name, text in {
        "__init__": "",
        "__main__": MAIN,
        "sail": SAIL,
        "drop_anchor": ANCHOR,
        "log": LOG,
    }.items():
        (package / f"{name}.py").write_text(text.lstrip())
    return tmp_path


def call(ship: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "ship", *arguments],
        cwd=ship,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout


def test_help_lists_commands_in_order_and_imports_none(ship: Path) -> None:
    code, text = call(ship, "--help")
    assert code == 0
    assert [line.split(maxsplit=1) for line in text.splitlines()[-3:]] == [
        ["sail", "Sail to a port."],
        ["drop-anchor", "Stop here."],
        ["log", "The ship's log."],
    ]
    assert "imported" not in text


def test_a_command_runs_with_its_own_arguments(ship: Path) -> None:
    assert call(ship, "sail", "Kiel", "--knots", "7") == (0, "sail was imported\nto Kiel at 7\n")


def test_a_command_shows_its_own_help_and_name(ship: Path) -> None:
    code, text = call(ship, "sail", "--help")
    assert code == 0 and "Usage: python -m ship sail [OPTIONS]" in text
    assert "Sail to a port, at some speed." in text and "--knots" in text


def test_a_group_has_commands_below_it(ship: Path) -> None:
    assert call(ship, "log", "verify") == (0, "verified\n")
    assert "Check the log." in call(ship, "log", "--help")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sial"], "No such command 'sial'. Did you mean 'sail'?"),
        (["sail"], "Missing argument 'port'"),
        (["sail", "Kiel", "--knots", "fast"], "Invalid value for '--knots'"),
        (["log", "burn"], "No such command 'burn'"),
    ],
)
def test_what_is_not_known_is_said_and_ends_with_status_2(ship: Path, arguments: list[str], said: str) -> None:
    code, text = call(ship, *arguments)
    assert code == 2 and said in text


def test_help_imports_neither_rich_nor_anything_else_that_is_slow(ship: Path) -> None:
    program = (
        "import sys; from ship.__main__ import group; group(['--help'], standalone_mode=False); "
        "print({'rich', 'polars', 'numpy', 'sqlalchemy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ship, text=True, capture_output=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_help_answers_in_under_300_ms(ship: Path) -> None:
    took_s = []
    for _ in range(5):
        start = time.perf_counter()
        call(ship, "--help")
        took_s.append(time.perf_counter() - start)
    assert min(took_s) < 0.3


def test_a_summary_is_the_first_line_of_the_docstring() -> None:
    assert summary("trimtab.kernel.moment").startswith("Instants and durations.")
    with pytest.raises(AssertionError, match="no module"):
        summary("trimtab.nowhere")
