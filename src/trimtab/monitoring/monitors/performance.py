"""Measured performance: a metric of labelled predictions, by calendar month."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import polars as pl

from trimtab.kernel.errors import InvalidValue, TrimtabError, UnknownName
from trimtab.kernel.evidence import Evidence
from trimtab.kernel.moment import duration, to_us
from trimtab.kernel.place import caller
from trimtab.monitoring.scores import scored_by
from trimtab.stats.block_bootstrap import block_bootstrap
from trimtab.stats.metrics import METRICS

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Performance:
    """A metric for each month in which predictions were made, with days as blocks."""

    metric: str
    zone: str
    settle: str
    place: str = ""

    def settled(self, now: datetime) -> datetime:
        """The end of the newest month whose labels have settled: the first instant that is not measured yet."""
        local = (now - duration(self.settle, "settle")).astimezone(ZoneInfo(self.zone))
        return _begins(local.date(), self.zone)

    def problems(self) -> Iterator[TrimtabError]:
        """What is wrong with its settings."""
        if self.metric not in METRICS:
            yield UnknownName("metric", self.metric, METRICS, where=self.place)
        try:
            duration(self.settle, "settle")
        except TrimtabError as error:
            yield error.at(self.place)
        if self.zone not in available_timezones():
            yield InvalidValue(
                "zone", self.zone, allowed="an IANA time zone, e.g. America/New_York", where=self.place
            )

    def measure(self, system: str, labelled: pl.DataFrame) -> list[Evidence]:
        """Evidence by month: of each release that scored all its rows, and of what users were answered.

        Args:
            system: its name.
            labelled: `at` (aware), `release`, `score`, `others`, `label` of predictions whose truth has arrived.
        """
        local = pl.col("at").dt.convert_time_zone(self.zone)
        # Dates, not local times: where clocks change at midnight, a month's first instant occurs twice or never.
        day = local.dt.date()
        rows = labelled.with_columns(_month=day.dt.truncate("1mo"), _day=day.cast(pl.Int64)).sort(
            "at", maintain_order=True
        )
        return [
            self._evidence(system, release, scored)
            for _, month in rows.group_by("_month", maintain_order=True)
            for release, scored in scored_by(month)
        ]

    def _evidence(self, system: str, release: str, rows: pl.DataFrame) -> Evidence:
        month: date = rows["_month"][0]
        arrays = (rows["label"].cast(pl.Float64).to_numpy(), rows["score"].to_numpy())
        measured = block_bootstrap(
            METRICS[self.metric].function,
            arrays,
            rows["_day"].to_numpy(),
            confidence=_CONFIDENCE,
            weighted=METRICS[self.metric].weighted,
        )
        return Evidence(
            system=system,
            release=release,
            metric=self.metric,
            since_us=to_us(_begins(month, self.zone)),
            until_us=to_us(_begins(month + timedelta(days=31), self.zone)),
            value=measured.value,
            low=measured.low,
            high=measured.high,
            confidence=_CONFIDENCE,
            rows=rows.height,
            blocks=measured.blocks,
        )


def _begins(day: date, zone: str) -> datetime:
    """The first instant of a day's month."""
    return datetime(day.year, day.month, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def performance(metric: str, *, zone: str = "UTC", settle: str = "12h") -> Performance:
    """Measure a metric by calendar month as labels arrive.

    Args:
        metric: "roc_auc" or "log_loss".
        zone: time zone of months and days, e.g. "America/New_York".
        settle: how long after a month's end it is measured, so that its late labels are in.
    """
    return Performance(metric, zone, settle, caller())
