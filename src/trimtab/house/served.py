"""Loading a release into a worker: verified by digest, with its own feature definitions."""

from __future__ import annotations

from collections.abc import Sequence

from trimtab.features.online_features import OnlineFeatures
from trimtab.house.code import PinnedCode
from trimtab.kernel.canonical import JsonMap
from trimtab.kernel.release import Release
from trimtab.ports.blobs import Blobs
from trimtab.ports.feature_reader import FeatureReader
from trimtab.ports.online_store import OnlineReader
from trimtab.ports.predictor import ModelFormat, Predictor
from trimtab.ports.served_release import Answers
from trimtab.registry.releases import ReleaseReader
from trimtab.stats.encoding import Encoder


class LoadedRelease:
    """Implements ServedRelease: look up, encode, predict."""

    def __init__(self, release: Release, features: FeatureReader, predictor: Predictor) -> None:
        self.digest = release.digest
        self.feature_names = tuple(one.name for one in release.features)
        self.view_names = features.views
        self.key = release.key
        self._features = features
        self._encoder = Encoder(release.features)
        self._predictor = predictor

    def answer(self, rows: Sequence[JsonMap], at_us: Sequence[int]) -> Answers:
        """Scores with the features that they were made from."""
        block = self._features.read(rows, at_us)
        scores = self._predictor.predict(self._encoder.matrix(block.values))
        return Answers(scores.tolist(), block.values, block.ages_us)


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
