"""The flights' contracts: labels that cannot be true block the version, whatever the weather."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from trimtab.data.contract import hold_to_contract
from trimtab.kernel.errors import ContractBreach
from trimtab.kernel.source import Source

FLIGHTS = Path(__file__).parents[2] / "examples" / "flights"


@pytest.fixture(scope="module")
def modules() -> Iterator[dict[str, ModuleType]]:
    """`contracts` and `world` as they lie in the template, under names that nobody else has."""
    found = {}
    for name in ("contracts", "world"):
        module = ModuleType(f"flights_{name}")
        module.__file__ = str(FLIGHTS / f"{name}.py")
        sys.modules[module.__name__] = module
        exec(compile((FLIGHTS / f"{name}.py").read_text(), module.__file__, "exec"), vars(module))
        found[name] = module
    yield found
    for module in found.values():
        del sys.modules[module.__name__]


@pytest.fixture(scope="module")
def year(modules: dict[str, ModuleType], tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    folder = tmp_path_factory.mktemp("flights")
    world: Any = modules["world"]
    world.write(folder)
    return pl.read_parquet(folder / "arrivals.parquet").sort("arrived_at")


@pytest.fixture(scope="module")
def arrivals(modules: dict[str, ModuleType]) -> Source:
    contracts: Any = modules["contracts"]
    return Source(
        "arrivals",
        "arrivals.parquet",
        event_time="sched_dep",
        known_time="arrived_at",
        key="flight_id",
        contract=contracts.ArrivalContract,
    )


def limits(modules: dict[str, ModuleType]) -> dict[int, float]:
    contracts: Any = modules["contracts"]
    return dict(contracts._LATE_SHARE)


@pytest.mark.parametrize("every", ["6h", "12h", "24h", "7d"])
def test_no_delivery_of_the_year_is_refused(every: str, year: pl.DataFrame, modules: dict[str, ModuleType]) -> None:
    hours = {"6h": 6, "12h": 12, "24h": 24, "7d": 168}[every]
    for offset in range(0, hours, max(1, hours // 12)):
        shifted = pl.col("arrived_at").dt.offset_by(f"-{offset}h").dt.truncate(every)
        parts = year.group_by(shifted.alias("_part")).agg(pl.len().alias("rows"), pl.col("late").mean())
        for rows, most in limits(modules).items():
            judged = parts.filter(pl.col("rows") >= rows)["late"]
            assert judged.is_empty() or float(judged.max()) <= most - 0.05  # type: ignore[arg-type]


def test_a_real_year_in_one_delivery_is_accepted(year: pl.DataFrame, arrivals: Source) -> None:
    held = hold_to_contract(arrivals, year)
    assert (held.accepted.height, held.quarantined.height) == (year.height, 0)


@pytest.mark.parametrize("week", [1, 14, 24, 37, 44, 51])
def test_a_week_of_flipped_labels_is_refused(week: int, year: pl.DataFrame, arrivals: Source) -> None:
    rows = year.filter(pl.col("arrived_at").dt.week() == week)
    assert hold_to_contract(arrivals, rows).accepted.height == rows.height
    with pytest.raises(ContractBreach) as breach:
        hold_to_contract(arrivals, rows.with_columns(~pl.col("late")))
    assert "check failed: the late share of a delivery of 5,000 rows or more is at most 0.6" in breach.value.got


def test_a_small_delivery_proves_nothing(year: pl.DataFrame, arrivals: Source) -> None:
    late = year.filter("late")
    assert hold_to_contract(arrivals, late.head(499)).accepted.height == 499
    with pytest.raises(ContractBreach, match="broke its contract") as breach:
        hold_to_contract(arrivals, late.head(500))
    assert breach.value.got == "check failed: the late share of a delivery of 500 rows or more is at most 0.9"
