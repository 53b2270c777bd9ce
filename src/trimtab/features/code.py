"""The identity of a function's code: what it does, not how it is laid out.

What counts: the syntax tree of the function, without comments, layout and docstring; and of everything of the same
project that it reaches by a global name (functions, classes, constants), transitively, since a helper that changes
its result changes the feature. Code of other packages counts by name: its version stands in the release.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import polars as pl

from trimtab.kernel.canonical import Json, digest


def code_digest(function: Callable[..., Any]) -> str:
    """SHA-256 over the function's code and all of its project's code that it reaches."""
    folder = _folder(function) if isinstance(function, FunctionType) else None
    return digest(_told(function, folder, set()))


def _told(value: Any, folder: Path | None, seen: set[int]) -> Json:
    match value:
        case FunctionType():
            return _function(value, folder, seen)
        case type():
            return _class(value, folder, seen)
        case pl.Expr():
            return ["expression", str(value)]
        case list() | tuple():
            return [type(value).__name__, *(_told(one, folder, seen) for one in value)]
        case set() | frozenset():
            return ["set", *sorted((_told(one, folder, seen) for one in value), key=digest)]
        case dict():
            return ["dict", *([str(key), _told(one, folder, seen)] for key, one in value.items())]
        case None | str() | int() | float() | bool():
            return ["value", repr(value)]
    return ["of", type(value).__qualname__]


def _function(function: FunctionType, folder: Path | None, seen: set[int]) -> Json:
    name = function.__qualname__
    if id(function) in seen:
        return ["again", name]
    if folder is None or not _folder(function).is_relative_to(folder):
        return ["named", function.__module__, name]
    seen.add(id(function))
    return ["code", _tree(function), [[found, _told(one, folder, seen)] for found, one in _reached(function)]]


def _class(cls: type, folder: Path | None, seen: set[int]) -> Json:
    """By its members: a class cannot be asked for its file once its module has been forgotten."""
    name = cls.__qualname__
    if id(cls) in seen:
        return ["again", name]
    methods = [one for one in vars(cls).values() if isinstance(one, FunctionType)]
    if folder is None or not any(_folder(one).is_relative_to(folder) for one in methods):
        return ["named", name]
    seen.add(id(cls))
    members = [(key, one) for key, one in sorted(vars(cls).items()) if one in methods or not key.startswith("__")]
    return ["class", name, [[key, _told(one, folder, seen)] for key, one in members]]


def _tree(function: FunctionType) -> str:
    """The syntax tree; byte code where no source can be read (a function typed into a console)."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        code = function.__code__
        return digest([code.co_code.hex(), repr(code.co_consts), list(code.co_names)])
    definition = tree.body[0]
    if isinstance(definition, ast.FunctionDef):
        definition.decorator_list = []
        if ast.get_docstring(definition) is not None:
            definition.body = definition.body[1:] or [ast.Pass()]
    return ast.dump(tree)


def _reached(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Global names and closed-over variables that the code uses, in alphabetical order, with what they are now."""
    names = function.__globals__
    found = {name: names[name] for name in _names(function.__code__) if name in names}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # a cell that is still empty
            found[name] = cell.cell_contents
    yield from sorted(found.items())


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _folder(function: FunctionType) -> Path:
    return Path(function.__code__.co_filename).resolve().parent
