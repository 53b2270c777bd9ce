"""Decide: facts in, plan out. No clock, no chance, no I/O: the same facts give the same plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trimtab.deployment.actions import MoveRoute, Plan, Refuse, Stay, StepRollout
from trimtab.kernel.canonical import short
from trimtab.kernel.release import Release
from trimtab.kernel.route import Canary, Route
from trimtab.kernel.verdict import Outcome, verdict_from, worst

WARM = 2  # earlier champions that stay loaded


def decide_deploy(release: Release, route: Route | None, override: str = "") -> Plan:
    """Blue-green: a release whose gates all passed answers at once; the one before stays warm.

    Args:
        release: the challenger.
        route: the route in force.
        override: why somebody set the gates aside; "" if nobody did.
    """
    digest = release.digest
    if route is not None and route.champion == digest:
        return [Stay(release.system, digest)]
    if route is not None and route.canary is not None:
        return wait_for_canary(release, route.canary)
    held = held_by_gates(release, (Outcome.PASS,))
    if held and not override:
        return [Refuse(release.system, digest, held)]
    return [move_champion(release.system, digest, route, passed(release, override))]


def wait_for_canary(release: Release, canary: Canary) -> Plan:
    """One challenger at a time: a second one would end the first one's rollout without a decision."""
    if canary.release == release.digest:
        return [Stay(release.system, release.digest, "it is a canary already")]
    because = f"release {short(canary.release)} is a canary: let it be decided, or roll it back first"
    return [Refuse(release.system, release.digest, because)]


def held_by_gates(release: Release, admits: Sequence[Outcome]) -> str:
    """Why the gates hold a release; "" if what they said is among `admits`."""
    verdicts = [verdict_from(one) for one in release.verdicts]
    if worst(verdicts) in admits and verdicts:
        return ""
    return "; ".join(one.reason for one in verdicts if one.outcome not in admits) or "no gate has judged it"


def passed(release: Release, override: str) -> str:
    """How it got past the gates, in words."""
    if override:
        return f"gates overridden: {override}"
    verdicts = [verdict_from(one) for one in release.verdicts]
    good = sum(one.outcome is Outcome.PASS for one in verdicts)
    plural = "s" if len(verdicts) > 1 else ""
    if good == len(verdicts):
        return f"{len(verdicts)} gate{plural} passed"
    return f"{good} of {len(verdicts)} gate{plural} passed, none failed"


def decide_rollback(system: str, route: Route | None, to: str = "", known: Sequence[str] = ()) -> Plan:
    """Back to a named release, or to the champion before this one; a rollout that is under way ends.

    Args:
        system: its name.
        route: the route in force.
        to: digest of the release to go back to; the champion if a canary is under way, else the newest warm one.
        known: digests of this system's releases that have answered users before.
    """
    if route is None:
        return [Refuse(system, to, "nothing is deployed")]
    canary = route.canary
    earlier = next((one for one in route.warm if one in known), "")  # a canary that went back is warm as well
    target = to or (route.champion if canary else earlier)
    if not target:
        return [Refuse(system, "", "there is no earlier release to go back to")]
    if target == route.champion and canary is None:
        return [Stay(system, target)]
    if canary is not None and target == canary.release:
        return [Refuse(system, target, "it is a canary: let it be decided, or roll it back first")]
    if target not in known:
        return [Refuse(system, target, "it never was champion: deploy it through its gates instead")]
    # The release that is rolled back from stays warm, so that a rollback itself can be undone.
    left = route.champion if canary is None else canary.release
    move = move_champion(system, target, route, f"rollback from {short(left)}")
    if target != route.champion:
        move = replace(move, previous="")
    return [move] if canary is None else [StepRollout(canary.salt, "rolled_back", canary.release, move)]


def move_champion(
    system: str, champion: str, route: Route | None, because: str, canary: Canary | None = None
) -> MoveRoute:
    """The route with another champion or canary; earlier champions stay warm, who is a shadow stays one."""
    if route is None:
        return MoveRoute(system, champion, (), "", because, canary)
    # The canary last: one that goes back must not take the place of the champion before this one.
    left = () if route.canary is None else (route.canary.release,)
    answering = (champion,) if canary is None else (champion, canary.release)
    order = dict.fromkeys((route.champion, *route.warm, *left))
    warm = tuple(one for one in order if one not in answering)[:WARM]
    previous = _previous(champion, route)
    return MoveRoute(
        system,
        champion,
        warm,
        route.champion,
        because,
        canary,
        route.shadows,
        route.id,
        previous if previous in warm else "",
    )


def _previous(champion: str, route: Route) -> str:
    """Who may answer if a champion cannot: the one that it replaces, never one that was left to go back to it."""
    if champion == route.champion:
        return route.previous
    return "" if champion in route.warm else route.champion


def decide_shadow(system: str, release: str, route: Route | None, *, on: bool) -> Plan:
    """Let a release score every row without answering any; or no longer."""
    if route is None:
        return [Refuse(system, release, "nothing is deployed")]
    if (release in route.shadows) == on:
        return [Stay(system, release, "it is a shadow already" if on else "it is no shadow")]
    shadows = (*route.shadows, release) if on else tuple(one for one in route.shadows if one != release)
    because = f"release {short(release)} {'becomes a shadow' if on else 'is a shadow no longer'}"
    same = (system, route.champion, route.warm, route.champion)
    return [MoveRoute(*same, because, route.canary, shadows, route.id, route.previous)]
