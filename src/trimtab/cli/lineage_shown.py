"""How lineage looks: a tree."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.markup import escape

from trimtab.cli.screen import ACCENT, GOOD, Screen, faint
from trimtab.house.lineage import Node
from trimtab.kernel.canonical import short
from trimtab.kernel.counted import counted

_NOW = ("champion", "canary", "shadow")


def show_lineage(screen: Screen, tree: Node) -> None:
    """From the root to the leaves; a chain without branches stays in one line as far as it can."""
    screen.console.print()
    screen.hang("  ", _told(tree, root=True))
    _branches(screen, tree, "  ")


def _branches(screen: Screen, node: Node, indent: str) -> None:
    before: tuple[Node, ...] = ()
    for place, child in enumerate(node.children):
        last = place + 1 == len(node.children)
        line, end = _told(child), child
        while end.kind in ("run", "release") and len(end.children) == 1:
            end = end.children[0]
            line += f" {faint('→')} {_told(end)}"
        same = bool(child.children) and child.children == before
        if same:
            line += faint(f", in the same {counted(len(before), 'run')}")
        before = child.children
        screen.hang(faint(f"{indent}{'└─' if last else '├─'} "), line)
        if not same:
            _branches(screen, end, f"{indent}{'   ' if last else '│  '}")


def _told(node: Node, *, root: bool = False) -> str:
    said = f"  {faint(node.said)}" if node.said else ""
    match node.kind:
        case "route":
            now = any(one in node.id for one in _NOW)
            name = f"[{GOOD}]{node.id}[/]" if now else node.id
            between = " " if node.said.startswith("since") else "; "
            return f"{name}{faint(between) if name and node.said else ''}{faint(node.said)}"
        case "older":
            return faint(f"{node.id}: {node.said}")
        case "run":
            return f"{faint('run')} {short(node.id.rpartition('-')[2])}{said}"
        case "release" if not node.id:
            return faint(node.said)
        case "release":
            return f"{faint('release')} {'[bold]' if root else '[default]'}{short(node.id)}[/]{said}"
        case "view":
            name, _, version = node.id.partition("@")
            return f"[bold]{escape(name)}[/]{faint('@' + short(version))}{said}"
    return f"[{ACCENT}]{escape(node.id)}[/]{said}"


def lineage_json(tree: Node) -> dict[str, Any]:
    """The same for programs."""
    return asdict(tree)
