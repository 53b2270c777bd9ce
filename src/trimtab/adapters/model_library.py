"""Libraries of model families: imported when a model of the family is loaded, and not before.

A worker must not carry scikit-learn, pandas or MLflow for a model that needs none of them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from trimtab.kernel.errors import Corrupt, InvalidValue, ProjectInvalid


def library(module: str, *, of: str, extra: str) -> Any:
    """The module, imported.

    Args:
        module: its name, e.g. "xgboost".
        of: the model format that needs it, for the message.
        extra: of Trimtab, that brings it.

    Raises:
        ProjectInvalid: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ProjectInvalid(
            f"a model of format '{of}' needs a package that is not installed, or that is not whole",
            where=f"Python of this process: {sys.executable}",
            allowed=f"an environment that can import '{module}'",
            got=str(error).splitlines()[0][:200],
            do=f"pip install 'trimtab[{extra}]'",
        ) from error


def is_one_of(model: object, module: str, *names: str) -> bool:
    """Whether a model is of one of a module's classes; a module that nobody has imported has made no model."""
    found = sys.modules.get(module)
    kinds = [getattr(found, name, None) for name in names]
    return isinstance(model, tuple(kind for kind in kinds if isinstance(kind, type)))


def corrupt(what: str, *, allowed: str, got: object, do: str = "") -> Corrupt:
    """The bytes are not what the format writes."""
    said = str(got).strip() or type(got).__name__
    return Corrupt(
        what,
        where="model blob",
        allowed=allowed,
        got=said.splitlines()[0][:300],
        do=do or "train and release again; the blob was not written by this format",
    )


def several_outputs(family: str, count: int) -> InvalidValue:
    """A model that says more than one number to a row."""
    return InvalidValue(
        f"a {family} model",
        f"{count} numbers a row",
        allowed="one number a row: a score, or the probability of yes",
        do="train a binary classifier or a regressor, or return a function that makes one number of them",
    )
