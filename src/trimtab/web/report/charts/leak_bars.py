"""The leak: what a backtest promised, what was served, and what an honest backtest says."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from trimtab.web.report.figure import NARROW, WIDE, Figure, Numbers
from trimtab.web.report.scale import Linear
from trimtab.web.report.svg import box, drawing, line, text
from trimtab.web.report.wording import number

_TITLE = "A leaky feature, three times"
_SAYS = "Bars begin at 0.5, where a coin is."
_COIN = 0.5
_TALL = 38


def leak_bars(offline_auc: float, served_auc: float, honest_auc: float) -> Figure:
    """Three bars side by side."""
    bars = (
        ("leaky, offline", offline_auc, "leak", "what a backtest promised"),
        ("leaky, served", served_auc, "bad", "what users would have got"),
        ("honest", honest_auc, "managed", "known-then features, offline and served"),
    )
    return Figure(
        _TITLE,
        _SAYS,
        wide=_picture(bars, WIDE, 130),
        narrow=_picture(bars, NARROW, 96),
        numbers=Numbers("Leak: AUC", ("features", "AUC"), tuple((name, number(auc)) for name, auc, _, _ in bars)),
    )


def _picture(bars: Sequence[tuple[str, float, str, str]], width: int, left: int) -> Markup:
    wide = width == WIDE
    x = Linear(_COIN, max(auc for _, auc, _, _ in bars) + 1e-9, left, width - (360 if wide else 60))
    parts: list[Markup] = []
    for row, (name, auc, class_, means) in enumerate(bars):
        top = row * _TALL + 4
        parts.append(text(left - 10, top + 18, name, "t strong", "end"))
        parts.append(box(left, top + 3, x(auc) - left, 22, f"bar {class_}", f"{name}: AUC {number(auc)}", 2))
        parts.append(text(x(auc) + 8, top + 19, number(auc), "t value"))
        if wide:
            parts.append(text(x(auc) + 66, top + 19, means, "axis"))
    foot = len(bars) * _TALL
    parts.append(line(left, 2, left, foot, "zero"))
    parts.append(text(left, foot + 16, "0.5", "t", "middle"))
    parts.append(text(left + 20, foot + 16, "AUC", "axis"))
    return drawing(width, foot + 22, _TITLE, parts)
