"""Evidence: computed from the stores of a system that has lived, and of one that has not begun; read only."""

from __future__ import annotations

import hashlib
import shutil
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from trimtab import loop
from trimtab.cli.session import session
from trimtab.kernel.canonical import Json, short
from trimtab.questions.catalogue import GROUPS, evidence
from trimtab.questions.question import Question
from trimtab.questions.today import Today

ASKED = {one.id: one for group in GROUPS for one in group.questions if one.evidence is not None}
NOW = datetime(2024, 4, 3, tzinfo=UTC)


def told(folder: Path, *ids: str) -> dict[str, str]:
    with session(folder=folder, checked=False) as open_:
        today = Today(open_.house, open_.now)
        return {id: evidence(ASKED[id], today) for id in ids or ASKED}


@pytest.fixture(scope="module")
def of_lived(lived: Path) -> dict[str, str]:
    return told(lived)


@pytest.fixture(scope="module")
def of_empty(empty: Path) -> dict[str, str]:
    return told(empty)


@pytest.mark.parametrize("id", ASKED)
def test_each_question_has_evidence_on_a_lived_system(of_lived: dict[str, str], id: str) -> None:
    text = of_lived[id]
    assert text.strip() and "\n" not in text
    assert not [word for word in ("NOT", "DIFFER", "CHANGED", "None", "nan", "<") if word in text]


@pytest.mark.parametrize("id", ASKED)
def test_each_question_says_what_is_missing_on_an_empty_project(of_empty: dict[str, str], id: str) -> None:
    text = of_empty[id]
    assert text.strip() and "\n" not in text
    assert not [word for word in ("NOT", "DIFFER", "CHANGED", "None", "nan", "<") if word in text]


def test_what_is_not_there_is_not_made_up(of_empty: dict[str, str]) -> None:
    for id in ("live", "trained-on", "reproducible", "swapped", "which-code", "who-deployed"):
        assert of_empty[id] == "nothing is deployed yet"
    for id in ("unrecorded", "why-this-answer", "latency", "traffic", "joined"):
        assert of_empty[id] == "no answer is in the table yet"
    assert "nothing is deployed" in of_empty["rollback-plan"]
    assert of_empty["edited-history"] == "ledger: 0 entries, whole"


def test_evidence_is_what_the_stores_hold(lived: Path, of_lived: dict[str, str]) -> None:
    with session(folder=lived) as open_:
        house = open_.house
        answers = house.tables.scan("predictions").collect()
        entries = list(house.reader.entries())
        route = house.act.route(house.name)
        newest = house.measure.evidence(house.name)[-1]
        rows = sum(house.versions.version("orders", n).rows for n in range(1, house.versions.current("orders") + 1))
        assert rows == house.tables.scan("sources/orders").select(pl.len()).collect().item()
        assert route is not None
    assert f"{answers.height:,} answers" in of_lived["unrecorded"]
    assert answers.sort("at", "id")["id"][-1] in of_lived["why-this-answer"]
    assert of_lived["edited-history"] == f"ledger: {len(entries)} entries, whole"
    assert f"{entries[-1].seq}:{entries[-1].hash}" in of_lived["cut-history"]
    assert short(route.champion) in of_lived["live"]
    assert short(route.warm[0]) in of_lived["rollback-plan"]
    assert f"{newest.value:.4f} ({newest.low:.4f} to {newest.high:.4f})" in of_lived["quality"]
    assert of_lived["skew"].endswith("all equal")
    assert of_lived["bad-rows"].startswith("1 row of ") and "price" in of_lived["bad-rows"]
    assert "as many as" in of_lived["ingested-twice"]


def test_nothing_is_written(lived: Path) -> None:
    def stored() -> dict[Path, str]:
        home = lived / ".trimtab"
        files = [path for path in home.rglob("*") if path.is_file() and path.suffix not in (".db-shm", ".mdb")]
        return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    before = stored()
    told(lived)
    assert stored() == before


