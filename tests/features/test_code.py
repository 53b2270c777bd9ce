"""The identity of a feature's code: what it does counts, also in what it calls; how it is laid out does not."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from trimtab.features.code import code_digest

BASE = '''
import polars as pl

FACTOR = 2
COLUMNS = ["a", "b"]

def helper(x):
    return x * FACTOR

class Scale:
    by = 3
    def __call__(self, x):
        return helper(x)

def view(rows):
    """What it is."""
    return [helper(rows), [Scale()(c) for c in COLUMNS], pl.col("a")]
'''


def loaded(folder: Path, text: str) -> ModuleType:
    folder.mkdir(parents=True)
    path = folder / "declared.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(f"declared_{folder.name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('    """What it is."""\n', ""),
        ("def helper(x):\n", "def helper(x):\n    # why\n"),
        ("    return x * FACTOR\n", "    return (x *\n            FACTOR)\n"),
        ("FACTOR = 2\n", "FACTOR = 2\nUNUSED = 7\n"),
    ],
)
def test_layout_comments_docstrings_and_the_unreached_do_not_count(tmp_path: Path, old: str, new: str) -> None:
    assert old in BASE
    one = loaded(tmp_path / "one", BASE).view
    other = loaded(tmp_path / "other", BASE.replace(old, new)).view
    assert code_digest(one) == code_digest(other)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("FACTOR = 2\n", "FACTOR = 3\n"),
        ('COLUMNS = ["a", "b"]', 'COLUMNS = ["a", "c"]'),
        ("return x * FACTOR", "return x + FACTOR"),
        ("return helper(x)\n", "return helper(x) + 1\n"),
        ("[helper(rows), ", "["),
        ('pl.col("a")', 'pl.col("b")'),
    ],
)
def test_what_changes_a_result_counts_wherever_it_stands_in_the_project(tmp_path: Path, old: str, new: str) -> None:
    assert old in BASE
    one = loaded(tmp_path / "one", BASE).view
    other = loaded(tmp_path / "other", BASE.replace(old, new)).view
    assert code_digest(one) != code_digest(other)
