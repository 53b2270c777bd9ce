"""Marks of what happened: each has a shape of its own, so that colour is never needed."""

from __future__ import annotations

from markupsafe import Markup

from trimtab.kernel.happening import Mark
from trimtab.web.report.svg import element, told

SIGNS: dict[Mark, str] = {"good": "✓", "bad": "✗", "unsure": "!", "step": "○", "routine": "·"}


def mark(kind: Mark, x: float, y: float, tip: str) -> Markup:
    """A disc, a diamond, a triangle, a ring or a point."""
    class_ = f"mark mark-{kind}"
    match kind:
        case "good":
            return element("circle", told(tip), cx=x, cy=y, r=4.5, class_=class_)
        case "bad":
            return element("path", told(tip), d=f"M{x:.1f} {y - 6:.1f} l6 6 l-6 6 l-6 -6 Z", class_=class_)
        case "unsure":
            return element("path", told(tip), d=f"M{x:.1f} {y - 5.5:.1f} l5.5 10 h-11 Z", class_=class_)
        case "step":
            return element("circle", told(tip), cx=x, cy=y, r=3.5, class_=class_)
        case "routine":
            return element("circle", told(tip), cx=x, cy=y, r=1.5, class_=class_)
