"""Models that exist already, outside of any system: in a registry, under a run, in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from trimtab.kernel.canonical import Json


@dataclass(frozen=True)
class ModelInput:
    """One input of a model's signature."""

    name: str
    type: str  # of a request field, e.g. "Float64"
    narrow: bool = False  # the model was shown 32 bits: a wider number may fall on the other side of a threshold


@dataclass(frozen=True)
class ExistingModel:
    """One model, fetched."""

    uri: str  # "models:/churn/3"; an alias is replaced by what it stood for
    name: str  # of the model, without its version
    folder: Path
    facts: dict[str, Json]  # its run, flavours, versions: what its own metadata say
    inputs: tuple[ModelInput, ...]  # empty: it has no signature
    example: tuple[tuple[Json, ...], ...]  # rows that were kept with it, in the order of its inputs


@dataclass(frozen=True)
class Native:
    """A model as its own library has it: an object that a model format can store, or bytes in such a format."""

    flavour: str
    model: Any


class ExistingModels(Protocol):
    """Where they are."""

    def fetched(self, uri: str, fields: Sequence[str]) -> AbstractContextManager[ExistingModel]:
        """A model in a folder that lasts as long as the context.

        Args:
            uri: "models:/name/version", "models:/name@alias", "runs:/run/path", or a folder.
            fields: names of its inputs, all of them numbers, if it has no signature.

        Raises:
            InvalidValue: no such form, or a signature that a request cannot carry.
            NotFound: it is not there.
            TrackingFailed: the server does not answer.
        """
        ...

    def native(self, model: ExistingModel) -> Native | str:
        """The model without MLflow around it; or why that cannot be had. May run the model's code."""
        ...
