"""A year of flights as a chronicle: the golden figures, a rollout a month, and everything gone wrong once."""

from __future__ import annotations

import hashlib
import math
import random
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from trimtab.features.provenance import Provenance
from trimtab.house.chronicle import (
    Alarm,
    Chronicle,
    Decision,
    Measured,
    Month,
    Rollout,
    RolloutDay,
    RolloutEnd,
)
from trimtab.house.explanation import Explanation
from trimtab.kernel.canonical import Json
from trimtab.kernel.feature_schema import Feature
from trimtab.kernel.happening import Happening, Mark, Stage
from trimtab.kernel.ledger_entry import GENESIS, LedgerEntry
from trimtab.kernel.moment import to_us
from trimtab.kernel.prediction import Prediction
from trimtab.kernel.release import Release

ZONE = "America/New_York"
MADE = datetime(2014, 1, 2, 9, 30, tzinfo=ZoneInfo(ZONE))
FROZEN = (0.743, 0.755, 0.744, 0.738, 0.713, 0.697, 0.682, 0.704, 0.735)
MANAGED = (0.743, 0.777, 0.778, 0.775, 0.746, 0.747, 0.725, 0.720, 0.744)
GAPS = (None, 0.006, 0.027, 0.024, 0.016, 0.031, 0.021, 0.008, 0.007)
BASE = (0.279, 0.220, 0.308, 0.315, 0.238, 0.132, 0.168, 0.174, 0.326)
FEATURES = (
    "schedule.carrier",
    "schedule.dest",
    "schedule.minute_of_day",
    "schedule.distance_miles",
    "plane.seats",
    "plane.age_years",
    "origin_weather.temp",
    "origin_weather.dewp",
    "origin_weather.humid",
    "origin_weather.wind_speed",
    "origin_weather.precip",
    "origin_weather.pressure",
    "origin_weather.visib",
    "origin_delay.late_mean_3h",
    "origin_delay.late_mean_24h",
    "origin_load.late_count_3h",
    "carrier_delay.late_mean_3h",
    "carrier_delay.late_mean_24h",
    "hub_delay.late_mean_7d",
    "dest_delay.late_mean_24h",
)
FIGURES: dict[str, Json] = {
    "predictions": 255987,
    "predictions_distinct": 255987,
    "labels_joined": 249435,
    "retrains": 9,
    "promotions": 7,
    "refusals": 2,
    "rollbacks": 1,
    "online_offline_mismatches": 143,
    "quarantined_rows": 1712,
    "alarms": 4,
    "ledger_entries": 4823,
    "ledger_verified": True,
    "ledger_head": hashlib.sha256(b"head").hexdigest(),
    "wall_s": 318.4,
    "bad_release": {
        "exposed": 143,
        "share": 0.0487,
        "caught_after": 21600,
        "reason": "parity: origin_weather.temp of 143 of 143 canary answers is not what its definition gives",
        "what": "Its online path wrote temperature in °C instead of °F; an operator’s override skipped the gates.",
    },
    "leak": {"offline_auc": 0.7755, "served_auc": 0.6833, "honest_auc": 0.7235},
    "schema_change": {
        "what": "The weather feed renamed temp to temp_c. Serving went on with declared staleness.",
        "rows": 1711,
        "caught_after": 3600,
        "repaired_after": "3 days, back-filled",
        "reason": "contract WeatherContract: column temp is missing in 24 of 24 rows, quarantined",
    },
    "poisoned_labels": {
        "what": "A week of flipped labels came in with the arrivals of September.",
        "rows": 6514,
        "caught_by": "gate not_worse",
        "reason": "not_worse(log_loss): 0.0412 above the champion (0.0301 to 0.0523), refused",
    },
}


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def at(month: int, day: int, hour: int = 6) -> datetime:
    return datetime(2013, month, day, hour, tzinfo=ZoneInfo(ZONE))


def around(value: float, half: float) -> Measured:
    return Measured(value, value - half, value + half * 0.9)


UNKNOWN = Measured(math.nan, math.nan, math.nan)


def months() -> tuple[Month, ...]:
    dice = random.Random(20)
    found = []
    for place, (frozen, managed, gap, base) in enumerate(zip(FROZEN, MANAGED, GAPS, BASE, strict=True)):
        entropy = -base * math.log(base) - (1 - base) * math.log(1 - base)
        loss = entropy * 0.905
        found.append(
            Month(
                month=f"2013-{place + 4:02d}",
                predictions=28_000 + dice.randrange(2000),
                labels=27_000 + dice.randrange(900),
                managed_auc=around(managed, 0.014 + dice.random() * 0.008),
                frozen_auc=around(frozen, 0.014 + dice.random() * 0.008),
                managed_log_loss=around(loss, 0.021 + dice.random() * 0.01),
                frozen_log_loss=around(loss + (gap or 0.0), 0.023 + dice.random() * 0.01),
                managed_loss=None if gap is None else around((-0.001, 0.002, 0.0005)[place % 3], 0.0028),
                frozen_loss=None if gap is None else around(gap, 0.004 + gap * 0.16),
                drift={name: drift(name, place, dice) for name in FEATURES},
            )
        )
    return tuple(found)


