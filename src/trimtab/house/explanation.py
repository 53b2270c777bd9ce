"""From a prediction's id to everything behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

import polars as pl

from trimtab.features.given import GIVEN
from trimtab.features.provenance import Provenance, provenance
from trimtab.features.request_frame import request_frame
from trimtab.house.feedback import given_for
from trimtab.house.house import House
from trimtab.house.parity import served
from trimtab.kernel.audience import Audience, audience_from
from trimtab.kernel.canonical import Json, JsonMap
from trimtab.kernel.dataset_version import version_id
from trimtab.kernel.errors import NotFound
from trimtab.kernel.label import GIVEN_KEY, GIVEN_LABEL
from trimtab.kernel.ledger_entry import LedgerEntry
from trimtab.kernel.moment import from_us
from trimtab.kernel.prediction import Prediction
from trimtab.kernel.release import Release
from trimtab.kernel.source import Source
from trimtab.registry.releases import ROUTE_MOVED


@dataclass(frozen=True)
class Explanation:
    """One answer, and what it came from."""

    prediction: Prediction
    release: Release
    release_facts: JsonMap  # the run that made it, when, by whom
    run: JsonMap
    features: dict[str, Json]
    provenance: list[Provenance]
    deployed_by: LedgerEntry | None  # what put the release in force for this answer; None: asked for by name
    label: dict[str, Any] | None  # the truth, if it is known by now
    feedback: list[dict[str, Any]] = field(default_factory=list)  # what was said of the answer, or of its key
    unanswered_by: str = ""  # digest of the release that should have answered; "": no fallback has

    @property
    def at(self) -> datetime:
        """The instant of the question."""
        return from_us(self.prediction.at_us)


def explain_prediction(house: House, id: str) -> Explanation:
    """Open the record that the id names, and follow it back to raw rows.

    Raises:
        InvalidValue: not an id.
        NotFound: no record there, or not of this system.
    """
    prediction = house.log.find(id)
    if prediction.generation < 0:  # what a shadow has said, to the answer that it names
        prediction = house.log.find(str(prediction.request["answer"]))
    if prediction.system != house.name:
        raise NotFound(
            "prediction", id, allowed=f"predictions of {house.name}", do="open the other system's project"
        )
    release = house.releases.get(prediction.release)
    facts = house.releases.facts(house.name, prediction.release)
    run = house.reader.record("run", str(facts["run"]))
    assert run is not None
    names = [one.name for one in release.features]
    return Explanation(
        prediction=_with_shadows(house, prediction),
        release=release,
        release_facts=facts,
        run=run,
        features=dict(zip(names, prediction.features, strict=True)),
        provenance=_provenance(house, prediction, release),
        deployed_by=_mover(house, prediction) if prediction.generation else None,
        label=_label(house, prediction.key),
        feedback=given_for(house, prediction.id, prediction.key),
        unanswered_by=_champion(house, prediction) if prediction.fallback else "",
    )


def _with_shadows(house: House, prediction: Prediction) -> Prediction:
    """With what shadows have said since, as far as it is in the table."""
    if not house.tables.exists("predictions"):
        return prediction
    day = from_us(prediction.at_us).date()
    rows = served(house).filter(pl.col("date") == day, pl.col("id") == prediction.id).select("others").collect()
    if rows.is_empty():
        return prediction
    return replace(prediction, others=tuple((one["release"], one["score"]) for one in rows["others"][0]))


def _provenance(house: House, prediction: Prediction, release: Release) -> list[Provenance]:
    """Of what was looked up; nothing where the request has brought its features."""
    if isinstance(prediction.request.get(GIVEN), Mapping):
        return []
    request = {name: prediction.request[name] for name, _ in release.request}
    question = request_frame([request], release.request)
    features = house.code.system(release).feature_set
    return provenance(features, question, from_us(prediction.at_us), house.versions.frame)


def _mover(house: House, prediction: Prediction) -> LedgerEntry:
    """The move since which this release has answered, up to this prediction without a break.

    The route's generation counts its moves, so that the entry with that number is the one in force.
    """
    moves = _moves(house, prediction)
    since = moves.pop()
    role = _role(since, prediction.release)
    while moves and _role(moves[-1], prediction.release) == role:
        since = moves.pop()
    return since


def audience_of(one: Explanation) -> Audience | None:
    """Whose rows the release was to answer when it gave this answer; None: everybody's."""
    canary = None if one.deployed_by is None else cast("JsonMap | None", one.deployed_by.body.get("canary"))
    if canary is None or canary["release"] != one.prediction.release or canary.get("audience") is None:
        return None
    return audience_from(cast("JsonMap", canary["audience"]))


def _champion(house: House, prediction: Prediction) -> str:
    return str(_moves(house, prediction)[-1].body["champion"])


def _moves(house: House, prediction: Prediction) -> list[LedgerEntry]:
    """Of the route, up to the one under which this was answered."""
    return list(house.reader.entries(kind=ROUTE_MOVED, subject=house.name))[: prediction.generation]


def _role(move: LedgerEntry, release: str) -> str:
    canary = cast("JsonMap | None", move.body["canary"])
    if move.body["champion"] == release:
        return "champion"
    return "canary" if canary is not None and canary["release"] == release else "none"


def _label(house: House, key: str) -> dict[str, Any] | None:
    """What is known last, by whichever of its sources."""
    label = house.system.label
    known = [_newest(house, label.source, label.source.keys[0], label.column, key)]
    if label.feedback is not None:
        known.append(_newest(house, label.feedback, GIVEN_KEY, GIVEN_LABEL, key))
    found = [one for one in known if one is not None]
    return max(reversed(found), key=lambda one: one["known_at"], default=None)


def _newest(house: House, source: Source, by: str, column: str, key: str) -> dict[str, Any] | None:
    if not house.tables.exists(source.table):
        return None
    rows = house.tables.scan(source.table)
    about = (pl.col(by).cast(pl.String) == key) & pl.col(column).is_not_null()
    found = rows.filter(about).sort(source.known, maintain_order=True).collect()
    if not found.height:
        return None
    last = found.row(-1, named=True)
    version = version_id(source.name, last["_version"])
    return {"value": last[column], "known_at": last[source.known], "dataset_version": version}
