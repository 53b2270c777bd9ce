"""Questions of running it."""

from __future__ import annotations

from trimtab.questions.phrases import minute
from trimtab.questions.question import Group, Question
from trimtab.questions.today import Today

_MIB = 1 << 20
_LARGEST = 4


def _needs(today: Today) -> str:
    settings = today.house.project.settings
    database = settings["database_url"].partition(":")[0] or "SQLite"
    return f"ledger in {database}, {settings['workers']} workers, all below {today.house.project.home.name}/"


def _going_on(today: Today) -> str:
    left = {topic: len(today.house.outbox.pending(topic)) for topic in ("materialise", "publish_route")}
    waiting = ", ".join(f"{topic} {number}" for topic, number in left.items() if number)
    return f"waiting for the next turn: {waiting}" if waiting else "nothing is half done: no message waits"


def _disk(today: Today) -> str:
    home = today.house.project.home
    if not home.exists():
        return "nothing is stored yet"
    sizes: dict[str, int] = {}
    for path in home.rglob("*"):
        if path.is_file():
            part = path.relative_to(home).parts[0]
            sizes[part] = sizes.get(part, 0) + path.stat().st_blocks * 512
    largest = sorted(sizes, key=lambda name: -sizes[name])[:_LARGEST]
    told = ", ".join(f"{name} {sizes[name] / _MIB:.1f}" for name in largest)
    return f"{sum(sizes.values()) / _MIB:.1f} MiB: {told}"


def _settings(today: Today) -> str:
    settings = today.house.project.settings
    return ", ".join(f"{name} {settings[name]}" for name in ("system", "host", "port", "workers", "log_mode"))


def _turns(today: Today) -> str:
    last = today.house.reader.pointer(f"compacted/{today.house.name}")
    turned = [
        one for one in (today.entries("source.versioned")[-1:], today.entries("segments.compacted")[-1:]) if one
    ]
    if not turned:
        return "the loop has not turned yet"
    newest = max((one[0] for one in turned), key=lambda one: one.seq)
    number = last.value if last else "0"
    return f"the newest work: {newest.kind} {newest.subject} on {minute(newest.at)}; {number} compactions so far"


OPERATIONS = Group(
    "operations",
    "Operations",
    (
        Question(
            "to-start",
            "How do I start, and what does it need?",
            "trimtab init NAME",
            "Python and one install; a template that runs, everything embedded, no server of ours.",
            _needs,
        ),
        Question(
            "pulled-plug",
            "What if the machine dies right now?",
            "trimtab up",
            "The same command goes on: nothing acknowledged is lost, nothing is done twice.",
            _going_on,
        ),
        Question(
            "loop-turns",
            "Is the loop still turning?",
            "trimtab status",
            "A turn does whatever is due; a second one at the same instant does nothing.",
            _turns,
        ),
        Question(
            "health",
            "Where do my probes and dashboards look?",
            "trimtab up",
            "/readyz says whether a release answers; /metrics counts requests, errors, rows and latencies.",
            _settings,
        ),
        Question(
            "disk",
            "How much disk does it use?",
            "trimtab questions disk",
            "Stores are plain files in one folder of the project.",
            _disk,
        ),
        Question(
            "llm",
            "Does it look after LLM applications?",
            "",
            "The loop is for tabular models: prompts, judges and token costs have no place in it yet.",
            open="no loop for LLM applications",
        ),
    ),
)
