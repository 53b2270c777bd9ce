"""A release: the immutable bundle that goes to production together, and is rolled back together."""

from __future__ import annotations

from dataclasses import dataclass, field

from trimtab.kernel.canonical import Json, JsonMap, digest
from trimtab.kernel.feature_schema import Feature, feature_from


@dataclass(frozen=True)
class Release:
    """Everything that decides an answer, by digest. The same content has the same digest on every machine."""

    system: str
    model: str  # digest of the model's blob
    model_format: str
    code: str  # digest of the project's code as of training: view definitions are loaded from it
    features: tuple[Feature, ...]
    views: tuple[tuple[str, str], ...]  # (view, digest of its definition), in the order of the system
    request: tuple[tuple[str, str], ...]  # (field, Polars type) of a prediction request
    key: str  # the request field that names the row
    label: JsonMap  # the label's definition
    training: JsonMap  # dataset versions, period, rows, digest of the training set
    verdicts: tuple[JsonMap, ...]
    environment: JsonMap  # Python and library versions
    predictor: JsonMap = field(default_factory=dict)  # what was proved of the fast path; empty: nothing

    def body(self) -> dict[str, Json]:
        """As stored: the bytes whose SHA-256 names the release."""
        body: dict[str, Json] = {
            "schema": 1,
            "system": self.system,
            "model": self.model,
            "model_format": self.model_format,
            "code": self.code,
            "features": [one.body() for one in self.features],
            "views": [list(one) for one in self.views],
            "request": [list(one) for one in self.request],
            "key": self.key,
            "label": dict(self.label),
            "training": dict(self.training),
            "verdicts": [dict(one) for one in self.verdicts],
            "environment": dict(self.environment),
        }
        if self.predictor:  # left out of older releases, whose bytes must stay what they are
            body["predictor"] = dict(self.predictor)
        return body

    @property
    def digest(self) -> str:
        """Content address."""
        return digest(self.body())

    @property
    def definition(self) -> str:
        """Of its features: releases with the same one look up the same values, and can score each other's rows."""
        return digest(
            [
                [list(one) for one in self.views],
                [one.name for one in self.features],
                [list(one) for one in self.request],
            ]
        )


def release_from(body: JsonMap) -> Release:
    """Read back what `Release.body` wrote."""
    fields = {name: value for name, value in body.items() if name != "schema"}
    fields["features"] = tuple(feature_from(one) for one in body["features"])  # type: ignore[assignment,union-attr,arg-type]
    for name in ("views", "request"):
        fields[name] = tuple(tuple(one) for one in body[name])  # type: ignore[assignment,union-attr,arg-type]
    fields["verdicts"] = tuple(body["verdicts"])  # type: ignore[assignment,arg-type]
    return Release(**fields)  # type: ignore[arg-type]
