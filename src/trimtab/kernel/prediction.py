"""The record of one answer: what was asked, which features were used, which release answered, what it said."""

from __future__ import annotations

from dataclasses import dataclass

from trimtab.kernel.canonical import Json, JsonMap


@dataclass(frozen=True)
class Prediction:
    """Written before the answer leaves. One row of one request is one prediction."""

    id: str
    system: str
    release: str  # digest
    generation: int  # of the route that was in force; below 0: a shadow's score to what was answered under it
    key: str  # names the row, e.g. the flight; labels are joined by it
    at_us: int  # the instant as of which features were looked up, microseconds since 1970 UTC
    request: JsonMap  # the row as it was sent
    features: tuple[Json, ...]  # in the order of the release's feature names; null is missing
    ages_us: tuple[int | None, ...]  # per feature view: age of the fact used; null: it had none
    score: float
    others: tuple[tuple[str, float], ...]  # (digest, score) of releases that scored the row too, and did not answer
    latency_us: int  # from the request's last byte to the record, by the worker's own clock
    fallback: str = ""  # kind of the fallback that answered; "": none did, the release has
    cause: str = ""  # why it did: what failed, and the kind of the error
    # (digest, score) of who was to be compared, and scored the row when its record was compacted; never logged
    later: tuple[tuple[str, float], ...] = ()
