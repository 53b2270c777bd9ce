"""Will an order be returned? A system that is small enough to live a month in seconds."""

from __future__ import annotations

import lightgbm
import pandera.polars as pa
import polars as pl

import trimtab as tt

OrderContract = pa.DataFrameSchema(
    {
        "order_id": pa.Column(pl.String, unique=True),
        "price": pa.Column(pl.Float64, pa.Check.ge(0)),
    }
)

orders = tt.Source(
    "orders",
    "data/orders.parquet",
    event_time="asked_at",
    known_time="announced_at",
    key="order_id",
    contract=OrderContract,
)
returns = tt.Source("returns", "data/returns.parquet", event_time="asked_at", known_time="known_at", key="order_id")
shops = tt.Source("shops", "data/shops.parquet", event_time="counted_at", key=("shop", "counted_at"))


@tt.request_features
def order(request: pl.LazyFrame) -> pl.LazyFrame:
    """What the order says."""
    return request.select("shop", "price")


@tt.feature_view(entity="shop", max_age="3d")
def staff(shops: pl.LazyFrame) -> pl.LazyFrame:
    """Who is there."""
    return shops


shop_returns = tt.aggregate(
    returns, name="shop_returns", by="shop", of="returned", windows=["12h", "3d"], how=["mean", "count"]
)


def fit(data: tt.TrainingData) -> lightgbm.Booster:
    """Ten small trees on one thread."""
    settings = {
        "objective": "binary",
        "learning_rate": 0.3,
        "num_leaves": 7,
        "num_threads": 1,
        "deterministic": True,
        "force_col_wise": True,
        "seed": data.seed,
        "verbose": -1,
    }
    rows = lightgbm.Dataset(data.x, data.y, feature_name=data.names, categorical_feature=data.categorical)
    return lightgbm.train(settings, rows, num_boost_round=10)


tiny = tt.System(
    name="tiny",
    sources=[orders, returns, shops],
    question=tt.Question(orders, at="asked_at", fields=("shop", "price")),
    label=tt.Label(returns, "returned", kind="binary"),
    features=[order, staff, shop_returns],
    train=fit,
    holdout="5d",
    gates=[tt.gates.floor("roc_auc", at_least=0.6), tt.gates.not_worse("log_loss", margin=0.2)],
    rollout=tt.blue_green(),
    monitors=[tt.monitors.performance("roc_auc", settle="6h")],
    retrain=[tt.triggers.monthly(settle="12h")],
)
