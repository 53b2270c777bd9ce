"""Units that change upstream are named; a whole year of weather and flights raises no false alarm."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from trimtab.data.history import Seen
from trimtab.data.profile import Column, column_of, profile
from trimtab.data.units import changed_units, conversions

FLIGHTS = Path(__file__).parents[2] / "examples" / "flights"
TO_CELSIUS = (pl.col("temp_f") - 32) / 1.8


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, pl.DataFrame]]:
    """New York 2013."""
    world: Any = ModuleType("units_world")
    world.__file__ = str(FLIGHTS / "world.py")
    exec(compile((FLIGHTS / "world.py").read_text(), world.__file__, "exec"), vars(world))
    folder = tmp_path_factory.mktemp("flights")
    world.write(folder)
    yield {name: pl.read_parquet(folder / f"{name}.parquet") for name in ("weather", "flights")}
    sys.modules.pop("units_world", None)


def numbers_of(frame: pl.DataFrame, columns: list[str]) -> dict[str, Column]:
    found = profile(frame.select(columns))
    return {name: column_of(found, name) for name in columns}


def judged(
    table: pl.DataFrame, time: str, every: str, changed: tuple[pl.Expr, str] | None = None
) -> tuple[int, list[list[str]]]:
    """How many deliveries were looked at, and what was found: of them as they are, or as they would be, changed."""
    columns = [name for name, kind in table.schema.items() if kind.is_numeric()]
    if changed is not None:
        columns = [changed[1]]
    past: dict[str, Seen] = {}
    looked, found = 0, []
    parts = table.sort(time).with_columns(_part=pl.col(time).dt.truncate(every))
    for part in parts.partition_by("_part", maintain_order=True):
        now = numbers_of(part, columns)
        if changed is not None and looked > 100:
            found.append(changed_units(past, numbers_of(part.with_columns(changed[0].alias(changed[1])), columns)))
        if changed is None and (told := changed_units(past, now)):
            found.append(told)
        past = {name: past.get(name, Seen()).after(column) for name, column in now.items()}
        looked += 1
    return looked, found


@pytest.mark.parametrize("every", ["12h", "1d", "7d"])
def test_the_weather_of_a_year_raises_no_false_alarm(year: dict[str, pl.DataFrame], every: str) -> None:
    looked, found = judged(year["weather"], "published_at", every)
    assert looked >= 52 and found == []


@pytest.mark.slow
@pytest.mark.parametrize("every", ["1h", "3h"])
def test_the_weather_hour_by_hour_raises_no_false_alarm(year: dict[str, pl.DataFrame], every: str) -> None:
    looked, found = judged(year["weather"], "published_at", every)
    assert looked > 2_000 and found == []


@pytest.mark.parametrize("every", ["6h", "1d", "7d"])
def test_the_flights_of_a_year_raise_no_false_alarm(year: dict[str, pl.DataFrame], every: str) -> None:
    looked, found = judged(year["flights"], "announced_at", every)
    assert looked >= 52 and found == []


@pytest.mark.parametrize(
    ("table", "time", "column", "how", "every", "told", "share"),
    [
        ("weather", "published_at", "temp_f", TO_CELSIUS, "3h", "°F → °C", 0.8),
        ("weather", "published_at", "temp_f", TO_CELSIUS, "1d", "°F → °C", 0.6),
        ("weather", "published_at", "pressure_mbar", pl.col("pressure_mbar") * 0.02953, "1d", "mbar → inHg", 0.9),
        ("weather", "published_at", "pressure_mbar", pl.col("pressure_mbar") * 100, "1d", "× 100", 0.9),
        ("flights", "announced_at", "distance_miles", pl.col("distance_miles") * 1.609344, "1d", "miles → km", 0.9),
    ],
)
def test_a_change_on_any_day_is_named(
    year: dict[str, pl.DataFrame],
    table: str,
    time: str,
    column: str,
    how: pl.Expr,
    every: str,
    told: str,
    share: float,
) -> None:
    looked, found = judged(year[table], time, every, (how.cast(pl.Float64), column))
    named = [one for one in found if one]
    assert looked > 300 and len(named) >= share * len(found)
    assert sum(told in one[0] and column in one[0] for one in named) >= 0.9 * len(named)


def test_a_factor_without_a_name_is_told_for_what_hardly_moves() -> None:
    past: dict[str, Seen] = {}
    for day in range(40):
        prices = pl.DataFrame({"price": [10.0 + (one % 50) + day % 3 / 10 for one in range(200)]})
        past = {"price": past.get("price", Seen()).after(numbers_of(prices, ["price"])["price"])}
    assert changed_units(past, numbers_of(prices, ["price"])) == []
    [told] = changed_units(past, numbers_of(prices * 1.19, ["price"]))
    assert "'price'" in told and "× 1.1" in told
    [told] = changed_units(past, numbers_of(prices * 100, ["price"]))
    assert "× 100?" in told


def test_a_counter_is_no_unit_that_changes() -> None:
    past: dict[str, Seen] = {}
    for day in range(300):
        now = numbers_of(pl.DataFrame({"meter_m": [day * 100 + one for one in range(100)]}), ["meter_m"])
        assert changed_units(past, now) == []
        past = {"meter_m": past.get("meter_m", Seen()).after(now["meter_m"])}


def test_conversions_are_undone_by_their_inverses() -> None:
    found = list(conversions("dew_point_f"))
    assert {"°F → °C", "°C → °F", "K → °C"} <= {one.name for one in found}
    for one in found:
        assert one.inverse.back(one.back((10.0, 20.0))) == pytest.approx((10.0, 20.0))
    assert list(conversions("late")) == []
