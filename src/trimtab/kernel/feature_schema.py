"""The features of a release: their order, their kinds, and the categories that training has seen."""

from __future__ import annotations

from dataclasses import dataclass

from trimtab.kernel.canonical import Json, JsonMap


@dataclass(frozen=True)
class Feature:
    """One column of the model's matrix."""

    name: str  # "view.column"
    categories: tuple[str, ...] | None = None  # None: a number; else: the code is the place in this list

    def body(self) -> dict[str, Json]:
        """As stored in the release."""
        return {"name": self.name, "categories": None if self.categories is None else list(self.categories)}


def feature_from(body: JsonMap) -> Feature:
    """Read back what `Feature.body` wrote."""
    categories = body["categories"]
    return Feature(str(body["name"]), None if categories is None else tuple(map(str, categories)))  # type: ignore[arg-type]
