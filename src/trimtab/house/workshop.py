"""What training needs of data, features and registry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trimtab.data.reading import open_source
from trimtab.data.versions import Versions
from trimtab.features.names import feature_names
from trimtab.features.offline import Facts, offline_features
from trimtab.features.reach import reaching
from trimtab.features.request_frame import TYPES
from trimtab.house.code import PinnedCode
from trimtab.kernel.errors import Corrupt, InvalidValue, listed
from trimtab.kernel.moment import from_us
from trimtab.ports.blobs import Blobs
from trimtab.ports.predictor import ModelFormat, Predictor
from trimtab.registry.releases import ReleaseReader
from trimtab.system import System
from trimtab.training.pipeline import AT, KEY, LABEL
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
        formats: Sequence[ModelFormat],
    ) -> None:
        self._system = system
        self._versions = versions
        self._releases = releases
        self._blobs = blobs
        self._code = code
        self._formats = formats
        self.request = system.request_types(project)
        request = pl.Schema({name: TYPES[kind] for name, kind in self.request})
        schemas = {source.name: open_source(source, project).collect_schema() for source in system.sources}
        self.feature_names = feature_names(system.feature_set, request, schemas)

    def training_set(self, spec: TrainingSpec) -> pl.DataFrame:
        """Questions asked, and answered by the truth, up to the spec's instant."""
        return self._labelled(from_us(spec.until_us), lambda name: self._facts(spec, name))

    def labelled(self, until: datetime) -> pl.DataFrame:
        """`training_set` of the newest dataset versions."""
        return self._labelled(until, self._versions.frame)

    def _labelled(self, until: datetime, facts: Facts) -> pl.DataFrame:
        system = self._system
        asked, label = system.question, system.label
        fields = [name for name in system.request_fields if name != asked.key]
        truth = (
            facts(label.source.name)
            .filter(pl.col(label.source.known) <= until, pl.col(label.column).is_not_null())
            .sort(label.source.known, maintain_order=True)
            .group_by(label.source.keys[0], maintain_order=True)
            .last()
            .select(pl.col(label.source.keys[0]).alias(asked.key), pl.col(label.column).alias(LABEL))
        )
        questions = (
            facts(asked.source.name)
            .filter(pl.col(asked.at) <= until)
            .unique(asked.key, keep="last", maintain_order=True)
            .select(pl.col(asked.key), *fields, pl.col(asked.at).alias(AT))
            .join(truth, on=asked.key)
            .sort(AT, asked.key)
            .collect()
        )
        features = offline_features(system.feature_set, questions, AT, facts)
        return pl.concat([questions.rename({asked.key: KEY}), features], how="horizontal")

    def fit(self, data: TrainingData) -> bytes:
        """The user's function, and its model in a format that holds no code."""
        model = self._system.train(data)
        return self._format(model).dump(model)

    def model_format(self, model: bytes) -> str:
        """The name of the format that these bytes are in."""
        return self._read(model)[0]

    def predict(self, model: bytes, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores of a stored model: what is judged is what would be served."""
        return self._read(model)[1].predict(matrix)

    def champion_scores(self, release: str, questions: pl.DataFrame) -> NDArray[np.float64]:
        """The champion with its own features and its own code."""
        champion = self._releases.get(release)
        system = self._code.system(champion)
        rows = questions.rename({KEY: self._system.question.key})
        since = rows[AT].min()
        assert isinstance(since, datetime)
        facts = reaching(system.feature_set, self._versions.frame, since)
        features = offline_features(system.feature_set, rows, AT, facts)
        predictor = next(one for one in self._formats if one.name == champion.model_format)
        return predictor.load(self._blobs.get(champion.model)).predict(encode(features, champion.features))

    def _read(self, model: bytes) -> tuple[str, Predictor]:
        for one in self._formats:
            try:
                return one.name, one.load(model)
            except Corrupt:
                continue
        raise InvalidValue("model", "bytes of no known format", allowed=listed(one.name for one in self._formats))

    def _facts(self, spec: TrainingSpec, source: str) -> pl.LazyFrame:
        pinned = spec.sources[source]
        assert isinstance(pinned, list)
        number = pinned[0]
        assert isinstance(number, int)
        return self._versions.frame(source, number)

    def _format(self, model: object) -> ModelFormat:
        for one in self._formats:
            if one.accepts(model):
                return one
        raise InvalidValue(
            "what the training function returned",
            type(model).__name__,
            allowed=listed(one.name for one in self._formats),
            where=self._system.place,
            do="return a model that one of these formats can store",
        )