def drift(name: str, place: int, dice: random.Random) -> float:
    summer = math.exp(-(((place - 3.5) / 2.0) ** 2))
    if name.endswith(("temp", "dewp")):
        return round(0.2 + 8.1 * summer * (1.0 if name.endswith("temp") else 0.8), 3)
    if "weather" in name or "delay" in name:
        return round(0.05 + 0.5 * dice.random() * (0.4 + summer), 3)
    return round(0.01 + 0.09 * dice.random(), 3)


def looks(began: datetime, days: int, harm: float, shares: tuple[float, ...], seed: int) -> tuple[RolloutDay, ...]:
    dice = random.Random(seed)
    found = []
    for number in range(days):
        half = 0.011 / math.sqrt(max(1, number - 1))
        value = harm + dice.gauss(0, half / 4)
        share = shares[min(number * len(shares) // max(days, 1), len(shares) - 1)]
        known = Measured(value, value - half, value + half) if number >= 2 else None
        found.append(RolloutDay(began + timedelta(days=number), share, known))
    return tuple(found)


STEPS = (0.05, 0.1, 0.25, 0.5)


def rollouts() -> tuple[Rollout, ...]:
    found: list[Rollout] = []
    champion = digest("first")

    def add(month: int, day: int, days: float, end: RolloutEnd, because: str, harm: float) -> None:
        nonlocal champion
        began = at(month, day)
        release = digest(f"release {month} {day}")
        ended = began + timedelta(days=days)
        seen = looks(began, math.ceil(days) + 1, harm, STEPS, month * 31 + day) if days else ()
        found.append(Rollout(release, champion, began, ended, end, because, seen, int(900 * days * 0.2), 0.002))
        champion = release if end == "promoted" else champion

    better = "harm at most {} nats after {} days, below the margin of 0.002"
    for month, days in ((5, 6.0), (6, 7.0), (7, 8.0)):
        add(month, 1, days, "promoted", better.format("−0.004", f"{days:.0f}"), -0.011)
    began = at(7, 16)
    bad = "parity: origin_weather.temp of 143 of 143 canary answers is not what its definition gives"
    once = (RolloutDay(began, 0.05, None),)
    found.append(Rollout(digest("celsius"), champion, began, at(7, 16, 12), "rolled back", bad, once, 143, 0.002))
    add(8, 1, 10.0, "promoted", better.format("0.0009", "10"), -0.003)
    add(9, 1, 0.0, "refused", "not_worse(log_loss): 0.0412 above the champion (0.0301 to 0.0523)", 0.0)
    add(9, 4, 7.0, "promoted", better.format("−0.002", "7"), -0.009)
    add(
        10,
        1,
        14.0,
        "promoted",
        "inconclusive at the horizon of 14 days; upper bound of harm 0.0018 is below the margin",
        -0.0012,
    )
    add(11, 1, 12.0, "refused", "harm at least 0.0021 nats after 12 days, above the margin of 0.002", 0.0058)
    add(12, 1, 9.0, "promoted", better.format("0.001", "9"), -0.004)
    return tuple(found)


ALARMS = (
    Alarm(
        at(6, 11, 3),
        "source weather",
        "column temp is missing; rows are quarantined, 6 h of staleness declared",
        at(6, 14, 9),
    ),
    Alarm(
        at(7, 16, 12),
        f"release {digest('celsius')[:12]}",
        "features online ≠ offline: origin_weather.temp",
        at(7, 16, 13),
    ),
    Alarm(at(9, 1, 5), "source arrivals", "labels of 7 days disagree with arrival times", at(9, 3, 5)),
    Alarm(at(11, 13, 6), "champion", "loss against the month’s refit is 0.008 nats (0.001 to 0.015)", None),
)


def decisions() -> tuple[Decision, ...]:
    told: list[tuple[datetime, str, Stage, Mark, str]] = [
        (
            at(4, 1, 0),
            "user:ada",
            "deployment",
            "good",
            "release 5b2ddebc3398 answers flight-delay: 3 gates passed; kept warm: none",
        )
    ]
    for month in range(4, 13):
        told.append(
            (at(month, 1, 3), "loop", "monitoring", "routine", f"month {month - 1} measured, 27 days settled")
        )
        told.append((at(month, 2, 4), "loop", "data", "routine", "version of weather checked against its contract"))
    for one in rollouts():
        name = one.release[:12]
        told.append(
            (
                one.began - timedelta(hours=3),
                "loop",
                "retraining",
                "step",
                f"retrain: {one.began:%B} has new labels; window: all history, by backtest",
            )
        )
        told.append((one.began - timedelta(hours=2), "loop", "training", "step", f"release {name} trained"))
        passed: Mark = "bad" if not one.days else "good"
        told.append(
            (
                one.began - timedelta(hours=1),
                "loop",
                "validation",
                passed,
                f"release {name}: {'not_worse failed' if not one.days else '3 gates passed'}",
            )
        )
        for look in one.days[::3]:
            told.append(
                (look.at, "loop", "deployment", "step", f"release {name} answers {look.share:.0%} of traffic")
            )
        ends: dict[RolloutEnd, Mark] = {
            "promoted": "good",
            "rolled back": "bad",
            "refused": "unsure",
            "running": "step",
        }
        who = "guard:parity" if one.end == "rolled back" else "loop"
        told.append(
            (one.ended or MADE, who, "deployment", ends[one.end], f"release {name} {one.end}: {one.because}")
        )
    for alarm in ALARMS:
        told.append(
            (
                alarm.at,
                "guard:contract",
                "data" if "source" in alarm.subject else "monitoring",
                "unsure",
                f"{alarm.subject}: {alarm.text}",
            )
        )
    told.sort(key=lambda each: each[0])
    return tuple(
        Decision(when, who, 40 + 53 * place, Happening(stage, said, sign))
        for place, (when, who, stage, sign, said) in enumerate(told)
    )


def full() -> Chronicle:
    return Chronicle(
        "flight-delay",
        ZONE,
        at(4, 1, 0),
        datetime(2013, 12, 31, 23, tzinfo=ZoneInfo(ZONE)),
        months(),
        rollouts(),
        ALARMS,
        decisions(),
    )


def one_month() -> Chronicle:
    return Chronicle("flight-delay", ZONE, at(4, 1, 0), at(5, 1, 12), months()[:1], (), (), decisions()[:4])


def unlabelled() -> Chronicle:
    month = Month("2013-04", 28330, 0, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, None, None)
    running = Rollout(
        digest("b"), digest("a"), at(4, 20), None, "running", "", looks(at(4, 20), 2, 0, STEPS, 1), 90
    )
    return Chronicle("flight-delay", ZONE, at(4, 1, 0), at(4, 22), (month,), (running,), (), ())


def empty() -> Chronicle:
    return Chronicle("order-returns", "UTC", at(4, 1, 0), at(4, 1, 0), (), (), (), ())


def explanation() -> Explanation:
    asked = at(7, 22, 17)
    values: dict[str, Json] = {
        "schedule.carrier": "EV",
        "schedule.dest": "CLE",
        "schedule.minute_of_day": 1139,
        "plane.seats": 55,
        "plane.age_years": None,
        "origin_weather.temp": 82.04,
        "origin_weather.precip": 0.31,
        "origin_delay.late_mean_3h": 0.7183,
        "carrier_delay.late_mean_24h": 0.6021,
    }
    gates: list[dict[str, Json]] = [
        {
            "gate": "floor(roc_auc, at_least=0.65)",
            "outcome": "pass",
            "reason": "roc_auc 0.7740 (0.7556 to 0.7925) over 28 days",
        },
        {
            "gate": "not_worse(log_loss, margin=0.002)",
            "outcome": "pass",
            "reason": "log_loss 0.0061 below the champion (0.0011 to 0.0112)",
        },
        {"gate": "slice_floor(roc_auc, by=carrier)", "outcome": "inconclusive", "reason": "carrier OO has 3 rows"},
    ]
    training: dict[str, Json] = {"rows": 189231, "first_at": "2013-01-01T05:00", "last_at": "2013-06-30T23:00"}
    release = Release(
        "flight-delay",
        digest("model"),
        "lightgbm",
        digest("code"),
        tuple(Feature(name) for name in values),
        (),
        (),
        "flight_id",
        {"column": "late", "source": "arrivals"},
        training,
        tuple(gates),
        {},
    )
    prediction = Prediction(
        id="p-01J3V9-7d21",
        system="flight-delay",
        release=release.digest,
        generation=4,
        key="2013-07-22 EV 4333 EWR",
        at_us=to_us(asked),
        request={"carrier": "EV"},
        features=tuple(values.values()),
        ages_us=(None, 1, 2),
        score=0.9231,
        others=((digest("challenger"), 0.9044),),
        latency_us=1840,
    )
    newest = asked - timedelta(minutes=9)
    rows = [{"origin": "EWR", "observed_at": newest, "temp": 82.04, "precip": 0.31}]
    behind = [
        Provenance("schedule", "the request", 1, [{"carrier": "EV", "dest": "CLE"}], ()),
        Provenance("plane", "planes", 0, [], ()),
        Provenance("origin_weather", "weather", 1, rows, (204,), newest),
        Provenance("origin_delay", "arrivals", 71, [{"flight_id": "UA 1 EWR", "late": True}], (811, 812), newest),
        Provenance("carrier_delay", "arrivals", 402, [], (790, 812), newest),
    ]
    moved = LedgerEntry(
        2203, at(7, 9), "loop", "route.moved", "flight-delay", {"because": "3 gates passed"}, GENESIS, GENESIS
    )
    label = {"value": True, "known_at": asked + timedelta(hours=4), "dataset_version": "arrivals@813"}
    return Explanation(prediction, release, {}, {}, values, behind, moved, label)
