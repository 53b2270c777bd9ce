"""Questions of releases and their registry."""

from __future__ import annotations

from trimtab.kernel.canonical import short
from trimtab.kernel.counted import counted
from trimtab.questions.phrases import NO_ANSWERS, NOTHING_DEPLOYED, minute
from trimtab.questions.question import Group, Question
from trimtab.questions.today import Today


def _live(today: Today) -> str:
    pointer = today.house.reader.pointer(f"route/{today.house.name}")
    if today.route is None or pointer is None:
        return NOTHING_DEPLOYED
    return f"release {short(today.route.champion)}, by the route in force since {minute(pointer.moved_at)}"


def _content(today: Today) -> str:
    one = today.champion
    if one is None:
        return NOTHING_DEPLOYED
    inside = f"model {short(one.model)}, code {short(one.code)}, {counted(len(one.features), 'feature')}"
    return f"{inside}, {counted(len(one.verdicts), 'verdict')}, {counted(len(one.request), 'request field')}"


def _untouched(today: Today) -> str:
    one = today.champion
    if one is None:
        return NOTHING_DEPLOYED
    parts = {"release": one.digest, "model": one.model, "code": one.code}
    told = ", ".join(
        f"{name} {len(today.house.blobs.get(digest)) / 1024:,.0f} KiB" for name, digest in parts.items()
    )
    return f"read just now, and each has its digest: {told}"


def _made(today: Today) -> str:
    if not today.champion_facts:
        return NOTHING_DEPLOYED
    facts = today.champion_facts
    return f"by {facts['actor']} on {facts['created_at'][:10]}, from run {facts['run']}"


def _history(today: Today) -> str:
    moves = today.entries("route.moved")
    if not moves:
        return NOTHING_DEPLOYED
    been = today.house.releases.been_in_production(today.house.name)
    told = ", ".join(f"{short(str(one.body['champion']))} {one.at:%Y-%m-%d}" for one in moves[-4:])
    return f"{counted(len(been), 'release')} in {counted(len(moves), 'move')} of the route; the newest: {told}"


def _then(today: Today) -> str:
    if today.answers.is_empty():
        return NO_ANSWERS
    found = today.answers.group_by("release").len().sort("len", "release", descending=True).head(4)
    return ", ".join(f"{short(release)} gave {counted(rows, 'answer')}" for release, rows in found.iter_rows())


RELEASE = Group(
    "release",
    "Registry and releases",
    (
        Question(
            "live",
            "Which model answers users now, and since when?",
            "trimtab status",
            "One pointer names the route in force, and the route names the release; there is no second place to "
            "look.",
            _live,
        ),
        Question(
            "bundle",
            "What goes to production together, and back together?",
            "trimtab explain ID --json",
            "A release: model, code, feature definitions, request schema, training data, verdicts and environment.",
            _content,
        ),
        Question(
            "swapped",
            "Could somebody swap the model's file?",
            "trimtab questions swapped",
            "Not unseen: everything in a release is named by the SHA-256 of its bytes, which each reader checks.",
            _untouched,
        ),
        Question(
            "made-by",
            "Who made this release, and from which run?",
            "trimtab status",
            "It is written down once, with the run, the instant and the actor, in the transaction that makes it.",
            _made,
        ),
        Question(
            "history",
            "Which releases have been in production, and when?",
            "trimtab status",
            "Each move of the route is a ledger entry with its reason; the pointer keeps where it pointed before.",
            _history,
        ),
        Question(
            "then",
            "Which model gave this answer, back then?",
            "trimtab explain ID",
            "Every answer's record names the release by digest, and the route's generation that was in force.",
            _then,
        ),
    ),
)
