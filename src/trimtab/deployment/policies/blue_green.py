"""Blue-green: the new release answers everybody at once, the old one stays warm for the way back."""

from __future__ import annotations

from dataclasses import dataclass

from trimtab.deployment.actions import Plan
from trimtab.deployment.decide import decide_deploy
from trimtab.kernel.release import Release
from trimtab.kernel.route import Route


@dataclass(frozen=True)
class BlueGreen:
    """A rollout policy with one step."""

    name: str = "blue_green"

    def decide(self, release: Release, route: Route | None) -> Plan:
        """The plan for a new release."""
        return decide_deploy(release, route)


def blue_green() -> BlueGreen:
    """Switch all traffic in one move of the pointer."""
    return BlueGreen()
