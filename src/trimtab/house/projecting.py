"""Projecting: what views need of new dataset versions stands in the online store before anybody asks for it."""

from __future__ import annotations

from trimtab.house.house import House
from trimtab.kernel.release import Release


def project(house: House, *soon: Release) -> int:
    """Bring definitions in use now, or `soon`, up to date; how many dataset versions were waiting for it."""
    route = house.act.route(house.name)
    in_use = [] if route is None else [house.releases.get(one) for one in route.releases()]
    sets = [house.system.feature_set, *(house.code.system(one).feature_set for one in (*in_use, *soon))]
    for features in {one.versions: one for one in sets}.values():
        house.materialise(features)
    done = house.outbox.pending("materialise")
    house.outbox.done([message.id for message in done])
    return len(done)
