"""Loading a release into a worker: verified by digest, with its own feature definitions."""

from __future__ import annotations

from collections.abc import Sequence

from trimtab.features.online_features import OnlineFeatures
from trimtab.house.code import PinnedCode
from trimtab.kernel.canonical import JsonMap, digest
from trimtab.kernel.release import Release
from trimtab.ports.blobs import Blobs
from trimtab.ports.feature_reader import FeatureBlock, FeatureReader
from trimtab.ports.online_store import OnlineReader
from trimtab.ports.predictor import ModelFormat, Predictor
from trimtab.registry.releases import ReleaseReader
from trimtab.stats.encoding import Encoder


class LoadedRelease:
    """Implements ServedRelease: look up, encode, predict."""

    def __init__(self, release: Release, features: FeatureReader, predictor: Predictor) -> None:
        self.digest = release.digest
        self.definition = digest(
            [
                [list(one) for one in release.views],
                [one.name for one in release.features],
                [list(one) for one in release.request],
            ]
        )
        self.view_names = features.views
        self.feature_names = features.names
        self.key = release.key
        self.request = release.request
        self._features = features
        self._encoder = Encoder(release.features)
        self._predictor = predictor

    def look_up(self, rows: Sequence[JsonMap], at_us: Sequence[int]) -> FeatureBlock:
        """The features of each row."""
        return self._features.read(rows, at_us)

    def score(self, block: FeatureBlock) -> list[float]:
        """What the model says to each row."""
        scores: list[float] = self._predictor.predict(self._encoder.matrix(block.values)).tolist()
        return scores


class Loader:
    """Implements ReleaseLoader."""

    def __init__(
        self,
        releases: ReleaseReader,
        blobs: Blobs,
        code: PinnedCode,
        store: OnlineReader,
        formats: Sequence[ModelFormat],
    ) -> None:
        self._releases = releases
        self._blobs = blobs
        self._code = code
        self._store = store
        self._formats = {one.name: one for one in formats}

    def __call__(self, digest: str) -> LoadedRelease:
        """The release, ready to answer."""
        release = self._releases.get(digest)
        system = self._code.system(release)
        names = [one.name for one in release.features]
        features = OnlineFeatures(system.feature_set, names, release.request, self._store)
        model = self._formats[release.model_format].load(self._blobs.get(release.model))
        return LoadedRelease(release, features, model)