def test_a_damaged_store_is_told_and_silences_nobody(lived: Path, tmp_path: Path) -> None:
    folder = _copied(lived, tmp_path)
    with session(folder=folder) as open_:
        route = open_.house.act.route(open_.house.name)
        assert route is not None
        model = open_.house.releases.get(route.champion).model
    [blob] = [path for path in (folder / ".trimtab" / "blobs").rglob("*") if path.name in model and path.is_file()]
    blob.chmod(0o644)
    blob.write_bytes(b"tree of somebody else")
    found = told(folder)
    assert found["swapped"].startswith("NOT readable: ") and short(model) in found["swapped"]
    assert found["live"].startswith("release ")


def test_an_edited_ledger_and_an_edited_definition_are_told(lived: Path, tmp_path: Path) -> None:
    folder = _copied(lived, tmp_path)
    heads = folder / ".trimtab" / "heads.log"
    lines = heads.read_text().splitlines()
    words = lines[4].split()
    heads.write_text("\n".join([*lines[:4], " ".join([words[0], "0" * 64, *words[2:]]), *lines[5:]]) + "\n")
    declared = folder / "system.py"
    declared.write_text(declared.read_text().replace('windows=["12h", "3d"]', 'windows=["6h", "3d"]'))
    found = told(folder, "edited-history", "edited-feature", "which-code")
    assert "NOT whole" in found["edited-history"]
    assert found["edited-feature"].endswith("the working tree differs in shop_returns")
    assert found["which-code"].endswith("the working tree has changed since")


def test_a_rollback_is_told_from_then_on(lived: Path, tmp_path: Path) -> None:
    folder = _copied(lived, tmp_path)
    assert told(folder, "rollback-undone") == {"rollback-undone": "no rollback yet"}
    with session(folder=folder) as open_:
        loop.rollback(open_.house, NOW, "user:ada")
    found = told(folder, "rollback-undone", "rollback-time", "rollback-by-itself", "who-deployed")
    assert found["rollback-undone"].startswith("2024-04-03 00:00 by user:ada: rollback from ")
    assert found["rollback-time"].startswith("1 rollback; ")
    assert found["rollback-by-itself"] == "the system has not rolled back by itself yet"
    assert found["who-deployed"].startswith("user:ada on 2024-04-03 00:00: rollback from ")


def test_entries_that_other_parts_write_are_told(lived: Path, tmp_path: Path) -> None:
    folder = _copied(lived, tmp_path)
    with session(folder=folder) as open_, open_.house.journal.begin(at=NOW, actor="loop") as unit:
        unit.append("source.blocked", "shops", {"broken": "column 'staff' is gone"})
        unit.append("gates.overridden", "tiny/1", {"because": "the boss is on holiday"})
        unit.append("alarm.raised", "source shops", {"because": "it is blocked"})
        unit.append("rollout.started", "tiny", {"release": "a" * 64, "because": "1 gate passed", "facts": {}})
        harm: dict[str, Json] = {"release": "a" * 64, "because": "parity: 3 of 7 answers", "facts": {"answers": 7}}
        unit.append("rollout.rolled_back", "tiny", harm)
    found = told(folder)
    assert "shops was blocked on 2024-04-03 00:00: column 'staff' is gone" in found["schema-change"]
    assert "the boss is on holiday" in found["overrides"] and "by loop" in found["overrides"]
    assert found["alarms"].startswith("1 alarm, 1 of them not over")
    assert found["exposure"] == "1 rollout, 1 went back, the worst after 7 answers of its canary"
    assert found["paired-harm"] == "release aaaaaaaaaaaa rolled back: parity: 3 of 7 answers"
    assert "by loop: parity: 3 of 7 answers" in found["rollback-by-itself"]


def test_evidence_of_a_question_that_fails_is_one_line(empty: Path) -> None:
    def fails(today: Today) -> str:
        raise ValueError(f"of {today.house.name}\nand more")

    with session(folder=empty, checked=False) as open_:
        text = evidence(Question("x", "X?", "trimtab status", "Y.", fails), Today(open_.house, open_.now))
    assert text.startswith("NOT readable: ValueError(") and "\n" not in text


def _copied(project: Path, into: Path) -> Path:
    shutil.copytree(project, into / "tiny")
    return into / "tiny"
