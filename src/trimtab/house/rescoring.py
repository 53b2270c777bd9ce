"""Rescoring: releases score rows again from recorded features, by the path that answers online."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from trimtab.house.code import PinnedCode
from trimtab.house.stored_models import StoredModels
from trimtab.kernel.canonical import Json
from trimtab.kernel.release import Release
from trimtab.ports.blobs import Blobs
from trimtab.ports.predictor import Predictor, RowPredictor
from trimtab.registry.releases import ReleaseReader
from trimtab.stats.encoding import Encoder

_OPEN = 2  # models that stay open: a champion's and a canary's


class Rescoring:
    """Implements RecordedScorer."""

    def __init__(self, releases: ReleaseReader, blobs: Blobs, code: PinnedCode, models: StoredModels) -> None:
        self._blobs = blobs
        self._code = code
        self._models = models
        self._release = lru_cache(maxsize=16)(releases.get)
        self._model = lru_cache(maxsize=_OPEN)(self._opened)

    def definition(self, release: str) -> str:
        """Of a release's features."""
        return self._release(release).definition

    def score(self, release: str, rows: Sequence[Sequence[Json]]) -> list[float]:
        """What a release says to rows of feature values."""
        return self._model(release).score(rows)

    def _opened(self, digest: str) -> _Model:
        """As a worker opens it: on the quickest path that was proved."""
        release = self._release(digest)
        allowed = self._code.system(release).allow_formats
        return _Model(release, self._models.open(release, self._blobs.get(release.model), allowed).predictor)


class _Model:
    def __init__(self, release: Release, predictor: Predictor) -> None:
        self._encoder = Encoder(release.features)
        self._predictor = predictor

    def score(self, rows: Sequence[Sequence[Json]]) -> list[float]:
        if isinstance(self._predictor, RowPredictor):
            return self._predictor.predict_rows([list(row) for row in rows])
        scores: list[float] = self._predictor.predict(self._encoder.matrix(rows)).tolist()
        return scores
