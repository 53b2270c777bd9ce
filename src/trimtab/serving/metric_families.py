"""What is measured: each family of series, its unit, and what its labels are. The text of /metrics follows this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]
LATENCY_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
ROWS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
AGE_S = (1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 3 * 3600.0, 12 * 3600.0, 86400.0, 3 * 86400.0, 7 * 86400.0)


@dataclass(frozen=True)
class Family:
    """One name. Series with a label `release` are shown for as long as that release is on the route."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()  # of a histogram's buckets, without the last one, which has none


FAMILIES = {
    family.name: family
    for family in (
        Family("trimtab_requests_total", "counter", "Prediction requests by status.", ("status",)),
        Family("trimtab_request_errors_total", "counter", "Prediction requests answered with an error."),
        Family(
            "trimtab_latency_seconds",
            "histogram",
            "From a request's last byte to its committed record.",
            (),
            LATENCY_S,
        ),
        Family(
            "trimtab_release_requests_total",
            "counter",
            "Prediction requests by the release that answered a row of it, or was to: an error is the champion's.",
            ("release", "status"),
        ),
        Family(
            "trimtab_release_latency_seconds",
            "histogram",
            "As trimtab_latency_seconds, by the release that answered a row of the request.",
            ("release",),
            LATENCY_S,
        ),
        Family("trimtab_rows_total", "counter", "Rows answered, by release.", ("release",)),
        Family(
            "trimtab_unscored_rows_total",
            "counter",
            "Rows that a canary or a shadow could not score.",
            ("release",),
        ),
        Family(
            "trimtab_fallback_answers_total",
            "counter",
            "Rows that a fallback answered because the release, or its feature store, could not.",
            ("release", "kind"),
        ),
        Family("trimtab_request_rows", "histogram", "Rows of a request that was answered.", (), ROWS),
        Family("trimtab_batch_rows", "histogram", "Rows that were scored together.", (), ROWS),
        Family(
            "trimtab_feature_missing_total",
            "counter",
            "Rows answered without a view, which had no fact for them or too old a one.",
            ("view",),
        ),
        Family("trimtab_feature_stale_total", "counter", "Those of them whose fact was too old.", ("view",)),
        Family(
            "trimtab_feature_age_seconds",
            "histogram",
            "How old a view's fact was when it was used; of a sample, 200 rows a second at most.",
            ("view",),
            AGE_S,
        ),
        Family("trimtab_append_requests_total", "counter", "Requests to append rows by status.", ("status",)),
        Family("trimtab_appended_rows_total", "counter", "Rows appended, by source.", ("source",)),
        Family("trimtab_in_flight_requests", "gauge", "Prediction requests without an answer so far.", ("worker",)),
        Family("trimtab_connections", "gauge", "Open connections.", ("worker",)),
        Family("trimtab_waiting_commits", "gauge", "Groups of answers that wait for their records.", ("worker",)),
        Family("trimtab_log_unflushed_records", "gauge", "Records written and not on the disk yet.", ("worker",)),
        Family("trimtab_log_unflushed_bytes", "gauge", "Their bytes.", ("worker",)),
        Family("trimtab_log_unflushed_seconds", "gauge", "How long the oldest of them has waited.", ("worker",)),
        Family(
            "trimtab_route_generation", "gauge", "The generation of the route that a worker follows.", ("worker",)
        ),
        Family("trimtab_worker_start_time_seconds", "gauge", "When a worker started, since 1970.", ("worker",)),
        Family(
            "trimtab_log_segments", "gauge", "Segments of the prediction log that are not compacted.", ("state",)
        ),
        Family("trimtab_log_uncompacted_bytes", "gauge", "Their bytes."),
        Family("trimtab_workers", "gauge", "Workers that live."),
        Family("trimtab_worker_restarts_total", "counter", "Workers started again, by slot.", ("worker",)),
        Family("trimtab_start_time_seconds", "gauge", "When the server started, since 1970."),
        Family("trimtab_build_info", "gauge", "Versions of what runs.", ("version", "python")),
    )
}
