"""A project's files as people write them: what cannot be used is said with the file, the line, and what to do."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from trimtab.kernel.errors import NotAProject, ProjectInvalid, UnknownName, listed
from trimtab.project import FILE, SETTINGS, Project, load_system, open_project

SYSTEM = """\
import polars as pl
import trimtab as tt

{imports}
flights = tt.Source("flights", "flights.parquet", event_time="at", key="id")


@tt.request_features
def schedule(request: pl.LazyFrame) -> pl.LazyFrame:
    return request.select({selected})


system = tt.System(
    name="small",
    sources=[flights],
    question=tt.Question(flights, at="at", fields=("carrier",)),
    label=tt.Label(flights, "late"),
    features=[schedule],
    train=len,
    gates=[tt.gates.floor("roc_auc", at_least=0.6)],
)
"""


def write(folder: Path, imports: str = "", selected: str = '"carrier"', **files: str) -> Path:
    """A project; other files by their name without the ending."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).touch()
    (folder / "system.py").write_text(SYSTEM.format(imports=imports, selected=selected))
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def refused(folder: Path) -> ProjectInvalid:
    with pytest.raises(ProjectInvalid) as invalid:
        open_project(folder).system()
    assert invalid.value.do
    return invalid.value


@pytest.fixture(autouse=True)
def no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in SETTINGS.values():
        monkeypatch.delenv(setting.environment, raising=False)


def test_a_folder_without_a_project(tmp_path: Path) -> None:
    with pytest.raises(NotAProject, match="trimtab init") as missing:
        open_project(tmp_path)
    assert missing.value.where == str(tmp_path)


@pytest.mark.parametrize(
    ("written", "got"),
    [(b"system = \n", "line 1"), (b"port = 8600\nport = 8601\n", "line 2"), (b"system = '\xff'", "byte 0xff")],
)
def test_a_broken_toml_names_its_line(tmp_path: Path, written: bytes, got: str) -> None:
    (tmp_path / FILE).write_bytes(written)
    with pytest.raises(ProjectInvalid, match=f"{FILE} cannot be read") as invalid:
        open_project(tmp_path)
    assert got in invalid.value.got
    assert invalid.value.where == str(tmp_path / FILE)


@pytest.mark.parametrize("name", ["databse_url", "System", "flights"])
def test_an_unknown_setting_lists_those_there_are(tmp_path: Path, name: str) -> None:
    (tmp_path / FILE).write_text(f'{name} = "x"')
    with pytest.raises(UnknownName, match=f"unknown setting '{name}'") as unknown:
        open_project(tmp_path)
    assert unknown.value.where == str(tmp_path / FILE)
    assert unknown.value.allowed == listed(SETTINGS)


def test_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('system = "flights.py"')
    error = refused(tmp_path)
    assert error.what == "the file that declares the system is missing"
    assert error.where == str(tmp_path / "flights.py")


@pytest.mark.parametrize(
    ("text", "line", "got"),
    [
        ("import trimtab\n\nx = 1 +\n", 3, "SyntaxError"),
        ("def f():\n\tx = 1\n        y = 2\n", 3, "TabError"),
        ("import trimtab\nraise ValueError('no data')\n", 2, "ValueError: no data"),
        ("import nosuchmodule\n", 1, "ModuleNotFoundError: No module named 'nosuchmodule'"),
        ("def f():\n    return 1 / 0\n\n\nf()\n", 2, "ZeroDivisionError"),
        ("import json\n\njson.loads('{')\n", 3, "JSONDecodeError"),
        ("import sys\nsys.exit('not today')\n", 2, "SystemExit: not today"),
    ],
    ids=["syntax", "tabs", "raises", "import", "in a function", "in a library", "exit"],
)
def test_a_file_that_cannot_be_run_names_the_line(tmp_path: Path, text: str, line: int, got: str) -> None:
    write(tmp_path, system=text)
    error = refused(tmp_path)
    assert error.what == "system.py cannot be run"
    assert error.where == f"{tmp_path / 'system.py'}:{line}"
    assert got in error.got


@pytest.mark.parametrize(
    ("text", "line", "got"),
    [("x = 1\ny = x +\n", 2, "SyntaxError"), ("\n\nx = {}['a']\n", 3, "KeyError")],
    ids=["syntax", "raises"],
)
def test_the_line_is_that_of_the_module_beside_it(tmp_path: Path, text: str, line: int, got: str) -> None:
    write(tmp_path, imports="import contracts", contracts=text)
    error = refused(tmp_path)
    assert error.where == f"{tmp_path / 'contracts.py'}:{line}"
    assert got in error.got


def test_an_error_of_trimtab_is_said_as_it_is_with_the_line(tmp_path: Path) -> None:
    write(tmp_path, system="import trimtab as tt\n\n\ntt.step(retries=-1)(len)\n")
    with pytest.raises(Exception, match="retries of step 'len' has a value that is not allowed") as invalid:
        open_project(tmp_path).system()
    assert f"{tmp_path / 'system.py'}:4" in str(invalid.value)


@pytest.mark.parametrize(
    ("text", "what", "got"),
    [
        ("import trimtab\n", "system.py declares no system", "none"),
        (
            SYSTEM.format(imports="", selected='"a"')
            + "from dataclasses import replace\nother = replace(system, name='another')\n",
            "system.py declares 2 systems",
            "another, small",
        ),
    ],
    ids=["none", "two"],
)
def test_a_file_declares_one_system(tmp_path: Path, text: str, what: str, got: str) -> None:
    write(tmp_path, system=text)
    error = refused(tmp_path)
    assert (error.what, error.got) == (what, got)


