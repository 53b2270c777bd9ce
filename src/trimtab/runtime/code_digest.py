"""The identity of a function's code: what it does when it is called, whatever it looks like.

Taken from the bytecode that runs, not from the source file: a file may have been edited since it was
imported, and its text would then name code that did not run. Comments, docstrings, annotations, formatting
and names of local variables do not count. What counts beside the function's own code: its defaults and
closure; and whatever it reaches by a global name within its own top-level package (functions, classes,
constants), transitively. Code of other packages counts by name only, not by version. A global object of any
other kind counts by its class: a logger or a connection is not part of the code.
"""

from __future__ import annotations

import dis
import enum
import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import PurePath
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from trimtab.kernel.canonical import Json, digest
from trimtab.kernel.errors import InvalidValue
from trimtab.kernel.step import Pipeline, Step
from trimtab.runtime.value import Values

_ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD"}
_IGNORED = {"CACHE", "EXTENDED_ARG", "NOP", "RESUME", "PRECALL"}


def code_digest(function: Callable[..., Any], values: Values) -> str:
    """SHA-256 over everything that decides what a call of the function does, its arguments aside.

    Raises:
        InvalidValue: a default or a closed-over variable holds an object whose content has no identity.
    """
    return digest(_Reader(_package(function), values).of(function, f"the code of {_name(function)}"))


