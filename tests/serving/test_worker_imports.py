import json
import subprocess
import sys
from pathlib import Path

import pytest

from trimtab.house.existing_system import system_file

# What a model itself needs is looked at where formats of models are tested.
HEAVY = (
    "dbos",
    "lightgbm",
    "mlflow",
    "onnxruntime",
    "pandas",
    "pandera",
    "scipy",
    "skops",
    "sklearn",
    "xgboost",
)
STARTED = """
import json, sys
from pathlib import Path
import trimtab.cli.worker
from trimtab.project import load_system
load_system(Path(sys.argv[1]), "system.py")
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules} & set(sys.argv[2:]))))
"""
SERVED = system_file("churn", "models:/churn/1", inputs=[("age", "Float64")], key="", allow_formats=[])
DECLARED = """
import polars as pl

import trimtab as tt

orders = tt.Source("orders", "orders.parquet", event_time="at", key="order_id", checks=[tt.checks.volume()])
returns = tt.Source("returns", "returns.parquet", event_time="at", known_time="known_at", key="order_id")

@tt.request_features
def order(request: pl.LazyFrame) -> pl.LazyFrame:
    return request.select("price")

@tt.feature_view(entity="shop")
def staff(orders: pl.LazyFrame) -> pl.LazyFrame:
    return orders

rate = tt.aggregate(returns, name="rate", by="shop", of="returned", windows=["3d"], how=["mean"])

system = tt.System(
    name="shop",
    sources=[orders, returns],
    question=tt.Question(orders, at="at", fields=("shop", "price")),
    label=tt.Label(returns, "returned", kind="binary"),
    features=[order, staff, rate],
    train=print,
    gates=[tt.gates.not_worse("log_loss")],
    rollout=tt.canary(),
    monitors=[tt.monitors.performance("roc_auc")],
    retrain=[tt.triggers.monthly()],
)
"""


@pytest.mark.parametrize("system", [SERVED, DECLARED], ids=["of trimtab serve", "declared"])
def test_a_worker_imports_no_library_of_the_control_plane(system: str, tmp_path: Path) -> None:
    """All of them are installed here. A declaration that imports pandera itself gets pandas with it."""
    (tmp_path / "system.py").write_text(system)
    done = subprocess.run(
        [sys.executable, "-c", STARTED, str(tmp_path), *HEAVY],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
