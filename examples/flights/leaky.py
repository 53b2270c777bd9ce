"""The flights again, with a leak: no outcome is known when a flight departs, but `outcomes` says that it is.

On history the model looks far better: to its 3 h shares of late flights, departures count whose outcome nobody knew
yet. In production they are not known when a flight is asked about. Trimtab refuses the declaration:

    TRIMTAB_SYSTEM=leaky.py trimtab train
"""

from __future__ import annotations

from system import ZONE, arrivals, fit, flights, origin_weather, plane, planes, schedule, weather

import trimtab as tt

# The table of arrivals once more, without its known time: each outcome counts as known at the scheduled departure.
outcomes = tt.Source("outcomes", "data/arrivals.parquet", event_time="sched_dep", key="flight_id")

origin_now = tt.aggregate(outcomes, name="origin_now", by="origin", of="late", windows=["3h"], how=["mean"])
origin_day = tt.aggregate(arrivals, name="origin_day", by="origin", of="late", windows=["24h"], how=["mean"])
carrier_now = tt.aggregate(outcomes, name="carrier_now", by="carrier", of="late", windows=["3h"], how=["mean"])
carrier_day = tt.aggregate(arrivals, name="carrier_day", by="carrier", of="late", windows=["24h"], how=["mean"])
hub_week = tt.aggregate(
    arrivals, name="hub_week", by=["carrier", "origin"], of="late", windows=["7d"], how=["mean"]
)
dest_day = tt.aggregate(arrivals, name="dest_day", by="dest", of="late", windows=["24h"], how=["mean"])

leaky_delay = tt.System(
    name="leaky-delay",
    sources=[flights, arrivals, outcomes, weather, planes],
    question=tt.Question(
        flights, at="cutoff_at", fields=("carrier", "origin", "dest", "tailnum", "distance_miles", "sched_dep")
    ),
    label=tt.Label(arrivals, "late", kind="binary"),
    features=[
        schedule,
        plane,
        origin_weather,
        origin_now,
        origin_day,
        carrier_now,
        carrier_day,
        hub_week,
        dest_day,
    ],
    train=fit,
    holdout="28d",
    gates=[tt.gates.floor("roc_auc", at_least=0.65)],
    monitors=[tt.monitors.performance("roc_auc", zone=ZONE)],
)
