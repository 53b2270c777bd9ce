"""Commands whose modules are imported when they are used.

`--help` would otherwise import Polars, SQLAlchemy, LightGBM and all rooms to print a dozen lines. A command is
a module of its own that defines `app`; the first line of its docstring is its line in the list of commands.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command


def plain_app() -> typer.Typer:
    """An app without Rich in its help: Rich costs 130 ms, and more than half of what `--help` may take."""
    return typer.Typer(
        add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
    )


def summary(module: str) -> str:
    """The first line of a module's docstring, without importing the module.

    >>> summary("trimtab.cli.lazy")
    'Commands whose modules are imported when they are used.'
    """
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None, f"no module {module}"
    docstring = ast.get_docstring(ast.parse(Path(spec.origin).read_bytes())) or ""
    return docstring.partition("\n")[0]


class LazyCommand(TyperCommand):
    """Stands for a command, or a group of commands, until it is called by its name."""

    def __init__(self, name: str, module: str) -> None:
        super().__init__(name, help=summary(module), rich_markup_mode=None)
        self._module = module

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """The context of the real command: from here on nobody sees this one."""
        command = get_command(importlib.import_module(self._module).app)
        command.name = self.name
        return command.make_context(info_name, args, parent, **extra)


def lazy_group(app: typer.Typer, package: str, names: Iterable[str]) -> TyperGroup:
    """The app, which must have a callback, with one command per module of a package, in the order of the names.

    Args:
        app: made by `plain_app`; holds the options that come before a command.
        package: e.g. "trimtab.cli".
        names: of modules; a command's name has dashes where its module's has underscores.
    """
    group = get_command(app)
    assert isinstance(group, TyperGroup), "an app without a callback is no group"
    for name in names:
        group.add_command(LazyCommand(name.replace("_", "-"), f"{package}.{name}"))
    return group
