"""The chronicle says what the ledger says: each rollout once with its end, each decision in words."""

from __future__ import annotations

import re
from pathlib import Path

from tests.e2e import canary_life

import trimtab
from trimtab.cli.session import Session
from trimtab.house.decisions import told
from trimtab.house.explanation import explain_prediction
from trimtab.house.parity import served
from trimtab.house.recount import recount
from trimtab.kernel.ledger_entry import LedgerEntry
from trimtab.kernel.moment import from_us
from trimtab.kernel.route import BUCKETS

UNTIL = canary_life.period(12).settled
# Kept in the ledger, and decided by nobody.
ROUTINE = {
    "source.versioned",
    "source.still_blocked",
    "source.whole",
    "segments.compacted",
    "evidence.measured",
    "rollout.looked",
}
APPENDED = re.compile(r'(?:append\(\s*|if told else |RAISED, OVER = |, )f?"([a-z]+\.[a-z_{}.]+)"')


def kinds_of_the_code() -> set[str]:
    """Every kind of entry that is appended somewhere."""
    found: set[str] = set()
    for path in Path(trimtab.__file__).parent.rglob("*.py"):
        text = path.read_text()
        if "unit.append(" in text:
            found |= set(APPENDED.findall(text))
    return found


def test_every_kind_of_decision_has_words(lived: Session) -> None:
    kinds = {entry.kind for entry in lived.house.reader.entries()}
    assert kinds <= kinds_of_the_code() | {
        f"rollout.{stage}" for stage in ("started", "advanced", "promoted", "rolled_back")
    }
    assert {kind for kind in kinds if kind.startswith("rollout.")} >= {
        "rollout.started",
        "rollout.advanced",
        "rollout.promoted",
        "rollout.rolled_back",
    }
    for entry in lived.house.reader.entries():
        happening = told(entry)
        assert (happening is None) == (entry.kind in ROUTINE), entry.kind
        if happening is not None:
            assert happening.text and "None" not in happening.text and "{" not in happening.text


def test_decisions_stand_once_in_the_order_of_the_ledger(lived: Session) -> None:
    entries = {entry.seq: entry for entry in lived.house.reader.entries()}
    found = recount(lived.house, UNTIL, "UTC").decisions
    assert [one.seq for one in found] == sorted({one.seq for one in found})
    # A rollout's step says itself what the move behind it does.
    left_out = [
        seq
        for seq, entry in entries.items()
        if entry.kind in ROUTINE or (entry.kind == "route.moved" and entries[seq - 1].kind.startswith("rollout."))
    ]
    assert {one.seq for one in found} == set(entries) - set(left_out)
    for one in found:
        assert (one.at, one.actor) == (entries[one.seq].at, entries[one.seq].actor)
    moves = [one.told.text for one in found if entries[one.seq].kind == "route.moved"]
    assert len(moves) == 2  # the first release, and that it becomes a shadow
    assert "answers: 2 gates passed" in moves[0]
    assert "becomes a shadow" in moves[1]


def test_each_rollout_once_with_its_end(lived: Session) -> None:
    house = lived.house
    chronicle = recount(house, UNTIL, "UTC")
    ends = {
        str(entry.body["rollout"]): entry
        for kind in ("rollout.promoted", "rollout.rolled_back")
        for entry in house.reader.entries(kind=kind)
    }
    looked = list(house.reader.entries(kind="rollout.looked"))
    begun = house.act.rollouts(house.name)
    assert [one.release for one in chronicle.rollouts] == [one.release for one in begun]
    assert [one.end for one in chronicle.rollouts] == ["rolled back", "promoted"]
    for one, rollout in zip(chronicle.rollouts, begun, strict=True):
        end = ends[rollout.id]
        own = [entry for entry in looked if entry.body["rollout"] == rollout.id]
        assert (one.began, one.ended) == (from_us(rollout.began_us), end.at)
        assert (one.because, one.margin) == (end.body["because"], rollout.margin)
        assert [day.at for day in one.days] == [from_us(rollout.began_us), *(entry.at for entry in own)]
        assert {day.share for day in one.days} <= {buckets / BUCKETS for buckets in rollout.steps}
        given = served(house).select("release", "at").collect().rows()
        assert one.answers == sum(release == one.release and at <= end.at for release, at in given)
    shares = [day.share for day in chronicle.rollouts[1].days]
    assert shares == sorted(shares) and len(set(shares)) == 2
    assert [one.told.text for one in chronicle.decisions if "rolled back" in one.told.text]


def test_months_and_alarms(lived: Session) -> None:
    chronicle = recount(lived.house, UNTIL, "UTC")
    assert [one.month for one in chronicle.months] == ["2024-03"]
    [month] = chronicle.months
    evidence = {one.release: one for one in lived.house.measure.evidence(lived.house.name)}
    first = lived.house.releases.been_in_production(lived.house.name)[0]
    assert month.managed_auc.value == evidence[""].value != month.frozen_auc.value == evidence[first].value
    march = [at.strftime("%Y-%m") for at in served(lived.house).collect()["at"]].count("2024-03")
    assert month.predictions == march >= month.labels > 0
    [alarm] = chronicle.alarms
    assert alarm.over is not None and alarm.text.startswith("rolled back: parity: ")


def test_an_answer_is_explained_by_the_move_since_which_its_release_answers(lived: Session) -> None:
    """By the start of its rollout while it is a canary, whatever its share; then by its promotion."""
    house = lived.house
    moves = list(house.reader.entries(kind="route.moved", subject=house.name))
    entries = {entry.seq: entry for entry in house.reader.entries()}
    rows = served(house).unique(["release", "generation"], keep="first", maintain_order=True).collect()
    found = set()
    for row in rows.iter_rows(named=True):
        mover = explain_prediction(house, row["id"]).deployed_by
        assert mover is not None
        number = moves.index(mover) + 1
        assert number <= row["generation"]
        part = _part(mover, row["release"])
        assert part != "none"
        assert {_part(one, row["release"]) for one in moves[number - 1 : row["generation"]]} == {part}
        assert number == 1 or _part(moves[number - 2], row["release"]) != part
        found.add((entries[mover.seq - 1].kind if number > 1 else "", mover.actor, part))
    assert found >= {
        ("", "user:demo", "champion"),
        ("rollout.started", "user:operator", "canary"),
        ("rollout.started", "loop", "canary"),
    }


def _part(move: LedgerEntry, release: str) -> str:
    canary = move.body["canary"]
    if move.body["champion"] == release:
        return "champion"
    return "canary" if isinstance(canary, dict) and canary["release"] == release else "none"
