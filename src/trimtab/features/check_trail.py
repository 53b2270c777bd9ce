"""What is wrong with what a feature view stands on: its one parameter names a source or another feature view."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.features.aggregation import Aggregation
from trimtab.features.feature_set import FeatureSet
from trimtab.features.view import FeatureView
from trimtab.kernel.errors import Misdeclared, TrimtabError, listed


def check_trail(view: FeatureView, features: FeatureSet) -> Iterator[TrimtabError]:
    """Problems of a view's name and of its parameter; of views that stand on each other the first one says it."""
    if view.name in features.sources:
        yield Misdeclared(
            "feature view",
            view.name,
            "has the name of a source",
            where=view.place,
            allowed=f"names other than those of the sources: {listed(features.sources)}",
            got=view.name,
            do="give it another name=: a function's parameter names a source or a view, and must mean one",
        )
        return
    names = features.trail(view)
    if len(names) == 2 and names[-1] not in features.sources and names[-1] not in features.views:
        yield _unknown(view, features)
    elif names[-1] in names[:-1]:
        ring = names[names.index(names[-1]) : -1]
        if view.name == next(name for name in features.views if name in ring):
            yield Misdeclared(
                "feature view",
                view.name,
                "stands on itself" if len(ring) == 1 else "stands on a view that stands on it",
                where=view.place,
                allowed="views on sources, and views on those",
                got=" → ".join((*ring, names[-1])),
                do="let one of them take a source: its function's parameter names what it stands on",
            )


def _unknown(view: FeatureView, features: FeatureSet) -> Misdeclared:
    others = [name for name in features.views if name != view.name]
    found = next((one for one in features.declared if one.name == view.source), None)
    named = "an aggregation" if isinstance(found, Aggregation) else "features of the request"
    got = f"parameter '{view.source}'" if view.source else "no or several parameters"
    return Misdeclared(
        "feature view",
        view.name,
        "must take one source, or one feature view, as its one parameter, by its name",
        where=view.place,
        allowed=f"sources: {listed(features.sources)}; feature views: {listed(others)}",
        got=f"{got}, which is {named}" if found else got,
        do="name the parameter like the source or view, and list that in System(sources=…) or (features=…)",
    )
