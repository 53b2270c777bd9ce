"""Releases are named by their content, written down once, found by a few characters, and never by luck."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.stores import START, Stores, release, verdict

from trimtab.deployment.act import Act
from trimtab.deployment.actions import MoveRoute
from trimtab.kernel.canonical import canonical, digest, short
from trimtab.kernel.errors import Corrupt, NotFound, Refused
from trimtab.kernel.feature_schema import Feature
from trimtab.kernel.release import Release, release_from
from trimtab.kernel.route import Canary, Route
from trimtab.kernel.verdict import Outcome, worst
from trimtab.registry.releases import ReleaseReader, ReleaseWriter

SYSTEM = "flight-delay"
EXAMPLES = count()  # each example has a system of its own in the one journal
texts = st.text(max_size=8)
digests = st.integers(0, 10**9).map(digest)
json_maps = st.dictionaries(
    texts, st.none() | st.booleans() | st.integers() | texts | st.floats(-1e9, 1e9), max_size=3
)
some_releases = st.builds(
    Release,
    system=texts,
    model=digests,
    model_format=texts,
    code=digests,
    features=st.lists(
        st.builds(Feature, texts, st.none() | st.lists(texts, max_size=3).map(tuple)), max_size=3
    ).map(tuple),
    views=st.lists(st.tuples(texts, digests), max_size=3).map(tuple),
    request=st.lists(st.tuples(texts, texts), max_size=3).map(tuple),
    key=texts,
    label=json_maps,
    training=json_maps,
    verdicts=st.lists(json_maps, max_size=2).map(tuple),
    environment=json_maps,
    predictor=json_maps,
)


def create(writer: ReleaseWriter, stores: Stores, name: str, system: str = SYSTEM) -> str:
    one = release(name, system=system)
    return writer.create(one, [verdict()], f"train-{name}", at=stores.minute(), actor="user:ada")


def test_a_release_from_before_there_were_proofs_keeps_its_address() -> None:
    older = release("one")
    assert "predictor" not in older.body()
    assert older.digest == "ec1dd52944f107de83b12f97d71894249e86d1cd16c50fd768c5a5a7d046d548"
    assert release_from(older.body()) == older
    assert replace(older, predictor={"fast": True}).digest != older.digest


@settings(deadline=None, max_examples=50)
@given(some_releases)
def test_the_address_is_the_content_and_nothing_else(one: Release) -> None:
    stored = canonical(one.body())
    again = release_from(json.loads(stored))
    assert again == one
    assert again.digest == one.digest == digest(json.loads(stored))
    assert replace(one, key=one.key + "x").digest != one.digest


def test_the_address_is_the_same_in_ten_years() -> None:
    """Whoever changes it changes the name of every release that was ever made."""
    assert release("A").digest == "71ab33a1c2281bed2b07e1c64462a6ee45a8151459608d208a43effcfe55aad1"


def test_what_is_created_is_read_back(reader: ReleaseReader, writer: ReleaseWriter, stores: Stores) -> None:
    name = create(writer, stores, "A")
    assert name == release("A").digest
    assert reader.get(name) == release("A")
    assert reader.facts(SYSTEM, name) == {
        "run": "train-A",
        "created_at": (START + timedelta(minutes=1)).isoformat(),
        "actor": "user:ada",
        "override": "",
    }
    (entry,) = stores.reader.entries()
    assert (entry.kind, entry.subject, entry.body["run"]) == ("release.created", f"{SYSTEM}/{name}", "train-A")
    assert entry.body["verdicts"] == [verdict().body()]


def test_the_same_release_again_changes_nothing(
    reader: ReleaseReader, writer: ReleaseWriter, stores: Stores
) -> None:
    """Also an hour later, by someone else: who made it, and when, is said once."""
    name = create(writer, stores, "A")
    facts = reader.facts(SYSTEM, name)
    again = writer.create(release("A"), [verdict()], "train-A", at=START + timedelta(hours=1), actor="user:bob")
    assert again == name == create(writer, stores, "A")
    assert reader.facts(SYSTEM, name) == facts
    assert stores.kinds() == ["release.created"]
    assert reader.all(SYSTEM) == [(name, facts)]


@pytest.mark.parametrize(
    "outcomes", [[Outcome.FAIL], [Outcome.PASS, Outcome.INCONCLUSIVE], []], ids=["fail", "inconclusive", "unjudged"]
)
def test_a_refused_release_leaves_an_entry_and_nothing_else(
    reader: ReleaseReader, writer: ReleaseWriter, stores: Stores, outcomes: list[Outcome]
) -> None:
    verdicts = [verdict(one, f"gate {number}") for number, one in enumerate(outcomes)]
    refused = release("A", *outcomes)
    with pytest.raises(Refused) as raised:
        writer.create(refused, verdicts, "train-A", at=stores.minute(), actor="user:ada")
    (entry,) = stores.reader.entries()
    assert (entry.kind, entry.subject) == ("release.refused", SYSTEM)
    assert entry.body == {"run": "train-A", "verdicts": [one.body() for one in verdicts]}
    assert reader.all(SYSTEM) == []
    with pytest.raises(NotFound):
        reader.get(refused.digest)
    held = [one for one in verdicts if one.outcome is not Outcome.PASS]
    assert all(f"{one.gate}: {one.outcome}: {one.reason}" in raised.value.got for one in held)
    assert "gate 0: pass" not in raised.value.got
    assert raised.value.got and raised.value.allowed == "every gate passes"


def test_a_canary_may_be_what_the_gates_could_not_tell(
    reader: ReleaseReader, writer: ReleaseWriter, stores: Stores
) -> None:
    admits = (Outcome.PASS, Outcome.INCONCLUSIVE)
    told = [verdict(), verdict(Outcome.INCONCLUSIVE)]
    name = writer.create(
        release("A", Outcome.PASS, Outcome.INCONCLUSIVE),
        told,
        "train-A",
        at=stores.minute(),
        actor="loop",
        admits=admits,
    )
    assert stores.kinds() == ["release.created"]
    assert reader.facts(SYSTEM, name)["override"] == ""
    with pytest.raises(Refused) as raised:
        writer.create(
            release("B"), [*told, verdict(Outcome.FAIL)], "train-B", at=stores.minute(), actor="loop", admits=admits
        )
    assert raised.value.allowed == "no gate fails"
    assert "it is a fail" in raised.value.got and "inconclusive" not in raised.value.got
    with pytest.raises(Refused):
        writer.create(release("C"), [], "train-C", at=stores.minute(), actor="loop", admits=admits)
    assert stores.kinds() == ["release.created", "release.refused", "release.refused"]


@pytest.mark.parametrize("outcomes", [[Outcome.FAIL], [Outcome.PASS, Outcome.INCONCLUSIVE], []])
def test_who_sets_the_gates_aside_says_why_and_it_stands_in_the_ledger(
    reader: ReleaseReader, writer: ReleaseWriter, stores: Stores, outcomes: list[Outcome]
) -> None:
    one = release("A", *outcomes)
    told = [verdict(outcome) for outcome in outcomes]
    name = writer.create(one, told, "train-A", at=stores.minute(), actor="user:ada", override="labels late")
    created, overridden = stores.reader.entries()
    assert (created.kind, overridden.kind) == ("release.created", "gates.overridden")
    assert overridden.actor == "user:ada"
    assert overridden.subject == created.subject == f"{SYSTEM}/{name}"
    assert overridden.body == {"because": "labels late", "outcome": str(worst(told))}
    assert created.body["verdicts"] == [verdict.body() for verdict in told]
    assert reader.facts(SYSTEM, name)["override"] == "labels late"
    assert writer.create(one, told, "train-A", at=stores.minute(), actor="user:bob", override="again") == name
    assert len(stores.kinds()) == 2


def test_a_release_is_found_by_its_first_characters(
    reader: ReleaseReader, writer: ReleaseWriter, stores: Stores
) -> None:
    names = [create(writer, stores, str(number)) for number in range(40)]
    assert reader.find(SYSTEM) == names[-1]
    assert [name for name, _ in reader.all(SYSTEM)] == names
    for name in names:
        length = next(size for size in range(1, 65) if sum(one.startswith(name[:size]) for one in names) == 1)
        assert reader.find(SYSTEM, name[:length]) == reader.find(SYSTEM, name) == name
        if length > 1:
            with pytest.raises(NotFound, match=f"no single release '{name[: length - 1]}'"):
                reader.find(SYSTEM, name[: length - 1])


def test_what_is_not_there_is_not_found(reader: ReleaseReader, writer: ReleaseWriter, stores: Stores) -> None:
    with pytest.raises(NotFound, match="trimtab train") as none:
        reader.find(SYSTEM)
    assert none.value.allowed == "no release exists yet"
    name = create(writer, stores, "A")
    create(writer, stores, "A", system="flight-delay-2")
    missing = "0" if name[0] != "0" else "1"
    with pytest.raises(NotFound, match=f"no release '{missing}'") as unknown:
        reader.find(SYSTEM, missing)
    assert unknown.value.allowed == short(name)
    with pytest.raises(NotFound):
        reader.facts(SYSTEM, missing * 64)


def test_systems_do_not_see_each_others_releases(
    reader: ReleaseReader, writer: ReleaseWriter, stores: Stores
) -> None:
    """Not even one whose name begins like the other's."""
    here, there = create(writer, stores, "A"), create(writer, stores, "B", system="flight-delay-2")
    assert [name for name, _ in reader.all(SYSTEM)] == [here]
    assert [name for name, _ in reader.all("flight-delay-2")] == [there]
    assert reader.find(SYSTEM) == here


