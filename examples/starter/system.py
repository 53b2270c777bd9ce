"""Will an order be returned? Asked when it is placed; the truth is known when the return period has ended."""

from __future__ import annotations

import lightgbm
import pandera.polars as pa
import polars as pl

import trimtab as tt

# What a feed promises. Rows that break it are quarantined; a changed schema blocks the new version.
OrderContract = pa.DataFrameSchema(
    {
        "order_id": pa.Column(pl.String, unique=True),
        "customer": pa.Column(pl.String),
        "product": pa.Column(pl.String),
        "price_eur": pa.Column(pl.Float64, pa.Check.in_range(1, 5_000)),
        "paid_by": pa.Column(pl.String, pa.Check.isin(["card", "invoice", "wallet"])),
        "placed_at": pa.Column(pl.Datetime("us", "UTC")),
    }
)

orders = tt.Source("orders", "data/orders.parquet", event_time="placed_at", key="order_id", contract=OrderContract)
outcomes = tt.Source(
    "outcomes",
    "data/outcomes.parquet",
    event_time="placed_at",
    known_time="settled_at",
    key="order_id",
)
products = tt.Source("products", "data/products.parquet", event_time="listed_at", key="product")


@tt.request_features
def order(request: pl.LazyFrame) -> pl.LazyFrame:
    """What the order says itself."""
    return request.select("price_eur", "paid_by")


@tt.feature_view(entity="product")
def product(products: pl.LazyFrame) -> pl.LazyFrame:
    """The newest entry in the catalogue."""
    return products


product_returns = tt.aggregate(
    outcomes, name="product_returns", by="product", of="returned", windows=["30d"], how=["mean", "count"]
)
customer_returns = tt.aggregate(
    outcomes, name="customer_returns", by="customer", of="returned", windows=["30d", "90d"], how=["mean", "count"]
)


def fit(data: tt.TrainingData) -> lightgbm.Booster:
    """50 small trees on one thread, so that the same data give the same model."""
    settings = {
        "objective": "binary",
        "learning_rate": 0.1,
        "num_leaves": 8,
        "min_data_in_leaf": 40,
        "num_threads": 1,
        "deterministic": True,
        "force_col_wise": True,
        "seed": data.seed,
        "verbose": -1,
    }
    rows = lightgbm.Dataset(data.x, data.y, feature_name=data.names, categorical_feature=data.categorical)
    return lightgbm.train(settings, rows, num_boost_round=50)


order_returns = tt.System(
    name="order-returns",
    sources=[orders, outcomes, products],
    question=tt.Question(orders, at="placed_at", fields=("customer", "product", "price_eur", "paid_by")),
    label=tt.Label(outcomes, "returned", kind="binary"),
    features=[order, product, product_returns, customer_returns],
    train=fit,
    holdout="28d",
    gates=[
        tt.gates.floor("roc_auc", at_least=0.6),
        tt.gates.not_worse("log_loss", margin=0.005),
        tt.gates.slice_floor("roc_auc", by="paid_by", at_least=0.55, min_rows=100),
    ],
    rollout=tt.blue_green(),
    monitors=[tt.monitors.performance("roc_auc", settle="15d")],
    retrain=[tt.triggers.monthly(settle="15d")],
)
