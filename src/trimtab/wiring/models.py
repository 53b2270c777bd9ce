"""Formats of models, and models outside of any system."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from trimtab.adapters.model_lightgbm import LightgbmText
from trimtab.adapters.model_onnx import OnnxFile
from trimtab.adapters.model_pickle import PickledObject
from trimtab.adapters.model_pyfunc import MlflowFolder
from trimtab.adapters.model_sklearn import SklearnSkops
from trimtab.adapters.model_xgboost import XgboostUbj
from trimtab.house.stored_models import StoredModels
from trimtab.kernel.errors import NotAProject
from trimtab.ports.existing_models import ExistingModels
from trimtab.ports.predictor import ModelFormat
from trimtab.project import SETTINGS, open_project
from trimtab.wiring.late import adapter

# The first that takes a model stores it: boosters before scikit-learn, for their wrappers are its estimators too.
FORMATS: tuple[ModelFormat, ...] = (
    LightgbmText(),
    XgboostUbj(),
    SklearnSkops(),
    OnnxFile(),
    MlflowFolder(),
    PickledObject(),
)
MODELS = StoredModels(FORMATS)


def existing_models(folder: Path) -> ExistingModels:
    """Models outside of any system: those of the project that a folder belongs to, or of MLflow's own settings."""
    uri = os.environ.get(SETTINGS["tracking_uri"].environment, "")
    with suppress(NotAProject):
        project = open_project(folder)
        own = project.home / "mlflow.db"
        uri = project.settings["tracking_uri"] or (f"sqlite:///{own}" if own.exists() else "")
    models: ExistingModels = adapter("existing_models_mlflow").MlflowModels(uri)
    return models