@pytest.mark.parametrize("damage", [b"", b"{}", b"x"])
def test_a_blob_that_was_changed_is_corrupt(
    reader: ReleaseReader, writer: ReleaseWriter, stores: Stores, tmp_path: Path, damage: bytes
) -> None:
    name = create(writer, stores, "A")
    path = tmp_path / "blobs" / name[:2] / name
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"late"', b'"lame"') if damage == b"x" else damage)
    with pytest.raises(Corrupt) as corrupt:
        reader.get(name)
    assert corrupt.value.where == str(path)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 3)), max_size=6))
def test_who_was_in_production_when(reader: ReleaseReader, stores: Stores, moves: list[tuple[str, int]]) -> None:
    system = f"system-{next(EXAMPLES)}"
    act = Act(system, journal=stores.journal, reader=stores.reader, outbox=stores.outbox, board=stores.board)
    history, at, champion = [], START, ""
    for name, hours in moves:
        at += timedelta(hours=hours)
        route = act.route(system)
        warm = (digest("warm"),) if route is None else (route.champion,)
        against = "" if route is None else route.id
        act([MoveRoute(system, digest(name), warm, champion, "", against=against)], at=at, actor="user:ada")
        champion = digest(name)
        history.append((at, champion))
    for instant in {START, *(since for since, _ in history)}:
        for beside_us in (-1, 0, 1):
            asked = instant + timedelta(microseconds=beside_us)
            expected = next((one for since, one in reversed(history) if since <= asked), "")
            assert reader.in_production(system, asked) == expected
    assert reader.been_in_production(system) == list(dict.fromkeys(one for _, one in history))


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moves=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from("ABC"), st.none() | st.sampled_from("XY")), max_size=6
    ),
    asked=st.lists(st.integers(-2, 20), min_size=1, max_size=5),
)
def test_what_was_in_production_at_an_instant(
    stores: Stores, moves: list[tuple[int, str, str | None]], asked: list[int]
) -> None:
    """Equals the last move that is not after it, however many came in one minute."""
    system, reader = f"system-{next(EXAMPLES)}", ReleaseReader(stores.reader, stores.blobs)
    put: list[tuple[int, Route]] = []
    minute = 0
    for number, (later, champion, canary) in enumerate(moves, 1):
        minute += later
        beside = None if canary is None else Canary(digest(canary), 500, f"salt-{number}")
        move = MoveRoute(system, digest([champion, number]), (), "", f"reason {number}", beside)
        with stores.journal.begin(at=START + timedelta(minutes=minute), actor="user:ada") as unit:
            unit.append("route.moved", system, move.body())
            unit.put("route", move.route().id, move.route().body())
            unit.point(f"route/{system}", move.route().id)
        put.append((minute, replace(move.route(), generation=number)))
    for instant in asked:
        expected = [(at, route) for at, route in put if at <= instant]
        found = reader.in_force(system, START + timedelta(minutes=instant))
        if not expected:
            assert found is None
        else:
            assert found is not None
            assert (found.since, found.route) == (START + timedelta(minutes=expected[-1][0]), expected[-1][1])
            assert found.because == f"reason {found.route.generation}"
    assert [one.route for one in reader.routes(system)] == [route for _, route in put]
