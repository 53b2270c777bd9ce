"""The identity of a function's code: what it does, not how it is laid out."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from trimtab.kernel.canonical import digest


def code_digest(function: Callable[..., Any]) -> str:
    """SHA-256 over the function's syntax tree: comments, layout and docstring do not count.

    A function whose source cannot be read (typed into a console) is known by its byte code and constants.
    """
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
    return digest(ast.dump(tree))
