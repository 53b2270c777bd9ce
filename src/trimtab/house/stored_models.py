"""Stored models: which format a model is kept in, whether a system allows it, and which of its paths answers.

A fast path answers only where the release holds the proof that it is the plain path's equal on real rows, made with
the versions of the libraries that are installed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from numpy.typing import NDArray

from trimtab.kernel.canonical import Json, JsonMap
from trimtab.kernel.errors import InvalidValue, Refused, UnknownName, listed
from trimtab.kernel.release import Release
from trimtab.ports.predictor import ModelFormat, NoFastPath, Predictor

PROOF_ROWS = 2_000
_PATH = 2  # of the fast paths: raised whenever one of them begins to compute in another way
_FEW_ROWS = 200  # are enough to choose a path for one matrix, all of which is looked at later


@dataclass(frozen=True)
class Opened:
    """A release's model, ready to answer."""

    predictor: Predictor
    fast: bool
    because: str  # why it is not the fast path; "" if it is


class StoredModels:
    """The formats, in the order in which they are tried: those that hold no code first."""

    def __init__(self, formats: Sequence[ModelFormat]) -> None:
        self._formats = sorted(formats, key=lambda one: one.runs_code)

    def named(self, name: str) -> ModelFormat:
        """The format of a name.

        Raises:
            UnknownName: there is none.
        """
        for one in self._formats:
            if one.name == name:
                return one
        raise UnknownName(
            "model format",
            name,
            (one.name for one in self._formats),
            do="install the Trimtab version that made the release",
        )

    def of(self, data: bytes) -> ModelFormat:
        """The format that bytes are in.

        Raises:
            InvalidValue: none knows them.
        """
        for one in self._formats:
            if one.recognises(data):
                return one
        raise InvalidValue("model", "bytes of no known format", allowed=listed(one.name for one in self._formats))

    def store(self, model: object, allowed: Sequence[str], *, where: str) -> bytes:
        """A model's bytes, in the first format that takes it and that the system allows.

        Args:
            model: what a training function returned.
            allowed: names of formats that run code, and that the system allows.
            where: the system's place, for the message.

        Raises:
            InvalidValue: no format takes it, or only one that the system does not allow.
        """
        refused: list[InvalidValue] = []
        for one in self._allowed(allowed):
            if one.accepts(model):
                try:
                    return one.dump(model)
                except InvalidValue as error:  # perhaps a format that the system allows takes it
                    refused.append(error)
        if refused:
            raise refused[0].at(where)
        barred = [one for one in self._formats if one.runs_code and one.name not in allowed]
        ways = [f"allow System(…, allow_formats=['{one.name}'])" for one in barred if one.accepts(model)]
        raise InvalidValue(
            "what the training function returned",
            type(model).__name__,
            allowed=listed(one.name for one in self._allowed(allowed)),
            where=where,
            do=" or ".join(["return a model that one of these formats can store", *ways]),
        )

    def check(self, name: str, allowed: Sequence[str], *, of: str) -> ModelFormat:
        """The format of a name, if it may be loaded.

        Raises:
            Refused: loading it runs code, and the system does not allow it by name.
            UnknownName: there is none.
        """
        found = self.named(name)
        if found.runs_code and name not in allowed:
            raise Refused(
                f"loading the model of {of}",
                because=f"its format '{name}' runs code when it is loaded",
                allowed=listed(one.name for one in self._allowed(allowed)),
                do=f"allow it by name, System(…, allow_formats=['{name}']), and train and release again",
            )
        return found

    def predict(self, data: bytes, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores of a stored model, by the path that would answer: some models take milliseconds for a row."""
        kept = self.of(data)
        fast = kept.fast(data)
        proved = not isinstance(fast, NoFastPath) and self.prove(data, matrix, most=_FEW_ROWS)["fast"]
        predictor = fast if proved and not isinstance(fast, NoFastPath) else kept.load(data)
        return predictor.predict(matrix)

    def prove(self, data: bytes, matrix: NDArray[np.float64], *, most: int = PROOF_ROWS) -> dict[str, Json]:
        """What the fast path of a model says to real rows, each alone and all together, beside the plain path.

        Args:
            data: a stored model.
            matrix: real rows, encoded.
            most: how many of them are scored, the last ones.
        """
        kept = self.of(data)
        fast = kept.fast(data)
        if isinstance(fast, NoFastPath):
            return {"fast": False, "because": fast.because}
        rows = np.ascontiguousarray(matrix[-most:])
        plain = kept.load(data).predict(rows)
        try:
            alone = [fast.predict(rows[place : place + 1]) for place in range(len(rows))]
            largest = _largest(plain, fast.predict(rows), np.concatenate([plain[:0], *alone]))
        except Exception as error:  # whatever it is, the plain path answers
            return {"fast": False, "because": f"it fails on real rows: {type(error).__name__}: {error}"[:300]}
        proof: dict[str, Json] = {
            "fast": bool(len(rows)) and largest is not None and largest <= kept.tolerance,
            "tolerance": kept.tolerance,
            "rows": len(rows),
            "largest_difference": largest,
            "libraries": _versions(kept),
            "path": _PATH,
        }
        if not proof["fast"]:
            proof["because"] = _unequal(len(rows), largest, kept.tolerance)
        return proof

    def open(self, release: Release, data: bytes, allowed: Sequence[str]) -> Opened:
        """A release's model on the quickest path that was proved.

        Raises:
            Refused: its format runs code, and `allowed` does not name it.
            Corrupt, ProjectInvalid: as the format says.
        """
        kept = self.check(release.model_format, allowed, of=f"release {release.digest[:12]}")
        because = _unproved(release.predictor, kept)
        if not because:
            fast = kept.fast(data)
            if not isinstance(fast, NoFastPath):
                return Opened(fast, True, "")
            because = fast.because
        return Opened(kept.load(data), False, because)

    def _allowed(self, names: Sequence[str]) -> Iterator[ModelFormat]:
        return (one for one in self._formats if not one.runs_code or one.name in names)


def _largest(plain: NDArray[np.float64], *others: NDArray[np.float64]) -> float | None:
    """The largest difference; None if one path has a number where the other has none."""
    largest = 0.0
    for other in others:
        if other.shape != plain.shape or (np.isnan(other) != np.isnan(plain)).any():
            return None
        differing = plain[plain != other] - other[plain != other]
        differing = differing[~np.isnan(differing)]
        if differing.size:
            largest = max(largest, float(np.abs(differing).max()))
    return largest if np.isfinite(largest) else None


def _unequal(rows: int, largest: float | None, tolerance: float) -> str:
    if not rows:
        return "there was no row to prove it on"
    if largest is None:
        return "it gives a number where the plain path gives none, or the reverse"
    return f"it differs by up to {largest:.3g} from the plain path; {tolerance:.3g} is allowed"


def _unproved(proof: JsonMap, kept: ModelFormat) -> str:
    """Why the fast path may not be used; "" if it may."""
    if not proof:
        return "the release holds no proof of a fast path"
    if proof.get("fast") is not True:
        return str(proof.get("because", "it was not proved equal"))
    if proof.get("path", 1) != _PATH:
        return "it was proved of a fast path that another version of Trimtab has"
    made_with, here = proof.get("libraries"), _versions(kept)
    if made_with != here:
        return f"it was proved with {_said(made_with)}, and {_said(here)} is installed"
    return ""


def _versions(kept: ModelFormat) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name in kept.libraries:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _said(libraries: Json) -> str:
    return ", ".join(f"{name} {one}" for name, one in libraries.items()) if isinstance(libraries, dict) else "?"
