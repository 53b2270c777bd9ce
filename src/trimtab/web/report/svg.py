"""Elements of inline SVG. Colours and fonts come from the page's style, by class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

Point = tuple[float, float]


def element(name: str, content: str | Iterable[str] = "", **attributes: object) -> Markup:
    """One element; text content and attributes are escaped. `class_` is class, `text_anchor` is text-anchor.

    >>> element("text", "a < b", x=1.25, class_="t")
    Markup('<text x="1.2" class="t">a &lt; b</text>')
    """
    inside = escape(content) if isinstance(content, str) else Markup("").join(content)
    given = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _short(value))
        for key, value in attributes.items()
    )
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), given, inside)  # noqa: S704 - names are ours


def _short(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def drawing(width: float, height: float, label: str, parts: Iterable[str]) -> Markup:
    """A picture of its own, named for those who cannot see it."""
    size = f"0 0 {width:.0f} {height:.0f}"
    return element("svg", parts, viewBox=size, width=width, height=height, role="img", aria_label=label)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=class_)


def text(x: float, y: float, content: str, class_: str = "t", anchor: str = "start") -> Markup:
    """Words; `anchor` is start, middle or end."""
    return element("text", content, x=float(x), y=float(y), class_=class_, text_anchor=anchor)


def box(x: float, y: float, width: float, height: float, class_: str, tip: str = "", radius: float = 0) -> Markup:
    """A rectangle that may say something when pointed at."""
    size = {"x": float(x), "y": float(y), "width": max(0.0, float(width)), "height": max(0.0, float(height))}
    return element("rect", told(tip), **size, rx=float(radius), class_=class_)


def path(points: Sequence[Point], class_: str, *, closed: bool = False) -> Markup:
    """Straight lines from point to point."""
    steps = " ".join(f"{'L' if number else 'M'}{x:.1f} {y:.1f}" for number, (x, y) in enumerate(points))
    return element("path", d=steps + (" Z" if closed else ""), class_=class_)


def told(tip: str) -> list[Markup]:
    """What a mark says when pointed at, as its first child."""
    return [element("title", tip)] if tip else []
