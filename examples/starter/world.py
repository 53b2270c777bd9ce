"""A small online shop that was made up: writes the tables in data/.

They hold 150 days up to today and 30 days to come. What lies ahead is known only when its time has come: each day
`trimtab tick`, or the loop of `trimtab up`, finds what is new. Put your own tables there and delete this file.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

HERE = Path(__file__).parent
PAST_DAYS, FUTURE_DAYS, ORDERS_A_DAY, CUSTOMERS = 150, 30, 60, 300
RETURN_PERIOD = timedelta(days=14)
CATEGORIES = {"shoes": 0.8, "dresses": 0.6, "shirts": -0.2, "bags": -0.9, "socks": -1.6}


def write(folder: Path, today: datetime, seed: int = 7) -> None:
    """Write products, orders and outcomes as Parquet; the same day and seed give the same rows."""
    random = np.random.default_rng(seed)
    products = catalogue(random, today)
    placed = orders(random, products, today)
    folder.mkdir(parents=True, exist_ok=True)
    products.drop("_lure").write_parquet(folder / "products.parquet")
    outcomes(random, products, placed).write_parquet(folder / "outcomes.parquet")
    with_faults(placed).write_parquet(folder / "orders.parquet")


def catalogue(random: np.random.Generator, today: datetime) -> pl.DataFrame:
    """40 products; how well each fits is known to nobody, and shows only in what comes back."""
    names = list(CATEGORIES)
    category = [names[number % len(names)] for number in range(40)]
    return pl.DataFrame(
        {
            "product": [f"P{number:02d}" for number in range(40)],
            "listed_at": [today - timedelta(days=PAST_DAYS)] * 40,
            "category": category,
            "list_price_eur": random.lognormal(3.8, 0.5, 40).clip(5, 400).round(2),
            "_lure": [CATEGORIES[name] for name in category] + random.normal(0, 0.6, 40),
        }
    )


def orders(random: np.random.Generator, products: pl.DataFrame, today: datetime) -> pl.DataFrame:
    """Orders in the order in which they were placed, up to 30% below the list price."""
    days = PAST_DAYS + FUTURE_DAYS
    count = days * ORDERS_A_DAY
    after = np.sort(random.uniform(-PAST_DAYS, FUTURE_DAYS, count))
    bought = random.integers(0, products.height, count)
    return pl.DataFrame(
        {
            "order_id": [f"O{number:06d}" for number in range(count)],
            "customer": [f"C{number:03d}" for number in random.integers(0, CUSTOMERS, count)],
            "product": products["product"].gather(bought),
            "price_eur": (products["list_price_eur"].gather(bought) * random.uniform(0.7, 1, count)).round(2),
            "paid_by": random.choice(["card", "invoice", "wallet"], count, p=[0.5, 0.3, 0.2]),
            "placed_at": [today + timedelta(seconds=int(day * 86_400)) for day in after],
        }
    )


def outcomes(random: np.random.Generator, products: pl.DataFrame, placed: pl.DataFrame) -> pl.DataFrame:
    """The truth, for every order 14 days after it was placed.

    Were a return known at once and a keeper only later, all of the newest known outcomes would be returns.
    """
    habit = {f"C{number:03d}": value for number, value in enumerate(random.normal(0, 0.9, CUSTOMERS))}
    score = (
        placed.join(products, on="product", maintain_order="left")["_lure"].to_numpy()
        + placed["customer"].replace_strict(habit, return_dtype=pl.Float64).to_numpy()
        + np.where(placed["paid_by"] == "invoice", 0.5, 0)
        - 1.4
    )
    returned = random.uniform(size=placed.height) < 1 / (1 + np.exp(-score))
    return placed.select(
        "order_id",
        "customer",
        "product",
        pl.Series("returned", returned),
        "placed_at",
        (pl.col("placed_at") + RETURN_PERIOD).alias("settled_at"),
    )


def with_faults(placed: pl.DataFrame) -> pl.DataFrame:
    """Every thousandth order comes from a till that forgets the price."""
    faulty = pl.int_range(pl.len()) % 1_000 == 999
    return placed.with_columns(price_eur=pl.when(faulty).then(0.0).otherwise("price_eur"))


if __name__ == "__main__":
    day = datetime.fromisoformat(sys.argv[1]) if len(sys.argv) > 1 else datetime.now(UTC)
    write(HERE / "data", day.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0))
