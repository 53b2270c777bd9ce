"""MLflow models of several flavours, logged as any tool logs them. Run as a program: FOLDER."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import lightgbm
import mlflow
import mlflow.lightgbm
import mlflow.onnx
import mlflow.pyfunc
import mlflow.sklearn
import mlflow.xgboost
import numpy as np
import pandas
import xgboost
from mlflow.models import infer_signature
from mlflow.pyfunc import PythonModel  # type: ignore[attr-defined]
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from tests.adapters.own_step import OwnStep

QUIET = {"objective": "binary", "verbose": -1, "num_threads": 1}


class Long(PythonModel):
    """Text in, a number out."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:  # noqa: ARG002 - MLflow's
        return (model_input["city"].str.len() * model_input["age"]).tolist()


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")
    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    mlflow.set_experiment(
        experiment_id=mlflow.create_experiment("models", artifact_location=f"file://{folder}/kept")
    )
    rng = np.random.default_rng(0)
    x = pandas.DataFrame(rng.normal(size=(300, 3)), columns=["age", "income", "score"])
    y = (x["age"] + rng.normal(size=300) > 0).astype(int)
    booster = lightgbm.train(QUIET, lightgbm.Dataset(x, y), 10)
    linear = LogisticRegression().fit(x, y)
    steps = make_pipeline(OwnStep(), Ridge()).fit(x, y)
    boosted = xgboost.XGBClassifier(n_estimators=5, n_jobs=1).fit(x, y)
    sizes = pandas.DataFrame({"age": x["age"], "size": pandas.Series([30, 10, 20] * 100, dtype="category")})
    sized = lightgbm.train(QUIET, lightgbm.Dataset(sizes, y), 10)
    plain = sizes.astype({"size": "int64"})
    graph = to_onnx(linear, x.to_numpy()[:1], options={"zipmap": False})
    words = pandas.DataFrame({"city": ["ams", "berlin"], "age": [1.5, 2.0]})

    def log(flavour: Any, model: Any, name: str, example: Any, **more: Any) -> None:
        given = {"signature": infer_signature(example, [1.0]), "input_example": example[:40], **more}
        flavour.log_model(model, name=name, registered_model_name=name, pip_requirements=[], **given)

    with mlflow.start_run():
        log(mlflow.lightgbm, booster, "Churn", x)
        log(mlflow.sklearn, linear, "Churn", x)
        log(mlflow.sklearn, steps, "own_step", x, serialization_format="cloudpickle")
        log(mlflow.xgboost, boosted, "boosted", x)
        log(mlflow.lightgbm, sized, "sized", plain)
        log(mlflow.sklearn, linear, "narrow", x.astype("float32"))
        log(mlflow.sklearn, linear, "unsigned", x, signature=False, input_example=None)
        log(mlflow.onnx, graph, "graph", x.to_numpy())
        log(mlflow.sklearn, linear, "dated", x.assign(day=pandas.Timestamp("2024-01-01")), input_example=None)
        mlflow.pyfunc.log_model(
            name="long",
            python_model=Long(),
            registered_model_name="long",
            signature=infer_signature(words, [1.0]),
            input_example=words,
            pip_requirements=[],
            code_paths=[],
        )
    mlflow.MlflowClient().set_registered_model_alias("Churn", "champion", "1")
    mlflow.sklearn.save_model(linear, folder / "saved", signature=infer_signature(x, [1.0]), pip_requirements=[])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
