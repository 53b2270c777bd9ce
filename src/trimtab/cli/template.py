"""Project templates, shipped in the package."""

from __future__ import annotations

import shutil
from pathlib import Path

import trimtab
from trimtab.kernel.errors import UnknownName

_FOLDER = Path(trimtab.__file__).parent / "templates"
TEMPLATES = tuple(sorted(path.name for path in _FOLDER.iterdir() if (path / "trimtab.toml").is_file()))


def copy_template(name: str, folder: Path) -> None:
    """Copy a template's files; files that exist are left as they are.

    Raises:
        UnknownName: no such template.
    """
    if name not in TEMPLATES:
        raise UnknownName("template", name, TEMPLATES)
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted((_FOLDER / name).iterdir()):
        target = folder / path.name
        if path.is_file() and not target.exists():
            shutil.copyfile(path, target)