def test_one_system_under_two_names_is_one(tmp_path: Path) -> None:
    write(tmp_path, system=SYSTEM.format(imports="", selected='"a"') + "default = system\n")
    assert open_project(tmp_path).system().name == "small"


def test_a_project_is_found_from_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = write(tmp_path / "project") / "data" / "raw"
    below.mkdir(parents=True)
    assert open_project(below).folder == tmp_path / "project"
    monkeypatch.chdir(below)
    assert open_project(Path()).folder == tmp_path / "project"
    monkeypatch.chdir(tmp_path)
    assert open_project(Path("project")).system().name == "small"


def test_settings_come_from_the_environment_the_file_and_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FILE).write_text('port = 9000\nhost = "::1"')
    monkeypatch.setenv("TRIMTAB_PORT", "9001")
    monkeypatch.setenv("TRIMTAB_WORKERS", "")
    settings = open_project(tmp_path).settings
    assert (settings["port"], settings["host"], settings["workers"]) == ("9001", "::1", "2")
    assert set(settings) == set(SETTINGS)


def view_of(folder: Path) -> list[str]:
    """What the project's one view selects."""
    view = load_system(folder, "system.py").features[0]
    return view.function.__globals__["CHOSEN"]  # type: ignore[union-attr,no-any-return]


@pytest.mark.parametrize("imports", ["from chosen import CHOSEN", "from parts.chosen import CHOSEN"])
def test_two_versions_of_a_project_do_not_mix(tmp_path: Path, imports: str) -> None:
    """Their modules have the same names; a folder without an __init__.py is one of them."""
    where = "parts__chosen" if "parts" in imports else "chosen"
    for name in ("old", "new"):
        write(tmp_path / name, imports, "CHOSEN", **{where: f'CHOSEN = ["{name}"]\n'})
    names, path = set(sys.modules), list(sys.path)
    for name in ("old", "new", "old", "new"):
        assert view_of(tmp_path / name) == [name]
    assert sys.path == path
    assert not {"chosen", "parts", "parts.chosen", "system"} & (set(sys.modules) - names)


def test_two_versions_in_a_folder_that_is_named_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("old", "new"):
        write(tmp_path / name, "from chosen import CHOSEN", "CHOSEN", chosen=f'CHOSEN = ["{name}"]\n')
    monkeypatch.chdir(tmp_path)
    assert [view_of(Path(name)) for name in ("old", "new")] == [["old"], ["new"]]


def test_a_version_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    write(tmp_path / "bad", "from chosen import CHOSEN\nraise ValueError", "CHOSEN", chosen='CHOSEN = ["bad"]\n')
    write(tmp_path / "good", "from chosen import CHOSEN", "CHOSEN", chosen='CHOSEN = ["good"]\n')
    path = list(sys.path)
    refused(tmp_path / "bad")
    assert view_of(tmp_path / "good") == ["good"]
    assert sys.path == path


def test_what_a_model_beside_it_names_is_found_when_it_is_first_used(tmp_path: Path) -> None:
    """pandera reads a model's annotations late, in the module that the model says it stands in."""
    model = (
        "from __future__ import annotations\nimport pandera.polars as pa\nimport polars as pl\n\n\n"
        "class Flights(pa.DataFrameModel):\n    distance: pl.{kind}\n"
    )
    schemas = []
    for name, kind in (("old", "Int64"), ("new", "Float64")):
        write(tmp_path / name, "from contracts import Flights", contracts=model.format(kind=kind))
        system = open_project(tmp_path / name).system()
        schemas.append(system.features[0].function.__globals__["Flights"])  # type: ignore[union-attr]
    kinds = [str(one.to_schema().columns["distance"].dtype) for one in schemas]
    assert kinds == ["Int64", "Float64"]


def test_the_code_is_every_python_file_and_nothing_hidden(tmp_path: Path) -> None:
    write(tmp_path, views__weather="x = 1\n", contracts="y = 'ä'\n")
    for name in (
        ".trimtab/code/a.py",
        ".draft.py",
        "__pycache__/b.py",
        "venv/lib/c.py",
        "venv/pyvenv.cfg",
        "notes.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("z = 2\n")
    (tmp_path / "folder.py").mkdir()
    kept = json.loads(open_project(tmp_path).code())
    assert kept["system"] == "system.py"
    assert kept["files"] == {
        name: (tmp_path / name).read_text() for name in ("contracts.py", "system.py", "views/weather.py")
    }


def test_equal_code_is_equal_bytes_wherever_it_lies(tmp_path: Path) -> None:
    codes = [open_project(write(tmp_path / name)).code() for name in ("a", "b")]
    assert codes[0] == codes[1]
    assert open_project(write(tmp_path / "c", selected='"other"')).code() != codes[0]


def test_the_code_is_that_of_the_system_that_was_loaded(tmp_path: Path) -> None:
    """A loop that runs for weeks trains with what it has loaded, whatever is edited meanwhile."""
    project = open_project(write(tmp_path))
    project.system()
    before = project.code()
    write(tmp_path, selected='"other"')
    assert project.code() == before
    assert open_project(tmp_path).code() != before


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "old.py").write_bytes(b"# -*- coding: latin-1 -*-\nx = '\xe4'\n")
    error = refused(tmp_path)
    assert (error.what, error.where) == ("old.py cannot be kept with a release", str(tmp_path / "old.py"))


def test_stores_lie_in_the_project(tmp_path: Path) -> None:
    assert Project(tmp_path, {}).home == tmp_path / ".trimtab"
