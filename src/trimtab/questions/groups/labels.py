"""Questions of labels and feedback."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

import polars as pl

from trimtab.kernel.counted import counted
from trimtab.kernel.moment import from_us
from trimtab.questions.phrases import NO_ANSWERS, NO_TRUTH, minute, share, span
from trimtab.questions.question import Group, Question
from trimtab.questions.today import Today


def _joined(today: Today) -> str:
    if today.answers.is_empty():
        return NO_ANSWERS
    return f"{today.labelled.height:,} of {counted(today.answers.height, 'answer')} have their truth by now"


def _late(today: Today) -> str:
    if today.labelled.is_empty():
        return NO_TRUTH
    late = today.labelled["label_known_at"] - today.labelled["at"]
    p5, p50, p95 = (timedelta(microseconds=_us(late, one)) for one in (0.05, 0.5, 0.95))
    return f"{span(p50)} after the question in the median, from {span(p5)} to {span(p95)} for nine of ten"


def _us(late: pl.Series, part: float) -> float:
    return cast("float", late.dt.total_microseconds().quantile(part, "nearest"))


def _corrected(today: Today) -> str:
    label = today.house.system.label
    if today.truths is None:
        return "no label has arrived yet"
    key = pl.col(label.source.keys[0])
    rows, keys = today.truths.select(pl.len(), key.n_unique().alias("keys")).collect().row(0)
    told = f"{counted(rows, 'row')} about {counted(keys, 'key')} in '{label.source.name}'"
    return f"{told}: {counted(rows - keys, 'later word') if rows > keys else 'none was corrected yet'}"


def _never(today: Today) -> str:
    if today.answers.is_empty():
        return NO_ANSWERS
    newest = today.labelled["label_known_at"].max()
    if newest is None:
        return NO_TRUTH
    waiting = today.answers.height - today.labelled.height
    told = f"{counted(waiting, 'answer')} without a truth ({share(waiting, today.answers.height)})"
    return f"{told}; the newest truth is of {minute(newest)}"  # type: ignore[arg-type]


def _settled(today: Today) -> str:
    told = []
    for monitor in today.house.system.monitors:
        pointer = today.house.reader.pointer(f"measured/{today.house.name}/{monitor.metric}")
        told += [f"{monitor.metric} up to {minute(from_us(int(pointer.value)))}"] if pointer else []
    return f"measured: {', '.join(told)}" if told else "nothing is measured yet"


LABELS = Group(
    "labels",
    "Labels and feedback",
    (
        Question(
            "joined",
            "How does the truth find the answer that it judges?",
            "trimtab explain ID",
            "By the question's key, which every record carries; nobody has to send it back.",
            _joined,
        ),
        Question(
            "label-delay",
            "How late does the truth come?",
            "trimtab explain ID",
            "A label has the instant at which it became known, so that its delay is data, not a guess.",
            _late,
        ),
        Question(
            "label-corrected",
            "What if the truth is corrected later?",
            "trimtab explain ID",
            "It counts as it was known at the instant that is looked at: training and measures see the last "
            "word then.",
            _corrected,
        ),
        Question(
            "label-never",
            "What if the truth never comes?",
            "trimtab status",
            "The answer is left out of training and of measures; it is never taken for a no.",
            _never,
        ),
        Question(
            "settled",
            "When is a month judged, if labels are late?",
            "trimtab tick",
            "When it is over and its declared settling time has passed; then it is measured once, and stays as "
            "it is.",
            _settled,
        ),
        Question(
            "feedback-loop",
            "Do the model's own decisions decide which truths we see?",
            "",
            "Answers are recorded whether or not a truth follows, but none is given at random.",
            open="no exploration traffic, so that bias from feedback is not measured",
        ),
    ),
)
