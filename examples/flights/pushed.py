"""The flights system as somebody hurried would change it: a job of their own pushes the weather online.

The job writes degrees Celsius where the model has learnt Fahrenheit. Offline nothing is wrong: training and
gates see nothing. `trimtab demo` releases it over the gates' heads; parity catches it.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import system

import trimtab as tt


def in_celsius(weather: pl.LazyFrame) -> pl.LazyFrame:
    """What the job writes."""
    return weather.with_columns(temp_f=((pl.col("temp_f") - 32) / 1.8).round(2))


@tt.feature_view(entity="origin", max_age="6h", push=in_celsius)
def origin_weather(weather: pl.LazyFrame) -> pl.LazyFrame:
    """The newest observation at the airport of departure."""
    return weather


flight_delay = replace(
    system.flight_delay,
    windows=["all"],
    features=[origin_weather if one is system.origin_weather else one for one in system.flight_delay.features],
)
