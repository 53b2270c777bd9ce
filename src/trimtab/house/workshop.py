"""What training needs of data, features and registry."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trimtab.data.reading import open_source
from trimtab.data.versions import Versions
from trimtab.features.bitemporal_join import VisibleFacts
from trimtab.features.names import feature_names
from trimtab.features.offline import offline_features
from trimtab.features.prepared import PreparedFacts
from trimtab.features.reach import reaching
from trimtab.features.request_frame import TYPES
from trimtab.features.view import FeatureView
from trimtab.house.code import PinnedCode
from trimtab.house.labelled_questions import labelled_questions, pinned, pinned_number
from trimtab.house.stored_models import StoredModels
from trimtab.kernel.canonical import Json, short
from trimtab.kernel.moment import from_us
from trimtab.ports.blobs import Blobs
from trimtab.ports.predictor import ModelFormat
from trimtab.registry.releases import ReleaseReader
from trimtab.system import System
from trimtab.training.pipeline import AT, KEY
from trimtab.training.spec import TrainingSpec
from trimtab.training.training_data import TrainingData, encode


class SystemWorkshop:
    """Implements training's Workshop for one system."""

    def __init__(
        self,
        system: System,
        project: Path,
        *,
        versions: Versions,
        releases: ReleaseReader,
        blobs: Blobs,
        code: PinnedCode,
        models: StoredModels,
        prepared: PreparedFacts,
    ) -> None:
        self._system = system
        self._versions = versions
        self._releases = releases
        self._blobs = blobs
        self._code = code
        self._models = models
        self._prepared = prepared
        self.request = system.request_types(project)
        request = pl.Schema({name: TYPES[kind] for name, kind in self.request})
        schemas = {source.name: open_source(source, project).collect_schema() for source in system.sources}
        self.feature_names = feature_names(system.feature_set, request, schemas)

    def training_set(self, spec: TrainingSpec) -> pl.DataFrame:
        """Questions asked, and answered by the truth, up to the spec's instant."""
        features, facts = self._system.feature_set, pinned(self._versions, spec)

        def prepared(view: FeatureView) -> tuple[VisibleFacts | None, pl.LazyFrame]:
            source = features.source_of(view)
            return self._prepared.read(view, features.version_of(view), source, pinned_number(spec, source.name))

        return labelled_questions(self._system, from_us(spec.until_us), facts, prepared)

    def labelled(self, until: datetime) -> pl.DataFrame:
        """`training_set` of the newest dataset versions."""
        return labelled_questions(self._system, until, self._versions.frame)

    def fit(self, data: TrainingData) -> bytes:
        """The user's function, and its model in a format that holds no code unless the system allows one."""
        system = self._system
        return self._models.store(system.train(data), system.allow_formats, where=system.place)

    def model_format(self, model: bytes) -> ModelFormat:
        """The format that these bytes are in."""
        return self._models.of(model)

    def predict(self, model: bytes, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores of a stored model: what is judged is what would be served."""
        self._check(model)
        return self._models.predict(model, matrix)

    def prove(self, model: bytes, matrix: NDArray[np.float64]) -> dict[str, Json]:
        """Whether the model's fast path says the same as its plain one to real rows."""
        self._check(model)
        return self._models.prove(model, matrix)

    def champion_scores(self, release: str, questions: pl.DataFrame) -> NDArray[np.float64]:
        """The champion with its own features and its own code."""
        champion = self._releases.get(release)
        system = self._code.system(champion)
        rows = questions.rename({KEY: self._system.question.key})
        since = rows[AT].min()
        assert isinstance(since, datetime)
        facts = reaching(system.feature_set, self._versions.frame, since)
        features = offline_features(system.feature_set, rows, AT, facts)
        data = self._blobs.get(champion.model)
        self._models.check(champion.model_format, system.allow_formats, of=f"release {short(release)}")
        return self._models.predict(data, encode(features, champion.features))

    def _check(self, model: bytes) -> None:
        name, of = self._models.of(model).name, f"system {self._system.name}"
        self._models.check(name, self._system.allow_formats, of=of)
