"""What every rollout policy has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

from trimtab.deployment.actions import Plan
from trimtab.kernel.audience import Audience
from trimtab.kernel.errors import TrimtabError
from trimtab.kernel.release import Release
from trimtab.kernel.route import Route
from trimtab.kernel.verdict import Outcome


@runtime_checkable
class RolloutPolicy(Protocol):
    """From a release to the first step towards its users."""

    @property
    def name(self) -> str:
        """With its settings."""
        ...

    @property
    def admits(self) -> tuple[Outcome, ...]:
        """What the gates may say together to a release that is rolled out."""
        ...

    @property
    def audience(self) -> Audience | None:
        """Whom a challenger answers before it is promoted; None: everybody."""
        ...

    def problems(self, fields: Mapping[str, str]) -> Iterator[TrimtabError]:
        """What is wrong with its settings.

        Args:
            fields: of a request → their Polars types, "" for a type that is not known.
        """
        ...

    def decide(
        self,
        release: Release,
        route: Route | None,
        *,
        number: int,
        at_us: int,
        traffic: int = 0,
        override: str = "",
    ) -> Plan:
        """The plan for a new release.

        Args:
            release: with its verdicts.
            route: in force.
            number: of the rollout, if one begins.
            at_us: now, µs since 1970 UTC.
            traffic: how many predictions were made in the day before, of its audience.
            override: why somebody set the gates aside; "" if nobody did.
        """
        ...
