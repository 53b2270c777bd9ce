"""What is wrong with tags: owners, units and personal data of what does not exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import polars as pl

from trimtab.features.tags import Tags
from trimtab.kernel.errors import InvalidValue, TrimtabError, UnknownName
from trimtab.kernel.source import Source


def check_tags(view: str, tags: Tags, columns: Iterable[str], place: str) -> Iterator[TrimtabError]:
    """Problems of the tags of a view with these features."""
    known = list(columns)
    for argument, names in (("units", tags.units), ("personal", tags.personal or ())):
        for name in names:
            if name not in known:
                yield UnknownName(
                    f"feature in {argument} of '{view}'",
                    name,
                    known,
                    where=place,
                    do=f"name features of '{view}' in {argument}=",
                )


def check_source_tags(sources: Mapping[str, Source], schemas: Mapping[str, pl.Schema]) -> Iterator[TrimtabError]:
    """Problems of the tags of sources; of those that cannot be read, names of columns are not looked at."""
    for source in sources.values():
        owner: object = source.owner
        named: object = source.personal
        if not isinstance(owner, str):
            yield InvalidValue("owner", owner, allowed="text: a team or a person", where=source.place)
        if not (named is None or (isinstance(named, Sequence) and all(isinstance(one, str) for one in named))):
            allowed = "names of columns; () says that none holds personal data, None that nobody has said"
            yield InvalidValue("personal", named, allowed=allowed, where=source.place)
        elif source.name in schemas:
            for column in source.personal_columns or ():
                if column not in schemas[source.name]:
                    yield UnknownName(
                        f"column in personal of source '{source.name}'",
                        column,
                        schemas[source.name],
                        where=source.place,
                        do="name columns of the source in personal=",
                    )
