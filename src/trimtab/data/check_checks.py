"""What is wrong with the checks of declared sources: looked at once the columns of all sources are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from trimtab.data import checks
from trimtab.data.checks.check import Check
from trimtab.data.checks.refers_to import RefersTo
from trimtab.kernel.errors import Misdeclared, TrimtabError, listed
from trimtab.kernel.source import Source


def check_checks(sources: Sequence[Source], schemas: Mapping[str, pl.Schema]) -> Iterator[TrimtabError]:
    """Problems of all checks.

    Args:
        sources: all that the system lists.
        schemas: columns of those that can be read.
    """
    for source in sources:
        if not isinstance(source.checks, list | tuple):
            yield _no_check(source, source.checks)
            continue
        for one in source.checks:
            if not isinstance(one, Check):
                yield _no_check(source, one)
                continue
            if isinstance(one, RefersTo) and not any(other is one.to for other in sources):
                yield _unlisted(source, one, sources)
            yield from one.problems(source, schemas)


def _no_check(source: Source, got: object) -> TrimtabError:
    return Misdeclared(
        "source",
        source.name,
        "checks holds what cannot stand there",
        where=source.place,
        allowed=f"a list of {listed(f'trimtab.checks.{name}' for name in checks.__all__)}",
        got=getattr(got, "__qualname__", None) or repr(got),
        do="give what the check returns: call it",
    )


def _unlisted(source: Source, check: RefersTo, sources: Sequence[Source]) -> TrimtabError:
    return Misdeclared(
        "source",
        source.name,
        f"{check.name} uses a source that the system does not list",
        where=check.place,
        allowed=listed(one.name for one in sources),
        got=check.to.name,
        do="add it to System(sources=…)",
    )
