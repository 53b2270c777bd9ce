"""A month of orders whose truth comes hours later. Run as a script, it writes `data/`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

HERE = Path(__file__).parent
BEGIN = datetime(2024, 3, 1, tzinfo=UTC)
END = datetime(2024, 4, 2, 12, tzinfo=UTC)
EVERY = timedelta(minutes=20)
SHOPS = ("ams", "ber", "cph", "dub")


def write(folder: Path, end: datetime = END) -> None:
    """Write orders, returns and shops as Parquet; the same rows each time."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(7)
    asked = [BEGIN + number * EVERY for number in range(int((end - BEGIN) / EVERY))]
    price = chance.gamma(2.0, 20.0, len(asked)).round(2)
    shop = chance.choice(SHOPS, len(asked))
    rate = np.array([SHOPS.index(name) for name in shop]) * 0.8
    returned = chance.random(len(asked)) < 1 / (1 + np.exp(-(price / 15 - 4 + rate)))
    orders = pl.DataFrame(
        {
            "order_id": [f"o{number:05d}" for number in range(len(asked))],
            "shop": shop,
            "price": price,
            "asked_at": asked,
            "announced_at": [at - timedelta(hours=1) for at in asked],
        }
    )
    # A price that breaks the contract: the order is asked about all the same, but no version has it.
    orders[1_470, "price"] = -1.0
    hours = chance.gamma(2, 2, len(asked)).tolist()
    known_at = [at + timedelta(hours=late) for at, late in zip(asked, hours, strict=True)]
    truth = [pl.Series("known_at", known_at), pl.Series("returned", returned)]
    returns = orders.select("order_id", "shop", "asked_at", *truth)
    days = [BEGIN + timedelta(days=number) for number in range((end - BEGIN).days + 1)]
    shops = pl.DataFrame(
        [{"shop": name, "counted_at": day, "staff": int(chance.integers(2, 9))} for day in days for name in SHOPS]
    )
    _keep(orders.sort("announced_at", "order_id"), folder / "orders.parquet")
    _keep(returns.sort("known_at", "order_id"), folder / "returns.parquet")
    _keep(shops, folder / "shops.parquet")


def _keep(frame: pl.DataFrame, path: Path) -> None:
    utc = [pl.col(name).dt.cast_time_unit("us") for name, kind in frame.schema.items() if kind.is_temporal()]
    frame.with_columns(utc).write_parquet(path)


if __name__ == "__main__":
    write(HERE / "data")
