"""Writes the pages of `docs/` that are made from the code.

    python tools/generate_docs.py            write all pages
    python tools/generate_docs.py --check    write nothing; say which pages are out of date, and fail

A page is one module beside this one, with `page() -> str`, and one line in PAGES.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import atoms_page
import commands_page
import errors_page
import questions_page
import settings_page

DOCS = Path(__file__).parent.parent / "docs"

PAGES: dict[str, Callable[[], str]] = {
    "catalogue.md": atoms_page.page,
    "commands.md": commands_page.page,
    "errors.md": errors_page.page,
    "questions.md": questions_page.page,
    "settings.md": settings_page.page,
}


def main(arguments: list[str], docs: Path = DOCS) -> int:
    """Write or check; returns the exit status."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    pages = {docs / name: make() for name, make in PAGES.items()}
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text() != text]
    if arguments:
        for path in stale:
            print(f"{path.relative_to(docs.parent)} is out of date; write it with: make docs", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.write_text(pages[path])
        print(f"wrote {path.relative_to(docs.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
