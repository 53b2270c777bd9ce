"""The day after the demo: what each command says, and that a refusal is readable and stands in the ledger."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.e2e.command import said
from tests.e2e.conftest import Lived, copied
from tests.e2e.stores import assert_nothing_twice, predictions, story

from trimtab.cli.session import session
from trimtab.kernel.canonical import short

MAY = ("--now", "2013-05-01T16:00:00+00:00")


@pytest.fixture(scope="module")
def flights(undisturbed: Lived, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(undisturbed, tmp_path_factory.mktemp("second") / "flights")


def test_status(flights: Path, undisturbed: Lived) -> None:
    done = said(flights, "status")
    assert (done.status, done.err) == (0, "")
    [champion] = _champions(flights)
    assert short(champion) in done.out
    [ledger] = [line for line in done.out.splitlines() if "ledger" in line]
    assert str(undisturbed.figures["ledger_entries"]) in ledger
    assert "whole" in ledger
    assert "not running" in done.out


def test_explain(flights: Path) -> None:
    asked = predictions(flights).filter(key="20130401-EV-4672-EWR").row(0, named=True)
    done = said(flights, "explain", asked["id"])
    assert (done.status, done.err) == (0, "")
    for told in ["20130401-EV-4672-EWR", f"{asked['score']:.4f}", short(asked["release"]), "user:demo", "floor("]:
        assert told in done.out
    assert "late is True" in done.out
    assert "arrivals@00000" in done.out
    found = json.loads(said(flights, "explain", asked["id"], "--json").out)
    assert found["prediction"]["score"] == asked["score"]
    assert list(found["features"].values()) == json.loads(asked["features"])
    assert found["release"]["digest"] == asked["release"]
    assert found["deployed_by"]["actor"] == "user:demo"
    assert found["label"]["value"] is True
    assert found["run"]["mlflow"]["model_version"]
    assert {one["view"] for one in found["provenance"]} >= {"plane", "origin_weather", "hub_delay"}


def test_explain_of_nothing(flights: Path) -> None:
    for id in ["017Q40P300008000000W000MR1", "no-id"]:
        done = said(flights, "explain", id)
        assert done.status == 1
        assert done.err.startswith("error: ")
        assert id in done.err
        assert "Traceback" not in done.out + done.err


def test_audit(flights: Path) -> None:
    with session(folder=flights) as open_:
        entries = list(open_.house.reader.entries())
    done = said(flights, "audit", "verify")
    assert done.status == 0
    assert f"{len(entries)} entries, whole" in done.out
    assert said(flights, "audit", "verify", "--head", f"{entries[4].seq}:{entries[4].hash}").status == 0
    other = said(flights, "audit", "verify", "--head", f"{entries[4].seq}:{entries[5].hash}")
    assert other.status == 1
    assert "NOT whole" in other.out
    assert "5" in other.out


def test_a_rollback_to_nowhere_and_a_release_that_begins_as_a_canary(flights: Path) -> None:
    """A month's held-out days cannot tell the two apart: real traffic has to."""
    refused = said(flights, "rollback")
    assert refused.status == 1
    assert "error: the rollback was refused" in refused.err
    assert "there is no earlier release to go back to" in refused.err
    assert "Traceback" not in refused.err
    assert story(flights)[-1][:2] == ("deployment.refused", "flight-delay")
    trained = said(flights, "train", *MAY)
    assert trained.status == 0, trained.err
    assert "finished" in trained.out
    assert "of April 2013" in trained.out  # the tick before it measured the month
    assert "answers at most 5 % of flight-delay as a canary" in trained.out  # and has retrained
    made = said(flights, "release", *MAY)
    assert made.status == 0, made.err
    again = said(flights, "deploy", *MAY)
    assert again.status == 0, again.err
    assert "it is a canary already" in again.out
    [champion] = _champions(flights)
    back = said(flights, "rollback", *MAY)
    assert back.status == 0, back.err
    assert f"is rolled back, release {short(champion)} answers flight-delay" in back.out
    assert [one[0] for one in story(flights)][-2:] == ["rollout.rolled_back", "route.moved"]
    assert _champions(flights) == [champion]


def test_a_release_that_a_gate_refuses(small: Lived, tmp_path: Path) -> None:
    folder = copied(small, tmp_path / "tiny")
    champions = _champions(folder)
    system = folder / "system.py"
    system.write_text(system.read_text().replace("at_least=0.6", "at_least=0.99"))
    now = ("--now", "2024-04-03T00:00:00+00:00")
    assert "finished" in said(folder, "train", *now).out
    held = said(folder, "release", *now)
    assert held.status == 1
    assert "error: the release of tiny was refused" in held.err
    assert "floor(roc_auc, at_least=0.99): " in held.err
    assert "Traceback" not in held.err
    assert story(folder)[-1][:2] == ("release.refused", "tiny")
    assert _champions(folder) == champions


def test_a_release_is_trained_deployed_and_rolled_back(small: Lived, tmp_path: Path) -> None:
    folder = copied(small, tmp_path / "tiny")
    [_, second] = _champions(folder)
    now = ("--now", "2024-04-03T00:00:00+00:00")
    assert "finished" in said(folder, "train", *now).out
    made = said(folder, "release", *now)
    assert made.status == 0, made.err
    assert "made" in made.out
    entries = len(story(folder))
    again = said(folder, "release", *now)
    assert (again.status, again.out) == (0, made.out)
    assert len(story(folder)) == entries
    deployed = said(folder, "deploy", *now)
    [_, _, third] = _champions(folder)
    assert f"release {short(third)} answers tiny" in deployed.out
    assert f"kept warm: {short(second)}" in deployed.out
    back = said(folder, "rollback", *now)
    assert f"release {short(second)} answers tiny: rollback from {short(third)}" in back.out
    assert "acknowledged by 0 live workers" in back.out
    undone = said(folder, "rollback", *now)
    assert f"release {short(third)} answers tiny: rollback from {short(second)}" in undone.out
    assert (deployed.status, back.status, undone.status) == (0, 0, 0)
    assert_nothing_twice(folder)


def _champions(folder: Path) -> list[str]:
    with session(folder=folder) as open_:
        return open_.house.releases.been_in_production(open_.house.name)
