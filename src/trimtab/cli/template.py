"""Project templates, shipped in the package."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import trimtab
from trimtab.kernel.errors import ProjectInvalid, UnknownName

_FOLDER = Path(trimtab.__file__).parent / "templates"
TEMPLATES = tuple(sorted(path.name for path in _FOLDER.iterdir() if (path / "trimtab.toml").is_file()))
WORLD = "world.py"  # the template's script that writes its tables into data/


def copy_template(name: str, folder: Path) -> None:
    """Copy a template's files; files that exist are left as they are.

    Raises:
        UnknownName: no such template.
        ProjectInvalid: the files cannot be written.
    """
    if name not in TEMPLATES:
        raise UnknownName("template", name, TEMPLATES, do="use one of the templates listed")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted((_FOLDER / name).iterdir()):
            target = folder / path.name
            if path.is_file() and not target.exists():
                shutil.copyfile(path, target)
    except OSError as error:
        raise ProjectInvalid(
            "the project's files cannot be written",
            where=str(folder),
            allowed="a folder that is new or empty, where you may write",
            got=error.strerror or str(error),
            do="choose another folder",
        ) from error


def make_world(folder: Path) -> None:
    """Run the template's script that makes its tables.

    Raises:
        ProjectInvalid: it failed; the error says with which words.
    """
    made = subprocess.run([sys.executable, WORLD], cwd=folder, capture_output=True, text=True, check=False)
    if made.returncode:
        said = made.stderr.strip().splitlines()
        raise ProjectInvalid(
            "the project's tables cannot be made",
            where=str(folder / WORLD),
            got=said[-1] if said else f"exit status {made.returncode}",
            do=f"mend what it says, then: cd {folder} && {Path(sys.executable).name} {WORLD}",
        )
