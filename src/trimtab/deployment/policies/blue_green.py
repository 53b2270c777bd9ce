"""Blue-green: the new release answers everybody at once, the old one stays warm for the way back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from trimtab.deployment.actions import Plan
from trimtab.deployment.decide import decide_deploy
from trimtab.kernel.errors import TrimtabError
from trimtab.kernel.release import Release
from trimtab.kernel.route import Route
from trimtab.kernel.verdict import Outcome


@dataclass(frozen=True)
class BlueGreen:
    """A rollout policy with one step."""

    name: str = "blue_green"
    admits = (Outcome.PASS,)
    audience = None

    def problems(self, fields: Mapping[str, str]) -> Iterator[TrimtabError]:  # noqa: ARG002 - all are asked alike
        """It has no settings."""
        yield from ()

    def decide(
        self,
        release: Release,
        route: Route | None,
        *,
        number: int,  # noqa: ARG002 - all policies are asked alike
        at_us: int,  # noqa: ARG002
        traffic: int = 0,  # noqa: ARG002
        override: str = "",
    ) -> Plan:
        """The plan for a new release."""
        return decide_deploy(release, route, override)


def blue_green() -> BlueGreen:
    """Switch all traffic in one move of the pointer."""
    return BlueGreen()
