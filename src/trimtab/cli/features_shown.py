"""How the catalogue of features looks: all of them, and one of them in full."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from rich.markup import escape

from trimtab.cli.screen import GOOD, UNSURE, Screen, faint
from trimtab.features.aggregation import Aggregation
from trimtab.features.described import Described, Personal
from trimtab.features.feature_set import Declared
from trimtab.features.on_request import RequestFeatures
from trimtab.features.view import FeatureView
from trimtab.house.feature_catalogue import Catalogue, Use
from trimtab.kernel.canonical import short
from trimtab.kernel.counted import counted
from trimtab.kernel.moment import duration_text

_PERSONAL: dict[Personal, str] = {"yes": f"[{UNSURE}]personal[/]", "no": "no", "not declared": faint("?")}
_GONE = f"[{UNSURE}]no longer declared[/]"
_FOREMOST = ("champion", "canary", "shadow")  # roles that are worth a word in a list


def show_features(screen: Screen, found: Catalogue, rows: Sequence[Described]) -> None:
    """A line a feature, under a line a view."""
    views = list(dict.fromkeys(one.view for one in rows))
    screen.title("Features", f"{found.system}, {counted(len(rows), 'feature')} in {counted(len(views), 'view')}")
    unsaid = sum(one.personal == "not declared" for one in (*found.rows, *found.gone))
    if not rows:
        screen.note(f"none; of {unsaid} nobody has said whether they are personal" if unsaid else "none")
        return
    lines = [line for view in views for line in _lines(found, [one for one in rows if one.view == view])]
    screen.table(("feature", "type", "unit", "personal", "owner", "source", "in use"), lines)
    if unsaid:
        screen.note(f"? of {unsaid} nobody has said whether they are personal: personal= of the view or its source")
    if any("*" in line[-1] for line in lines):
        screen.note("* in another definition than that of the working tree: trimtab features show VIEW")


def _lines(found: Catalogue, rows: Sequence[Described]) -> Iterator[tuple[str, ...]]:
    """Of one view: what is true of all its features stands in its own line."""
    view, whole = rows[0].view, _in_use(found, rows[0].view)
    yield f"[bold]{escape(view)}[/]", "", "", "", escape(rows[0].owner), rows[0].source, whole
    for one in rows:
        used = _in_use(found, view, one.column)
        if one in found.gone and view in found.versions:
            used = _GONE
        kind, personal = faint(one.type), _PERSONAL[one.personal]
        yield f"  {escape(one.column)}", kind, escape(one.unit), personal, "", "", "" if used == whole else used


def _in_use(found: Catalogue, view: str, column: str = "") -> str:
    """'champion, 3 releases'; a star says that it answers in another definition."""
    used = found.uses_of(view, column)
    if not used:
        return faint("nobody")
    roles = []
    for role in _FOREMOST:
        for one in used:
            if role in one.roles:
                same = one.views[view] == found.versions.get(view, one.views[view])
                roles.append(f"[{GOOD}]{role}[/]" + ("" if same else "*"))
    return ", ".join([*roles, faint(counted(len(used), "release")) if view in found.versions else _GONE])


def features_json(found: Catalogue, rows: Iterable[Described]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {
            "feature": one.name,
            **asdict(one),
            "declared": one not in found.gone,
            "version": found.versions.get(one.view),
            "used_by": [_use_json(found, one.view, use) for use in found.uses_of(one.view, one.column)],
        }
        for one in rows
    ]


def _use_json(found: Catalogue, view: str, use: Use) -> dict[str, Any]:
    return {
        "release": use.release,
        "roles": list(use.roles),
        "made_at": use.made_at,
        "version": use.views[view],
        "as_in_working_tree": use.views[view] == found.versions.get(view),
    }


def show_feature(screen: Screen, found: Catalogue, view: Declared, column: str) -> None:
    """A view, or one feature of it, in full."""
    rows = [one for one in found.rows if one.view == view.name and column in ("", one.column)]
    screen.title(f"{view.name}.{column}" if column else view.name, _kind(view))
    if view.description:
        screen.hang("  ", escape(" ".join(view.description.split())))
        screen.console.print()
    screen.facts([(name, escape(text)) for name, text in _facts(found, view, rows)])
    screen.title("Features" if not column else "Feature")
    lines = [
        (
            f"[bold]{escape(one.column)}[/]",
            faint(one.type),
            escape(one.unit),
            _PERSONAL[one.personal],
            faint(one.because),
        )
        for one in rows
    ]
    screen.table(("feature", "type", "unit", "personal", "why"), lines)
    screen.title("Definition", view.place)
    for line in definition(view):
        screen.hang("  ", escape(line) or " ")
    _show_uses(screen, found, view.name, column)


def _facts(found: Catalogue, view: Declared, rows: Sequence[Described]) -> Iterator[tuple[str, str]]:
    source = found.source_of(view)
    told = f": {source.description}" if source.description else ""
    yield (
        "source",
        f"the request, asked of {source.name}" if isinstance(view, RequestFeatures) else source.name + told,
    )
    match view:
        case FeatureView():
            if view.on is not None:
                yield "stands on", " → ".join(one.name for one in view.chain)
            yield "entity", ", ".join(view.entity)
            yield (
                "newest fact",
                "of any age" if view.max_age is None else f"at most {duration_text(view.max_age)} old",
            )
        case Aggregation():
            yield "by", ", ".join(view.by)
    yield "owner", (rows[0].owner if rows else "") or "nobody: owner= of the view or of its source"
    yield "version", f"{short(found.versions[view.name])}, of the working tree"


def _kind(view: Declared) -> str:
    match view:
        case RequestFeatures():
            return "features of the request"
        case FeatureView():
            return "feature view"
        case Aggregation():
            return "aggregation"


def definition(view: Declared) -> list[str]:
    """Lines that say how it is computed: code, or windows in words."""
    match view:
        case RequestFeatures():
            return _code(view.function)
        case FeatureView():
            push = ["", "# pushed online:", *_code(view.push)] if view.push is not None else []
            return [*_code(view.function), *push]
        case Aggregation():
            windows = ", ".join(duration_text(one) for one in view.windows)
            kept = f" where {view.where}" if view.where is not None else ""
            return [
                f"{', '.join(view.how)} of {view.of}{kept}",
                f"over {windows} before the question, by {view.window_on.replace('_', ' ')}",
                f"for each {', '.join(view.by)} of {view.source.name}",
            ]


def _code(function: Any) -> list[str]:
    try:
        return textwrap.dedent(inspect.getsource(function)).rstrip().splitlines()
    except (OSError, TypeError):
        return ["(its source cannot be read)"]


def _show_uses(screen: Screen, found: Catalogue, view: str, column: str) -> None:
    used = found.uses_of(view, column)
    screen.title("In use", "" if used else "by no release")
    if not used:
        return
    lines = []
    for one in reversed(used):
        same = one.views[view] == found.versions[view]
        told = faint("as in the working tree") if same else f"[{UNSURE}]another definition[/]"
        roles = ", ".join(f"[{GOOD}]{role}[/]" if role in _FOREMOST else role for role in one.roles) or faint(
            "at rest"
        )
        lines.append((short(one.release), one.made_at[:16].replace("T", " "), roles, short(one.views[view]), told))
    screen.table(("release", "made (UTC)", "role", "version of the view", ""), lines)


def feature_json(found: Catalogue, view: Declared, column: str) -> dict[str, Any]:
    """The same for programs."""
    rows = [one for one in found.rows if one.view == view.name and column in ("", one.column)]
    body: dict[str, Any] = {
        "view": view.name,
        "kind": _kind(view),
        "description": view.description,
        "source": found.source_of(view).name,
        "version": found.versions[view.name],
        "place": view.place,
        "definition": "\n".join(definition(view)),
        "features": [asdict(one) for one in rows],
        "used_by": [_use_json(found, view.name, one) for one in found.uses_of(view.name, column)],
    }
    match view:
        case FeatureView():
            age: timedelta | None = view.max_age
            body |= {
                "entity": list(view.entity),
                "max_age_s": None if age is None else age.total_seconds(),
                "stands_on": [one.name for one in view.chain[:-1]],
            }
        case Aggregation():
            body |= {
                "by": list(view.by),
                "of": view.of,
                "how": list(view.how),
                "windows_s": [one.total_seconds() for one in view.windows],
                "window_on": view.window_on,
                "where": None if view.where is None else str(view.where),
            }
    return body
