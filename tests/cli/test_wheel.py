"""A wheel, built as pip does it: the templates are links here and must be files there."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    pytest.importorskip("hatchling", reason="the build backend is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-c", BUILD, str(folder)], cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_templates_are_inside_as_files(wheel: zipfile.ZipFile) -> None:
    for example in sorted(path for path in (ROOT / "examples").iterdir() if (path / "trimtab.toml").is_file()):
        for path in (one for one in example.iterdir() if one.is_file()):
            assert wheel.read(f"trimtab/templates/{example.name}/{path.name}") == path.read_bytes()


def test_everything_else_of_the_package_is_inside_too(wheel: zipfile.ZipFile) -> None:
    held = set(wheel.namelist())
    package = ROOT / "src" / "trimtab"
    wanted = {
        f"trimtab/{path.relative_to(package)}"
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"trimtab/py.typed", "trimtab/adapters/migrations/versions/0001_journal.py"} <= wanted
    assert wanted <= held
    assert not [name for name in held if "__pycache__" in name or ".trimtab/" in name]
