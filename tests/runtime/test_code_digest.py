"""What counts as a change of a step's code, and what does not."""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from trimtab.adapters.blobs_local import LocalBlobs
from trimtab.kernel.errors import InvalidValue
from trimtab.runtime.code_digest import code_digest
from trimtab.runtime.value import Values

BASE = '''
import logging
import math
import threading
from dataclasses import dataclass

import polars as pl

RATE = 0.5
TABLE = {"a": [1, 2]}
log = logging.getLogger("x")

@dataclass(frozen=True)
class Settings:
    depth: int = 3

    def twice(self):
        return self.depth * 2

SETTINGS = Settings()

class Plain:
    limit = 10

    def __init__(self):
        self.size = 4

    @property
    def half(self):
        return self.size // 2

    @staticmethod
    def third(x):
        return x / 3

def helper(x):
    return x + 1

def far(x):
    return near(x)

def near(x):
    return x if x > 0 else far(x + 1)

def work(x, scale=2, *, offset=0):
    """Says what it does."""
    # why
    log.info("working")
    total = helper(x) * RATE + len(TABLE["a"])
    for part in [far(i) for i in range(3)]:
        total += part
    try:
        total += SETTINGS.twice() + Plain().half
    except ValueError:
        total = math.floor(total)
    return total * scale + offset
'''


def load(folder: Path, text: str, name: str = "project_module") -> ModuleType:
    path = folder / f"{name}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        exec(compile(text, str(path), "exec"), module.__dict__)
    finally:
        del sys.modules[name]
    return module


def digest_of(folder: Path, text: str) -> str:
    return code_digest(load(folder, text).work, Values(LocalBlobs(folder / "blobs")))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    # why\n", "    # because\n    # of this\n"),
        ("    # why\n", ""),
        ('"""Says what it does."""', '"""Says it better."""'),
        ('    """Says what it does."""\n', ""),
        ("total", "the_sum"),
        ("def work(x, scale=2", "def work(x: int, scale: int = 2"),
        ("helper(x) * RATE + len", "(helper(x) * RATE) \\\n        + len"),
        ("RATE = 0.5", "UNUSED = 1\nRATE = 0.5"),
        ("def helper(x):", "def unused():\n    return 1\n\ndef helper(x):"),
        ('logging.getLogger("x")', 'logging.getLogger("y")'),
    ],
)
def test_what_does_not_count(tmp_path: Path, old: str, new: str) -> None:
    assert old in BASE
    assert digest_of(tmp_path, BASE.replace(old, new)) == digest_of(tmp_path, BASE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("total * scale + offset", "total * scale - offset"),
        ("range(3)", "range(4)"),
        ("scale=2", "scale=3"),
        ("offset=0", "offset=1"),
        ("RATE = 0.5", "RATE = 0.6"),
        ('{"a": [1, 2]}', '{"a": [1, 2, 3]}'),
        ("return x + 1", "return x + 2"),
        ("if x > 0 else", "if x >= 0 else"),
        ("far(x + 1)", "far(x + 2)"),
        ("depth: int = 3", "depth: int = 4"),
        ("self.depth * 2", "self.depth * 4"),
        ("self.size // 2", "self.size // 4"),
        ("limit = 10", "limit = 11"),
        ("math.floor(total)", "math.ceil(total)"),
        ("except ValueError", "except TypeError"),
        ("x / 3", "x / 4"),
    ],
)
def test_what_counts(tmp_path: Path, old: str, new: str) -> None:
    assert old in BASE
    assert digest_of(tmp_path, BASE.replace(old, new)) != digest_of(tmp_path, BASE)


def test_a_file_edited_after_its_import_does_not_change_what_runs(tmp_path: Path) -> None:
    module = load(tmp_path, BASE)
    values = Values(LocalBlobs(tmp_path / "blobs"))
    before = code_digest(module.work, values)
    (tmp_path / "project_module.py").write_text(BASE.replace("x + 1", "x + 2"))
    assert code_digest(module.work, values) == before


def test_another_process_gives_the_same_digest(tmp_path: Path) -> None:
    (tmp_path / "project_module.py").write_text(BASE + "\nSET = {'a', 'b', 'c'}\n")
    program = (
        "import sys, pathlib, project_module\n"
        "from trimtab.runtime.code_digest import code_digest\n"
        "from trimtab.runtime.value import Values\n"
        "from trimtab.adapters.blobs_local import LocalBlobs\n"
        "def picked(x): return x in project_module.SET or x in {'p', 'q', 'r'}\n"
        "values = Values(LocalBlobs(pathlib.Path(sys.argv[1])))\n"
        "print(code_digest(project_module.work, values), code_digest(picked, values))\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "blobs")],
            env={"PYTHONPATH": str(tmp_path), "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


def closing_over(value: Any) -> Callable[[], Any]:
    def inner() -> Any:
        return value

    return inner


def test_a_closed_over_value_counts_by_content(tmp_path: Path) -> None:
    values = Values(LocalBlobs(tmp_path))
    digests = [code_digest(closing_over(value), values) for value in (1, 1, 1.0, [1], Path("a"))]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


def test_a_closed_over_function_counts_by_code(tmp_path: Path) -> None:
    values = Values(LocalBlobs(tmp_path))
    one, two = (closing_over(lambda x: x + 1), closing_over(lambda x: x + 2))
    assert code_digest(one, values) != code_digest(two, values)


def test_a_closed_over_object_without_identity_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match=r"(?s)'value'.*_thread.lock.*cache=False"):
        code_digest(closing_over(threading.Lock()), Values(LocalBlobs(tmp_path)))


def test_code_of_other_packages_counts_by_name(tmp_path: Path) -> None:
    values = Values(LocalBlobs(tmp_path))

    def info() -> None:
        logging.info("a")

    def warning() -> None:
        logging.warning("a")

    assert code_digest(info, values) != code_digest(warning, values)


def test_a_module_of_the_same_package_is_read_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = Values(LocalBlobs(tmp_path / "blobs"))
    other = ModuleType("project_module.parts")
    module = load(tmp_path, "def work(x):\n    return parts.inner(x)\n")
    monkeypatch.setattr(module, "parts", other, raising=False)
    digests = []
    for text in ("x + 1", "x + 1", "x + 2"):
        exec(f"def inner(x):\n    return {text}\n", other.__dict__)
        digests.append(code_digest(module.work, values))
    assert digests[0] == digests[1] != digests[2]
