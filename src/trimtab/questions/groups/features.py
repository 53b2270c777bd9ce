"""Questions of features."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import polars as pl

from trimtab.features.given import looked_up
from trimtab.house.feature_catalogue import catalogue
from trimtab.house.parity import parity_of
from trimtab.kernel.canonical import short
from trimtab.kernel.counted import counted
from trimtab.kernel.errors import DeclarationInvalid
from trimtab.monitoring.measure import PREDICTIONS
from trimtab.monitoring.scores import by_models
from trimtab.questions.phrases import NO_ANSWERS, NOTHING_DEPLOYED, brief, share, span
from trimtab.questions.question import Group, Question
from trimtab.questions.today import Today

_SAMPLE = 20  # answers that are recomputed; each costs the same few reads of the sources


def _parity(today: Today) -> str:
    champion = today.champion
    if champion is None:
        return NOTHING_DEPLOYED
    newest = today.answers.filter(pl.col("release") == champion.digest).tail(_SAMPLE)
    if newest.is_empty():
        return NO_ANSWERS
    table = by_models(today.house.tables.scan(PREDICTIONS)).filter(
        pl.col("date").is_in(newest["at"].dt.date().unique().implode())
    )
    rows = (
        table.filter(pl.col("id").is_in(newest["id"].implode()), looked_up())
        .select("id", "at", "request", "features")
        .collect()
    )
    found = parity_of(today.house, champion.digest, rows)
    values = counted(rows.height * len(champion.features), "value")
    told = f"{len(found):,} DIFFER" if found else "all equal"
    return f"{values} of the newest {counted(rows.height, 'answer')} recomputed just now: {told}"


def _future(today: Today) -> str:
    ages = _ages(today)
    if not ages:
        return NOTHING_DEPLOYED if today.champion is None else NO_ANSWERS
    used = [age for column in ages.values() for age in [column.min()] if isinstance(age, int)]
    late = sum(age < 0 for age in used)
    told = f"{counted(late, 'view')} DIFFER from that" if late else "no answer used a fact newer than its question"
    return f"{told}: {counted(today.answers.height, 'answer')}, {counted(len(ages), 'view')} looked up for each"


def _ages(today: Today) -> dict[str, pl.Series]:
    """Ages in microseconds of the facts that the champion answered from, by stored view; {} before that."""
    if today.champion is None:
        return {}
    views = today.house.code.system(today.champion).feature_set.stored
    mine = today.answers.filter(pl.col("release") == today.champion.digest)["ages_us"]
    mine = mine.filter(mine.list.len() > 0)  # of the others, whose features came with them, nothing was looked up
    return {view.name: mine.list.get(place) for place, view in enumerate(views)} if mine.len() else {}


def _staleness(today: Today) -> str:
    medians = {name: ages.median() for name, ages in _ages(today).items()}
    known = {name: age for name, age in medians.items() if isinstance(age, float)}
    if not known:
        return NOTHING_DEPLOYED if today.champion is None else NO_ANSWERS
    oldest = sorted(known, key=lambda name: -known[name])[:3]
    return "oldest in the median: " + ", ".join(
        f"{one} {span(timedelta(microseconds=known[one]))}" for one in oldest
    )


def _missing(today: Today) -> str:
    answers = today.answers
    if answers.is_empty():
        return NO_ANSWERS
    told = f"{share(int(answers['incomplete'].sum()), answers.height)} of the answers lacked a feature"
    empty = {name: ages.null_count() for name, ages in _ages(today).items()}
    worst = max(empty, key=lambda name: empty[name], default="")
    return f"{told}; most often {worst}: {counted(empty[worst], 'time')}" if worst and empty[worst] else told


def _definitions(today: Today) -> str:
    champion = today.champion
    if champion is None:
        return NOTHING_DEPLOYED
    served, now = dict(champion.views), dict(today.house.system.feature_set.versions)
    changed = [name for name in {**served, **now} if served.get(name) != now.get(name)]
    if changed:
        listed = ", ".join(changed)
        return f"release {short(champion.digest)} answers with its own; the working tree differs in {listed}"
    return f"the working tree has the same {counted(len(now), 'definition')} as release {short(champion.digest)}"


def _declared(today: Today) -> str:
    system = today.house.system
    try:
        system.check(today.house.project.folder)
    except DeclarationInvalid as error:
        return f"the working tree has {counted(len(error.problems), 'problem')}: {brief(error.problems[0])}"
    parts = {"source": system.sources, "feature view": system.features, "gate": system.gates}
    return f"{', '.join(counted(len(some), name) for name, some in parts.items())}: nothing is wrong"


def _label_readers(today: Today) -> str:
    system = today.house.system
    source, features = system.label.source, system.feature_set
    readers = [one.name for one in features.stored if features.source_of(one).name == source.name]
    if not readers:
        return f"no feature reads '{source.name}', where the label comes from"
    return f"{', '.join(readers)} read '{source.name}', each row from its {source.known} on"


def _used(today: Today) -> str:
    found = catalogue(today.house)
    nobody = [one.name for one in found.rows if not found.uses_of(one.view, one.column)]
    answering = {name for one in found.uses if set(one.roles) & {"champion", "canary"} for name in one.features}
    told = f"{counted(len(found.rows), 'feature')} declared, {len(answering)} in answers now"
    return f"{told}; in no release: {brief(', '.join(nobody))}" if nobody else told


def _personal(today: Today) -> str:
    rows = catalogue(today.house).rows
    said = Counter(one.personal for one in rows)
    unowned = sum(not one.owner for one in rows)
    return (
        f"{counted(len(rows), 'feature')}: {said['yes']} personal, {said['no']} not, "
        f"of {said['not declared']} nobody has said; {unowned} without an owner"
    )


def _lineage(today: Today) -> str:
    found = catalogue(today.house)
    by = Counter(one.source for one in {one.view: one for one in found.rows}.values())
    views = ", ".join(f"{name} into {counted(number, 'view')}" for name, number in by.items())
    return f"{views}; {counted(len(found.uses), 'release')} made of them"


FEATURES = Group(
    "features",
    "Features",
    (
        Question(
            "skew",
            "Does a feature have the same value in training and in serving?",
            "trimtab features verify",
            "One definition serves both, and answers are recomputed offline, value by value, to see that they "
            "agree; what differs is told with its cause: late data, staleness, version or code.",
            _parity,
        ),
        Question(
            "future",
            "Could a feature have looked into the future?",
            "trimtab explain ID",
            "Training, serving and replay all read as of the question's instant, by what was known then; the "
            "age of each fact that was used is recorded with the answer.",
            _future,
        ),
        Question(
            "staleness",
            "How old are the facts that users are answered from?",
            "trimtab explain ID",
            "The age of each view's newest fact is recorded with every answer; beyond max_age it is missing, "
            "not used.",
            _staleness,
        ),
        Question(
            "missing",
            "How often did a feature have no value?",
            "trimtab explain ID",
            "A missing value is recorded as missing, in training as in serving; none is made up.",
            _missing,
        ),
        Question(
            "edited-feature",
            "What if somebody edits a feature's definition?",
            "trimtab explain ID --json",
            "A release answers with the definitions it was trained with, from its own copy of the code; the "
            "edit counts from the next release on.",
            _definitions,
        ),
        Question(
            "broken-declaration",
            "What if a feature is declared wrongly?",
            "trimtab tick",
            "Everything that is wrong is found before anything runs, all at once, each with its place and what "
            "to do.",
            _declared,
        ),
        Question(
            "leak",
            "What stops a feature that leaks the label?",
            "trimtab tick",
            "A source that claims to have known facts earlier than another source says is refused when it is "
            "declared, and no feature sees a row before its known time, offline no more than online.",
            _label_readers,
        ),
        Question(
            "who-uses",
            "Which features are there, and who uses them?",
            "trimtab features ls",
            "Every feature with its type, unit, owner and source, and the releases that use it, in which "
            "definition.",
            _used,
        ),
        Question(
            "personal-features",
            "Which features hold personal data?",
            "trimtab features ls --personal",
            "What is declared of a source's columns is followed into the features made of them; where nobody has "
            "said anything, that is told, and is no 'no'.",
            _personal,
        ),
        Question(
            "feature-lineage",
            "What has been made of a source, and what was a release made of?",
            "trimtab features lineage SOURCE",
            "A tree from the source's version over views, runs and releases to the route; from a release it goes "
            "back.",
            _lineage,
        ),
    ),
)
