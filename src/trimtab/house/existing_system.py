"""A system around a model that exists already: what is asked is what the model takes, and nothing is trained.

The truth may be sent as feedback. The file that declares it is written by `trimtab serve`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import polars as pl

from trimtab.data.feedback import feedback
from trimtab.features.on_request import RequestFeatures
from trimtab.features.request_frame import TYPES
from trimtab.kernel.errors import DeclarationInvalid, InvalidValue, Refused, TrimtabError, listed
from trimtab.kernel.label import GIVEN_LABEL, Label
from trimtab.kernel.place import caller
from trimtab.kernel.question import Question
from trimtab.system import System
from trimtab.training.check_formats import check_formats
from trimtab.training.training_data import TrainingData

MADE = "Made by trimtab serve"  # how the file begins that the command may write over


@dataclass(frozen=True, eq=False)
class ExistingSystem(System):
    """Implements what the house asks of a System, without sources of its own."""

    key: str = ""  # the request field that names a row; empty: each row gets a name of its own
    inputs: tuple[tuple[str, str], ...] = ()  # (field, type), in the model's order

    @property
    def request_fields(self) -> tuple[str, ...]:
        """The key, if there is one, then the inputs."""
        return tuple(dict.fromkeys((*([self.key] if self.key else []), *(name for name, _ in self.inputs))))

    @property
    def holdout_us(self) -> int:
        """Of a training, of which there is none.

        Raises:
            Refused: always.
        """
        return _untrained()

    def request_types(self, project: Path) -> tuple[tuple[str, str], ...]:  # noqa: ARG002 - as of System
        """(field, type) of a request; a key that is no input is text."""
        kinds = dict(self.inputs)
        return tuple((name, kinds.get(name, "String")) for name in self.request_fields)

    def check(self, project: Path) -> None:  # noqa: ARG002 - as of System
        """That the inputs can be asked for.

        Raises:
            DeclarationInvalid: with all problems.
        """
        problems: list[TrimtabError] = [
            InvalidValue(f"the type of input '{name}'", kind, allowed=listed(TYPES), where=self.place)
            for name, kind in self.inputs
            if kind not in TYPES
        ]
        problems += check_formats(self.allow_formats, self.name, self.place)
        if problems:
            raise DeclarationInvalid(self.name, problems)


def existing_system(
    name: str,
    *,
    request: RequestFeatures,
    inputs: Sequence[tuple[str, str]],
    key: str = "",
    allow_formats: Sequence[str] = (),
) -> ExistingSystem:
    """A system that serves a model which exists already.

    Args:
        name: as of any system.
        request: the features: the inputs as they are asked.
        inputs: (field, type), in the model's order.
        key: the request field that names a row, one of the inputs or beside them; empty: each row is given a name.
        allow_formats: as of any system.
    """
    place = caller(2)
    told = feedback(label=pl.Float64)
    return ExistingSystem(
        name=name,
        sources=[told],
        question=Question(told, at="at", fields=(), place=place),
        label=Label(told, GIVEN_LABEL, place=place),
        features=[request],
        train=_untrained,
        place=place,
        allow_formats=tuple(allow_formats),
        key=key,
        inputs=tuple(inputs),
    )


def _untrained(*_: TrainingData) -> NoReturn:
    """There is nothing to train."""
    raise Refused(
        "the training",
        because="the system serves a model that was trained elsewhere",
        allowed="systems with a training function",
        do="serve a newer version with trimtab serve, or declare a system of your own: trimtab init",
    )


def system_file(
    name: str, uri: str, *, inputs: Sequence[tuple[str, str]], key: str, allow_formats: Sequence[str]
) -> str:
    """The text of the file that declares such a system."""
    names = "".join(f"        {_text(field)},\n" for field, _ in inputs)
    kinds = "".join(f"        ({_text(field)}, {_text(kind)}),\n" for field, kind in inputs)
    settings: dict[str, Any] = {"key": key, "allow_formats": list(allow_formats)}
    rest = "".join(f"    {setting}={_text(value)},\n" for setting, value in settings.items() if value)
    return f"""{_text(f"{MADE} {uri}: what is changed here is lost when that is said again.")}

import polars as pl

import trimtab as tt
from trimtab.house.existing_system import existing_system


@tt.request_features
def request(asked: pl.LazyFrame) -> pl.LazyFrame:
    return asked.select(
{names}    )


system = existing_system(
    {_text(name)},
    request=request,
    inputs=[
{kinds}    ],
{rest})
"""


def _text(value: object) -> str:
    """As JSON, which is Python too for text and lists of it."""
    return json.dumps(value, ensure_ascii=False)
