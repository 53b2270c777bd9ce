"""What a person reads when something is wrong: what, where, allowed, got, what to do; never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.calls import call, call_process, parts

from trimtab.cli.failure import told


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    assert call(folder, "init", "shop")[0] == 0
    return folder / "shop"


@pytest.mark.parametrize("command", ["status", "train", "release", "deploy", "up", "tick", "rollback"])
def test_outside_of_a_project(tmp_path: Path, command: str) -> None:
    status, shown, error = call(tmp_path, command)
    assert (status, shown) == (1, "")
    said = parts(error)
    assert said["what"] == "no Trimtab project here"
    assert said["where"] == str(tmp_path)
    assert "trimtab.toml" in said["allowed"] and "trimtab init" in said["do"]
    assert list(tmp_path.iterdir()) == []


def test_settings_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "trimtab.toml").write_text("system = \nport = 0")
    status, _, error = call(tmp_path, "status")
    assert status == 1
    said = parts(error)
    assert "trimtab.toml cannot be read" in said["what"] and said["where"] == str(tmp_path / "trimtab.toml")
    assert "line 1" in said["got"] and said["do"]


def test_a_setting_that_does_not_exist(tmp_path: Path) -> None:
    (tmp_path / "trimtab.toml").write_text("prot = 8600")
    status, _, error = call(tmp_path, "status")
    assert status == 1
    said = parts(error)
    assert (said["what"], said["got"]) == ("unknown setting 'prot'", "prot")
    assert "port" in said["allowed"].split(", ")


def test_all_that_is_wrong_with_a_declaration_at_once(shop: Path, tmp_path: Path) -> None:
    text = (shop / "system.py").read_text()
    text = text.replace('"data/', f'"{shop}/data/')
    for right, wrong in [
        ('at="placed_at"', 'at="ordered_at"'),
        ('of="returned", windows=["30d"]', 'of="kept", windows=["30d"]'),
        ('by="paid_by"', 'by="size"'),
        ('holdout="28d"', 'holdout="4 weeks"'),
    ]:
        assert right in text
        text = text.replace(right, wrong)
    (tmp_path / "trimtab.toml").write_text("")
    (tmp_path / "system.py").write_text(text)
    status, _, error = call(tmp_path, "train")
    assert status == 1
    assert "the declaration of system 'order-returns' has 4 problems; nothing has been applied" in error
    for number, got in enumerate(("ordered_at", "kept", "size", "4 weeks"), 1):
        assert f"\n{number}. " in error
        assert f"got:     {got}" in error or f"got:     '{got}'" in error
    assert error.count("  where:   ") == error.count("  allowed: ") == error.count("  do:      ") == 4
    assert error.count("  where:   system.py:") == 4
    assert not (tmp_path / ".trimtab" / "tables").exists()


def test_a_declaration_that_fails_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "trimtab.toml").write_text("")
    (tmp_path / "system.py").write_text("import trimtab as tt\n\nflights = tt.Sourse()\n")
    status, _, error = call(tmp_path, "status")
    assert status == 1
    assert parts(error)["where"] == f"{tmp_path / 'system.py'}:3"


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["release"], "run"),
        (["release", "train-nothing"], "run 'train-nothing'"),
        (["deploy", "cafe"], "release 'cafe'"),
        (["explain", "no-id"], "prediction id"),
        (["explain", "01M82GCEH300000000040000AT"], "prediction '01M82GCEH300000000040000AT'"),
        (["train", "--now", "yesterday"], "--now"),
        (["train", "--now", "2026-01-01T00:00:00"], "--now is a time without a zone"),
        (["tick", "--now", "2026-13-01T00:00:00Z"], "--now"),
        (["rollback", "ship"], "system 'ship'"),
        (["rollback", "--to", "cafe"], "release 'cafe'"),
    ],
)
def test_what_does_not_exist_is_named_with_what_to_do(shop: Path, arguments: list[str], what: str) -> None:
    status, _, error = call(shop, *arguments)
    assert status == 1
    said = parts(error)
    assert what in said["what"] and said["do"]
    assert not said["what"].startswith("Trimtab failed")


@pytest.mark.parametrize("inside", [True, False])
def test_a_fault_of_ours_is_kept_in_full_and_said_in_short(tmp_path: Path, inside: bool) -> None:
    if inside:
        (tmp_path / "trimtab.toml").write_text("")
    below = tmp_path / "below"
    below.mkdir()
    broken = "import trimtab.cli.session as s\n\ndef fault(*_):\n    raise RuntimeError('boom\\nand more')\n\n"
    status, shown, error = call_process(below, "status", program=f"{broken}s.open_project = fault")
    assert (status, shown) == (1, "")
    said = parts(error)
    assert said["what"] == "Trimtab failed: RuntimeError: boom"
    kept = Path(said["where"].removesuffix(" has the details"))
    assert kept.parent == (tmp_path / ".trimtab" / "logs" if inside else below)
    assert kept.read_text().startswith("Traceback") and "in fault" in kept.read_text()
    assert "report" in said["do"]


def test_long_parts_are_wrapped_under_their_own_column() -> None:
    text = "bad thing\n\n1. inner\n  where:   here\n  allowed: " + "one, " * 20 + "two\n  do:      mend"
    shown = told(text, 40, colours=False).split("\n")
    assert max(map(len, shown)) <= 40
    first = next(n for n, line in enumerate(shown) if line.startswith("  allowed: one"))
    last = shown.index("  do:      mend")
    assert last - first > 2
    assert all(line.startswith(" " * 11 + "one,") for line in shown[first + 1 : last - 1])
    assert " ".join(" ".join(shown).split()).count("one,") == 20


def test_without_colours_the_words_are_the_same() -> None:
    text = "bad thing\n  where:   here\n  do:      mend"
    coloured = told(text, 80, colours=True)
    for code in ("\033[1;31m", "\033[90m", "\033[0m"):
        coloured = coloured.replace(code, "")
    assert coloured == told(text, 80, colours=False) == f"error: {text}"
