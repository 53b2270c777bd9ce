"""The listing: grouped, wrapped, with evidence where there is a project, and as JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.cli.calls import call, parts
from tests.e2e import tiny_life

from trimtab.questions.catalogue import GROUPS, counts, find

ANSWERED, OPEN = counts(GROUPS)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asked") / "tiny"
    tiny_life.make(folder)
    return folder


def test_in_a_project_each_question_has_its_command_and_evidence(project: Path) -> None:
    status, shown, error = call(project, "questions")
    assert (status, error) == (0, "")
    lines = shown.splitlines()
    titles = [line for line in lines if line and not line.startswith(" ")]
    assert titles == [
        *(group.title for group in GROUPS),
        f"{ANSWERED} answered, {OPEN} open  tiny, as of now; times are UTC",
    ]
    for group in GROUPS:
        for one in group.questions:
            asked = lines.index(f"  {'!' if one.open else '✓'} {one.text}")
            assert lines[asked + 1].startswith(f"    {'open' if one.open else one.command}  ")
    assert re.search(r"^    trimtab status +nothing is deployed yet$", shown, re.MULTILINE)
    assert max(map(len, lines)) <= 120


def test_outside_of_a_project_it_says_how_to_get_evidence(tmp_path: Path) -> None:
    status, shown, error = call(tmp_path, "questions")
    assert (status, error) == (0, "")
    assert f"\n{ANSWERED} answered, {OPEN} open\n" in shown
    assert "make one with trimtab demo" in shown and "nothing is deployed" not in shown
    text = " ".join(shown.split())
    assert all(one.answer in text for group in GROUPS for one in group.questions if not one.open)
    assert list(tmp_path.iterdir()) == []


def test_a_few_are_shown_with_what_they_rest_on(project: Path) -> None:
    _, shown, _ = call(project, "questions", "rollback", "silently")
    (one,) = (asked for group in find(["rollback", "silently"]) for asked in group.questions)
    text = " ".join(shown.split())
    assert one.text in text and one.answer in text and "nothing is deployed" in text
    assert "1 answered, 0 open" in shown


def test_only_open_ones(project: Path) -> None:
    _, shown, _ = call(project, "questions", "--open")
    assert f"0 answered, {OPEN} open" in shown and "✓" not in shown and shown.count(" ! ") == OPEN


def test_json_has_everything(project: Path, tmp_path: Path) -> None:
    status, shown, _ = call(project, "questions", "--group", "data", "--json")
    assert status == 0
    found = json.loads(shown)
    (data,) = find(group="data")
    assert found["system"] == "tiny" and (found["answered"], found["open"]) == counts([data])
    assert [one["id"] for one in found["questions"]] == [one.id for one in data.questions]
    for one in found["questions"]:
        assert bool(one["evidence"]) is not bool(one["open"])
    outside = json.loads(call(tmp_path, "questions", "--json")[1])
    assert outside["system"] == "" and not any(one["evidence"] for one in outside["questions"])


def test_what_cannot_be_found_is_said(project: Path) -> None:
    status, _, error = call(project, "questions", "--group", "dta")
    assert status == 1 and "data" in parts(error)["allowed"]
    status, _, error = call(project, "questions", "zebra")
    assert status == 1 and parts(error)["got"] == "zebra" and "trimtab questions" in parts(error)["do"]


def test_a_declaration_that_is_broken_before_the_first_release_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    tiny_life.make(folder)
    (folder / "system.py").write_text("tiny = None")
    status, _, error = call(folder, "questions")
    assert status == 1 and "declares no system" in error
