"""Whether what a system says of its prediction log can be meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta

from trimtab.kernel.errors import InvalidValue, Misdeclared, TrimtabError
from trimtab.kernel.moment import duration_text
from trimtab.serving.retention import Retention


def check_retention(
    given: object, system: str, place: str, looks_back: Mapping[str, timedelta]
) -> Iterator[TrimtabError]:
    """Everything that is wrong with `log`.

    Args:
        given: what was declared.
        system: its name.
        place: where it was declared.
        looks_back: how old the predictions are that others read, at most, by what reads them.
    """
    if not isinstance(given, Retention):
        yield Misdeclared(
            "system",
            system,
            "log is not a retention policy",
            where=place,
            allowed="what tt.retention returns",
            got=repr(given),
            do='declare log=tt.retention(keep="400d", sample=0.1), or leave it out to keep everything',
        )
        return
    problems = list(given.problems())
    yield from problems
    with suppress(TrimtabError):  # told above
        span = given.span
        for who, needed in looks_back.items():
            if span is not None and not problems and span < needed:
                yield InvalidValue(
                    "keep",
                    given.keep,
                    allowed=f"{duration_text(needed)} or more: so far back reads {who}",
                    where=given.place,
                )
