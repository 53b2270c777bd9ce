"""Questions of deployment."""

from __future__ import annotations

from trimtab.kernel.canonical import short
from trimtab.kernel.counted import counted
from trimtab.kernel.ledger_entry import LedgerEntry
from trimtab.questions.phrases import NOTHING_DEPLOYED, because, minute
from trimtab.questions.question import Group, Question
from trimtab.questions.today import Today

_STEPS = ("rollout.started", "rollout.advanced", "rollout.promoted", "rollout.rolled_back")


def _takeover(today: Today) -> str:
    moves = today.entries("route.moved")
    policy = today.house.system.rollout.name
    if not moves:
        return f"policy {policy}; {NOTHING_DEPLOYED}"
    return f"policy {policy}; the last move on {minute(moves[-1].at)}: {because(moves[-1])}"


def _unpublished(today: Today) -> str:
    if today.route is None:
        return NOTHING_DEPLOYED
    waiting = len(today.house.outbox.pending("publish_route"))
    left = f"{counted(waiting, 'move')} NOT published yet" if waiting else "every move was published to the workers"
    return f"the route is at generation {today.route.generation}; {left}"


def _warm(today: Today) -> str:
    if today.route is None:
        return NOTHING_DEPLOYED
    warm = [short(one) for one in today.route.releases() if one != today.route.champion]
    return f"loaded beside the champion: {', '.join(warm)}" if warm else "nothing is loaded beside the champion yet"


def _held(today: Today) -> str:
    refused = today.entries("deployment.refused")
    if not refused:
        return f"no deployment was ever refused; {counted(len(today.entries('route.moved')), 'move')} made"
    last = refused[-1]
    return f"{counted(len(refused), 'deployment')} refused, the last on {minute(last.at)}: {because(last)}"


def _moves(today: Today) -> str:
    if today.route is None:
        return NOTHING_DEPLOYED
    told = f"generation {today.route.generation}: as many moves, one after the other"
    stale = [one for one in today.entries("deployment.refused") if "replaces" in str(one.body.get("because", ""))]
    return f"{told}; {counted(len(stale), 'plan')} refused since the route had moved"


def _exposed(today: Today) -> str:
    begun, back = today.entries("rollout.started"), today.entries("rollout.rolled_back")
    if not begun:
        return f"policy {today.house.system.rollout.name}; no release was rolled out in steps yet"
    told = f"{counted(len(begun), 'rollout')}, {len(back)} went back"
    answers = [
        int(str(facts["answers"])) for one in back if isinstance(facts := one.body.get("facts"), dict) and facts
    ]
    return f"{told}, the worst after {counted(max(answers), 'answer')} of its canary" if answers else told


def _compared(today: Today) -> str:
    looked = [one for one in today.entries(*_STEPS) if one.kind != "rollout.started"]
    return _step(looked[-1]) if looked else "no rollout has been compared yet"


def _step(entry: LedgerEntry) -> str:
    said = entry.kind.partition(".")[2].replace("_", " ")
    return f"release {short(str(entry.body.get('release', entry.subject)))} {said}: {because(entry)}"


def _segment(today: Today) -> str:
    tried = [one for one in today.house.act.rollouts(today.house.name) if one.audience is not None]
    if not tried:
        return f"no rollout was of a segment; policy {today.house.system.rollout.name}"
    last = tried[-1]
    assert last.audience is not None
    told = f"{counted(len(tried), 'rollout')}, the last one by {short(last.release)}"
    return f"{told} of rows with {last.audience.words}"


def _shadows(today: Today) -> str:
    if today.route is None:
        return NOTHING_DEPLOYED
    shadows: tuple[str, ...] = getattr(today.route, "shadows", ())
    return f"in the shadow: {', '.join(map(short, shadows))}" if shadows else "no release runs in the shadow today"


DEPLOYMENT = Group(
    "deployment",
    "Deployment",
    (
        Question(
            "takeover",
            "How does a new release take over?",
            "trimtab deploy",
            "The rollout policy plans from facts alone; the plan is carried out in one transaction and kept as "
            "it was.",
            _takeover,
        ),
        Question(
            "downtime",
            "Do users notice a deployment?",
            "trimtab deploy",
            "No: workers load the release beside the one that answers, switch between two requests, and "
            "acknowledge.",
            _warm,
        ),
        Question(
            "exposure",
            "How many users does a bad release reach before it is caught?",
            "trimtab deploy",
            "A canary answers a small share first; a proven harm, or one answer from wrong features, sends it "
            "back.",
            _exposed,
        ),
        Question(
            "paired-harm",
            "Is the new release worse for users, on the same requests?",
            "trimtab deploy",
            "Champion and canary score every row, one answers it; the harm is paired, a day is one observation, "
            "and the interval holds at every look.",
            _compared,
        ),
        Question(
            "segment",
            "Can a new release be tried on some customers first?",
            "trimtab status",
            "With tt.segment a canary answers, and is compared on, rows of a segment only, until it is decided.",
            _segment,
        ),
        Question(
            "shadow",
            "Can a release score real traffic without answering it?",
            "trimtab status",
            "A shadow scores each row once its answer has left, and what it says is recorded beside it.",
            _shadows,
        ),
        Question(
            "ungated",
            "Can a release go live whose gates did not pass?",
            "trimtab deploy RELEASE",
            "It is refused, unless an override says why not; either stands in the ledger with its reason.",
            _held,
        ),
        Question(
            "two-at-once",
            "What if two people deploy at the same time?",
            "trimtab deploy",
            "Moves are serialised: a plan that was made against another champion is refused, not carried out.",
            _moves,
        ),
        Question(
            "half-deployed",
            "What if the process dies in the middle of a deployment?",
            "trimtab tick",
            "Route, ledger entry and message commit together; the next turn publishes what was not published.",
            _unpublished,
        ),
    ),
)
