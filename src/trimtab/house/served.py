"""Loading a release into a worker: verified by digest, with its own feature definitions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trimtab.features.given import GivenFeatures
from trimtab.features.online_features import OnlineFeatures
from trimtab.house.code import PinnedCode
from trimtab.house.stored_models import StoredModels
from trimtab.kernel.canonical import JsonMap, short
from trimtab.kernel.errors import RequestInvalid
from trimtab.kernel.release import Release
from trimtab.ports.blobs import Blobs
from trimtab.ports.fallback import Fallback
from trimtab.ports.feature_reader import FeatureBlock, FeatureReader
from trimtab.ports.online_store import OnlineReader
from trimtab.ports.predictor import Predictor, RowPredictor
from trimtab.registry.releases import ReleaseReader
from trimtab.stats.encoding import Encoder


class LoadedRelease:
    """Implements ServedRelease: look up, encode, predict."""

    def __init__(
        self, release: Release, features: FeatureReader, predictor: Predictor, fallback: Sequence[Fallback] = ()
    ) -> None:
        self.digest = release.digest
        self.definition = release.definition
        self.view_names = features.views
        self.feature_names = features.names
        self.key = release.key
        self.request = release.request
        self.fallback = fallback
        self._features = features
        self._given = GivenFeatures(release.features, release.request, release.key)
        self._encoder = Encoder(release.features)
        self._predictor = predictor
        # Categories of the schema are codes in a matrix; a predictor of values takes them as they are.
        self._by_value = predictor if isinstance(predictor, RowPredictor) else None

    def look_up(self, rows: Sequence[JsonMap], at_us: Sequence[int]) -> FeatureBlock:
        """The features of each row."""
        try:
            return self._features.read(rows, at_us)
        except RequestInvalid:
            # Only now is it asked for rows that bring their features: the others must not wait for that.
            if not self._given.among(rows):
                raise
        return self._given.read(rows, at_us, self._features.read)

    def score(self, block: FeatureBlock) -> list[float]:
        """What the model says to each row."""
        if self._by_value is not None:
            return self._by_value.predict_rows(block.values)
        numbers = block.numbers if self._encoder.takes_numbers else None
        if numbers is not None and block.sent is not None:
            numbers = numbers.copy()  # a model may write into its matrix, and these are yet to be recorded
        matrix = self._encoder.matrix(block.values) if numbers is None else numbers
        scores: list[float] = self._predictor.predict(matrix).tolist()
        return scores


class Loader:
    """Implements ReleaseLoader."""

    def __init__(
        self,
        releases: ReleaseReader,
        blobs: Blobs,
        code: PinnedCode,
        store: OnlineReader,
        models: StoredModels,
        report: Callable[[str], None],
    ) -> None:
        self._releases = releases
        self._blobs = blobs
        self._code = code
        self._store = store
        self._models = models
        self._report = report

    def __call__(self, digest: str) -> LoadedRelease:
        """The release, ready to answer; a model that could be quicker is told of."""
        release = self._releases.get(digest)
        system = self._code.system(release)
        names = [one.name for one in release.features]
        features = OnlineFeatures(system.feature_set, names, release.request, self._store)
        model = self._models.open(release, self._blobs.get(release.model), system.allow_formats)
        if not model.fast:
            self._report(f"release {short(digest)} answers by the plain path: {model.because}")
        return LoadedRelease(release, features, model.predictor, system.fallback)
