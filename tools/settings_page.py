"""`docs/settings.md`: every setting of trimtab.toml and its environment variable."""

from __future__ import annotations

from trimtab.project import SETTINGS

HEAD = """\
<!-- Made by tools/generate_docs.py from src/trimtab/project.py. Change that, then: make docs -->

# Settings

In `trimtab.toml` at the top of the project; an environment variable wins over the file. An unknown setting is an
error.

| setting | environment | default | |
|---|---|---|---|
"""


def page() -> str:
    """The page."""
    rows = [
        f"| `{one.name}` | `{one.environment}` | {f'`{one.default}`' if one.default else ''} | {one.help} |\n"
        for one in SETTINGS.values()
    ]
    return HEAD + "".join(rows)