@dataclass
class _Reader:
    package: str
    values: Values
    in_class: int = 0  # methods close over machinery (super, dataclasses) that has no content
    seen: dict[int, int] = field(default_factory=dict)  # id of an object → its number: recursion ends here
    alive: list[object] = field(default_factory=list)  # so that an id is not used twice

    def of(self, value: object, where: str) -> Json:
        """What identifies an object that must have an identity of its own."""
        found = self.known(value, where)
        if found is None and self.in_class:
            return ["of", _name(type(value))]
        if found is None:
            raise InvalidValue(
                where,
                f"{type(value).__module__}.{type(value).__qualname__}",
                allowed="functions, classes, and values that can be an argument of a step",
                do="pass it to the step as an argument, or declare the step with cache=False",
            )
        return found

    def known(self, value: object, where: str) -> Json:
        """What identifies an object; None if nothing does."""
        match value:
            case FunctionType():
                return self.function(value, where)
            case Step() | Pipeline():
                return ["step", value.name, self.of(value.function, where)]
            case MethodType():
                return ["method", self.of(value.__func__, where), self.of(value.__self__, where)]
            case functools.partial():
                return ["partial", *(self.of(v, where) for v in (value.func, value.args, value.keywords))]
            case type():
                return self.type_(value, where)
        if is_dataclass(value):
            parts = [self.of(getattr(value, part.name), f"{where}.{part.name}") for part in fields(value)]
            return ["record", self.type_(type(value), where), *parts]
        if hasattr(value, "__wrapped__"):
            return ["wrapper", _name(type(value)), self.of(value.__wrapped__, where)]
        return self.content(value, where)

    def content(self, value: object, where: str) -> Json:
        match value:
            case BuiltinFunctionType() | ModuleType():
                return ["named", _name(value)]
            case enum.Enum():
                return ["member", _name(type(value)), value.name]
            case re.Pattern():
                return ["pattern", str(value.pattern), value.flags]
            case PurePath():
                return ["path", str(value)]
            case set() | frozenset():
                return ["set", *sorted(digest(self.of(item, where)) for item in value)]
        if type(value) in (list, tuple):
            return [type(value).__name__, *(self.of(item, where) for item in value)]  # type: ignore[attr-defined]
        if type(value) is dict:
            return ["dict", *([self.of(key, where), self.of(item, where)] for key, item in value.items())]
        try:
            return ["value", self.values.digest(value, where)]
        except InvalidValue:
            return None

    def function(self, function: FunctionType, where: str) -> Json:
        if _package(function) != self.package:
            return ["named", _name(function)]
        number = self.enter(function)
        if number is not None:
            return ["again", number]
        closed = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        return [
            "function",
            self.code(function.__code__, function.__globals__),
            [self.of(value, f"{where}, a default") for value in function.__defaults__ or ()],
            [
                [k, self.of(value, f"{where}, default of {k}")]
                for k, value in (function.__kwdefaults__ or {}).items()
            ],
            [self.cell(cell, f"{where}, its variable '{name}'") for name, cell in closed],
        ]

    def cell(self, cell: Any, where: str) -> Json:
        try:
            value = cell.cell_contents
        except ValueError:
            return ["empty"]
        return self.of(value, where)

    def type_(self, cls: type, where: str) -> Json:
        if _package(cls) != self.package:
            return ["named", _name(cls)]
        number = self.enter(cls)
        if number is not None:
            return ["again", number]
        self.in_class += 1
        parts: list[Json] = []
        for name, member in vars(cls).items():
            methods = _methods(member)
            parts.extend([name, self.function(method, where)] for method in methods)
            if not methods and not name.startswith("__"):
                parts.append([name, self.of(member, where)])
        bases = [self.type_(base, where) for base in cls.__bases__]
        self.in_class -= 1
        return ["class", _name(cls), parts, bases]

    def enter(self, value: object) -> int | None:
        if id(value) in self.seen:
            return self.seen[id(value)]
        self.seen[id(value)] = len(self.seen)
        self.alive.append(value)
        return None

    def code(self, code: CodeType, names: dict[str, Any]) -> Json:
        """The instructions with their arguments resolved, and what their global names reach."""
        steps = [step for step in dis.get_instructions(code) if step.opname not in _IGNORED]
        places = {step.offset: place for place, step in enumerate(steps)}
        told: list[Json] = [[step.opname, self.argument(step, places, names)] for step in steps]
        shape: list[Json] = [code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags]
        reached: list[Json] = [
            [name, self.known(value, name) or ["of", _name(type(value))]]
            for name, value in _reached(steps, names, self.package)
        ]
        return [shape, told, list(code.co_exceptiontable), reached]

    def argument(self, step: dis.Instruction, places: dict[int, int], names: dict[str, Any]) -> Json:
        if step.opcode in dis.hasjrel or step.opcode in dis.hasjabs:
            return places.get(int(step.argval), int(step.argval))
        if step.opcode in dis.hasconst:
            return self.constant(step.argval, names)
        if step.opcode in dis.hasname:
            return str(step.argval)
        return step.arg

    def constant(self, value: object, names: dict[str, Any]) -> Json:
        if isinstance(value, CodeType):
            return ["code", self.code(value, names)]
        if isinstance(value, tuple):
            return ["tuple", *(self.constant(item, names) for item in value)]
        if isinstance(value, frozenset):
            return ["set", *sorted(digest(self.constant(item, names)) for item in value)]
        return [type(value).__name__, repr(value)]


def _reached(steps: list[dis.Instruction], names: dict[str, Any], package: str) -> Iterator[tuple[str, object]]:
    # A module of the same package is not an end: what is taken from it is what counts.
    for at, step in enumerate(steps):
        if step.opname not in {"LOAD_GLOBAL", "LOAD_NAME"} or step.argval not in names:
            continue
        name, value = str(step.argval), names[step.argval]
        for following in steps[at + 1 :]:
            own_module = isinstance(value, ModuleType) and value.__name__.partition(".")[0] == package
            if not own_module or following.opname not in _ATTRIBUTES or not hasattr(value, following.argval):
                break
            name, value = f"{name}.{following.argval}", getattr(value, following.argval)
        yield name, value


def _methods(member: object) -> list[FunctionType]:
    parts = (member.fget, member.fset) if isinstance(member, property) else (getattr(member, "__func__", member),)
    return [part for part in parts if isinstance(part, FunctionType)]


def _package(value: object) -> str:
    return str(getattr(value, "__module__", None) or "").partition(".")[0]


def _name(value: object) -> str:
    module = getattr(value, "__module__", None) or type(value).__module__
    return (
        f"{module}.{getattr(value, '__qualname__', None) or getattr(value, '__name__', type(value).__qualname__)}"
    )
