"""How the benchmark's models are kept: what the one that makes them and the workers that answer with them share."""

from __future__ import annotations

from trimtab.adapters.model_lightgbm import LightgbmText
from trimtab.adapters.model_sklearn import SklearnSkops
from trimtab.house.stored_models import StoredModels
from trimtab.ports.predictor import ModelFormat

NAMES = [f"f{number}" for number in range(20)]
FORMATS: dict[str, ModelFormat] = {"lightgbm": LightgbmText(), "forest": SklearnSkops(), "logistic": SklearnSkops()}
FILES = {"lightgbm": "model.txt", "forest": "forest.skops", "logistic": "logistic.skops"}
MODELS = StoredModels((LightgbmText(), SklearnSkops()))
