"""The pages made from the code: complete, current, and worth reading."""

import ast
import inspect
import pickle
from pathlib import Path

import pytest

import errors_page
import generate_docs
from trimtab.kernel import errors
from trimtab.kernel.errors import DeclarationInvalid, TrimtabError

SOURCES = Path(errors.__file__).parent.parent
SAMPLES = errors_page.samples()


def test_every_page_is_current() -> None:
    stale = [
        name for name, page in generate_docs.PAGES.items() if (generate_docs.DOCS / name).read_text() != page()
    ]
    assert not stale, "write them with: make docs"


def test_check_says_which_page_is_stale_and_writing_mends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "errors.md").write_text("of yesterday")
    assert generate_docs.main(["--check"], docs) == 1
    assert "docs/errors.md is out of date; write it with: make docs" in capsys.readouterr().err
    assert (docs / "errors.md").read_text() == "of yesterday"
    assert generate_docs.main([], docs) == 0
    assert generate_docs.main(["--check"], docs) == 0
    assert generate_docs.main(["--chekc"], docs) == 2


def test_an_error_without_a_sample_stops_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nameless(TrimtabError):
        """Nobody wrote a sample for this one."""

    monkeypatch.setattr(errors, "Nameless", Nameless, raising=False)
    with pytest.raises(LookupError, match="for: Nameless"):
        errors_page.page()


def test_errors_are_declared_in_one_file() -> None:
    names = {"TrimtabError", *(one.__name__ for one in SAMPLES)}
    elsewhere = [
        f"{path.relative_to(SOURCES)}:{node.lineno} {node.name}"
        for path in SOURCES.rglob("*.py")
        if path != Path(errors.__file__)
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ClassDef) and names & {ast.unparse(base).rpartition(".")[2] for base in node.bases}
    ]
    assert not elsewhere


@pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: kind.__name__)
def test_an_error_keeps_its_promises(kind: type[TrimtabError]) -> None:
    sample = SAMPLES[kind]
    assert inspect.getdoc(kind), "a docstring is its line in docs/errors.md"
    assert sample.do, "it says what to do next"
    assert sample.what and "\n" not in sample.what and not sample.what.endswith(".")
    for text in (sample.what, *(text for _, text in sample.lines()), str(sample)):
        assert "None" not in text and "<" not in text, "a value was not there, or has no readable form"
    back = pickle.loads(pickle.dumps(sample))
    assert type(back) is kind and str(back) == str(sample) and back.lines() == sample.lines()


@pytest.mark.parametrize(
    "kind", [one for one in SAMPLES if one is not DeclarationInvalid], ids=lambda one: one.__name__
)
def test_the_text_is_its_parts_in_reading_order(kind: type[TrimtabError]) -> None:
    first, *rest = str(SAMPLES[kind]).splitlines()
    assert first == SAMPLES[kind].what
    assert rest == [f"  {name + ':':<9}{text}" for name, text in SAMPLES[kind].lines()]
