"""Questions of monitoring."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from trimtab.house.feature_stats import FAR, feature_stats
from trimtab.kernel.canonical import short
from trimtab.kernel.counted import counted
from trimtab.kernel.evidence import Evidence
from trimtab.kernel.moment import from_us
from trimtab.questions.phrases import NO_ANSWERS, NO_TRUTH, NOTHING_DEPLOYED, because, minute
from trimtab.questions.question import Group, Question
from trimtab.questions.today import Today

_NOT_YET = "no month is over and its labels in"
_LATELY = timedelta(days=7)
_FEWEST = 200  # answers in a fifth, below which its mean says little


def _quality(today: Today) -> str:
    if not today.measured:
        return _NOT_YET
    newest = {one.metric: one for one in today.measured}
    return "; ".join(_told(one) for one in newest.values())


def _told(one: Evidence) -> str:
    month = f"{from_us(one.since_us):%Y-%m}"
    return f"{one.metric} of {month}: {one.value:.4f} ({one.low:.4f} to {one.high:.4f}), {one.rows:,} labels"


def _silently(today: Today) -> str:
    if not today.measured or today.champion is None:
        return _NOT_YET
    first: dict[str, Evidence] = {}
    for one in today.measured:
        first.setdefault(one.metric, one)
    last = {one.metric: one for one in today.measured}
    moved = [f"{name} {first[name].value:.4f} to {one.value:.4f}" for name, one in last.items()]
    months = len({one.since_us for one in today.measured})
    return f"{counted(months, 'month')} measured, from the first to the newest: {', '.join(moved)}"


def _by_release(today: Today) -> str:
    if not today.measured:
        return _NOT_YET
    metric = today.measured[-1].metric
    newest = {one.release: one for one in today.measured if one.metric == metric}
    return f"{metric}: " + ", ".join(f"{short(name)} {one.value:.4f}" for name, one in list(newest.items())[-4:])


def _calibration(today: Today) -> str:
    rows = today.labelled
    if rows.is_empty():
        return NO_TRUTH
    said, was = pl.col("score").mean(), pl.col("label").cast(pl.Float64).mean()
    if rows.height < 5 * _FEWEST:
        one = rows.select(said.alias("said"), was.alias("was")).row(0, named=True)
        return f"said {one['said']:.3f} in the mean, {one['was']:.3f} came true, {counted(rows.height, 'answer')}"
    fifth = (pl.col("score").rank("ordinal") * 5 / (pl.len() + 1)).floor()
    fifths = rows.group_by(fifth.alias("fifth")).agg(said.alias("said"), was.alias("was")).sort("fifth")
    told = ", ".join(f"{one['said']:.2f}→{one['was']:.2f}" for one in fifths.iter_rows(named=True))
    return f"said→came true, by fifths of the score: {told}"


def _traffic(today: Today) -> str:
    if today.answers.is_empty():
        return NO_ANSWERS
    last = today.answers["at"].max()
    days = today.answers.group_by(pl.col("at").dt.date()).len().sort("at")
    rows = ", ".join(f"{count:,}" for count in days["len"].tail(5))
    return f"the newest question of {minute(last)}; a day, up to the newest: {rows}"  # type: ignore[arg-type]


def _moved(today: Today) -> str:
    if today.answers.is_empty():
        return NO_ANSWERS
    at, scores = pl.col("at"), pl.col("score").mean()
    first, last = (today.answers["at"].min(), today.answers["at"].max())
    assert first is not None and last is not None
    week = timedelta(days=7)
    if last - first < 2 * week:  # type: ignore[operator]
        return f"{today.answers.select(scores).item():.4f} in the mean; two weeks are needed to compare"
    early = today.answers.filter(at < first + week).select(scores).item()  # type: ignore[operator]
    late = today.answers.filter(at > last - week).select(scores).item()  # type: ignore[operator]
    return f"mean score {early:.4f} in the first week, {late:.4f} in the newest"


def _alarms(today: Today) -> str:
    raised, over = today.entries("alarm.raised"), today.entries("alarm.over")
    if not raised:
        return "no alarm yet"
    going = len(raised) - len(over)
    last = raised[-1]
    told = f"{counted(len(raised), 'alarm')}, {going} of them not over"
    return f"{told}; the last on {minute(last.at)}: {last.subject}: {because(last)}"


def _drift(today: Today) -> str:
    if today.champion is None:
        return NOTHING_DEPLOYED
    found = feature_stats(today.house, today.champion.digest, "", "", _LATELY)
    moved = sorted(((one.psi, one.name) for one in found.features if one.psi is not None), reverse=True)
    if not moved:
        return NO_ANSWERS
    far = [name for index, name in moved if index >= FAR]
    worst = f"; most: {moved[0][1]}, {moved[0][0]:.2f}" if far else ""
    return (
        f"{counted(len(far), 'feature')} of {len(moved)} moved by {FAR} or more since training{worst}; "
        f"{counted(found.answers, 'answer')} of the last {_LATELY.days} days"
    )


MONITORING = Group(
    "monitoring",
    "Monitoring",
    (
        Question(
            "quality",
            "How good is the model in production?",
            "trimtab status",
            "Served answers are joined with their truth and measured by month, with an interval by days.",
            _quality,
        ),
        Question(
            "degrades-silently",
            "How would I know that it degrades silently?",
            "trimtab status",
            "Each month that is over is measured by itself once its labels are in, whether anybody asks or not.",
            _silently,
        ),
        Question(
            "release-by-release",
            "How did each release do with real users?",
            "trimtab status",
            "What is measured names the release that gave the answers.",
            _by_release,
        ),
        Question(
            "calibration",
            "Do the scores mean what they say?",
            "trimtab questions calibration",
            "Scores are held against what came true, and log_loss, which punishes false confidence, is measured.",
            _calibration,
        ),
        Question(
            "score-shift",
            "Have the answers themselves moved?",
            "trimtab questions score-shift",
            "Every score is kept, so that its mean can be followed before any truth is known.",
            _moved,
        ),
        Question(
            "traffic",
            "Have requests stopped, or doubled?",
            "trimtab questions traffic",
            "Answers are counted by day from their records; the workers' counters stand at /metrics.",
            _traffic,
        ),
        Question(
            "alarms",
            "Who is told when something breaks, and is it over?",
            "trimtab audit log",
            "An alarm is raised once, named by its subject, and closed when its reason is gone.",
            _alarms,
        ),
        Question(
            "drift",
            "Have the inputs drifted away from the training data?",
            "trimtab features stats",
            "Each feature of the last answers stands beside the training set, with the population stability index; "
            "drift explains a loss, and pages nobody by itself.",
            _drift,
        ),
    ),
)
