"""Tags of features for people and auditors: owner, units, personal data. They never enter a version's digest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trimtab.kernel.errors import InvalidValue, TrimtabError


@dataclass(frozen=True)
class Tags:
    """What is declared of a view's features."""

    owner: str = ""
    units: Mapping[str, str] = field(default_factory=dict)  # by feature
    personal: tuple[str, ...] | None = None  # features that hold personal data; () says that none does


NONE = Tags()


def declared_tags(
    owner: object, units: object, personal: object, *, place: str
) -> tuple[Tags, tuple[TrimtabError, ...]]:
    """Tags as they were given to a declaration, without those that cannot be; and what is wrong with those."""
    problems: list[TrimtabError] = []
    if not isinstance(owner, str):
        problems.append(InvalidValue("owner", owner, allowed="text: a team or a person", where=place))
        owner = ""
    if not isinstance(units, Mapping | None) or not all(
        isinstance(one, str) for item in (units or {}).items() for one in item
    ):
        problems.append(
            InvalidValue("units", units, allowed='units by feature, e.g. {"temp_f": "°F"}', where=place)
        )
        units = None
    named = (personal,) if isinstance(personal, str) else personal
    if named is not None and not (isinstance(named, Sequence) and all(isinstance(one, str) for one in named)):
        allowed = "names of features; () says that none holds personal data, None that nobody has said"
        problems.append(InvalidValue("personal", personal, allowed=allowed, where=place))
        named = None
    return Tags(owner, dict(units or {}), None if named is None else tuple(named)), tuple(problems)
