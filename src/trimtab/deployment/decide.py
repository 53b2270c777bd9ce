"""Decide: facts in, plan out. No clock, no chance, no I/O: the same facts give the same plan."""

from __future__ import annotations

from collections.abc import Sequence

from trimtab.deployment.actions import MoveRoute, Plan, Refuse, Stay
from trimtab.kernel.canonical import short
from trimtab.kernel.release import Release
from trimtab.kernel.route import Route
from trimtab.kernel.verdict import Outcome, verdict_from, worst

WARM = 2  # earlier champions that stay loaded


def decide_deploy(release: Release, route: Route | None) -> Plan:
    """Blue-green: a release whose gates all passed answers at once; the one before stays warm."""
    digest = release.digest
    if route is not None and route.champion == digest:
        return [Stay(release.system, digest)]
    verdicts = [verdict_from(one) for one in release.verdicts]
    outcome = worst(verdicts)
    if outcome is not Outcome.PASS:
        held = [one.reason for one in verdicts if one.outcome is not Outcome.PASS]
        return [Refuse(release.system, digest, "; ".join(held) or "no gate has judged it")]
    passed = f"{len(verdicts)} gate{'s' if len(verdicts) > 1 else ''} passed"
    return [_move(release.system, digest, route, passed)]


def decide_rollback(system: str, route: Route | None, to: str = "", known: Sequence[str] = ()) -> Plan:
    """Back to a named release, or to the champion before this one.

    Args:
        route: the route in force.
        to: digest of the release to go back to; the newest warm one if not given.
        known: digests of this system's releases that have answered users before.
    """
    if route is None:
        return [Refuse(system, to, "nothing is deployed")]
    target = to or (route.warm[0] if route.warm else "")
    if not target:
        return [Refuse(system, "", "there is no earlier release to go back to")]
    if target == route.champion:
        return [Stay(system, target)]
    if target not in known:
        return [Refuse(system, target, "it never answered users: deploy it through its gates instead")]
    # The release that is rolled back from stays warm, so that a rollback itself can be undone.
    return [_move(system, target, route, f"rollback from {short(route.champion)}")]


def _move(system: str, champion: str, route: Route | None, because: str) -> MoveRoute:
    if route is None:
        return MoveRoute(system, champion, (), "", because)
    warm = tuple(one for one in route.releases() if one != champion)[:WARM]
    return MoveRoute(system, champion, warm, route.champion, because)
