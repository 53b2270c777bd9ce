"""Everything that is wrong with a declaration is said at once: where, what is allowed, got, and what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandera.polars as pa
import polars as pl
import pytest
from tests import declarations
from tests.declarations import (
    ARRIVALS,
    FLIGHTS,
    MISTAKES,
    Mistake,
    arrivals,
    declare,
    question,
    schedule,
    source,
    undecorated,
    with_flights,
)

import trimtab as tt
from trimtab.kernel.errors import DeclarationInvalid, TrimtabError
from trimtab.system import System


def problems(system: System, folder: Path) -> list[TrimtabError]:
    with pytest.raises(DeclarationInvalid) as invalid:
        system.check(folder)
    assert [str(one) for one in invalid.value.problems] == invalid.value.got.split("\n\n")
    return invalid.value.problems


def test_a_good_declaration_has_no_problem(tmp_path: Path) -> None:
    declare().check(tmp_path)
    model = type("Model", (pa.DataFrameModel,), {"__annotations__": {"flight_id": str}})
    for contract in (pa.DataFrameSchema({"flight_id": pa.Column(pl.String)}), model):
        declare(**with_flights(contract=contract)).check(tmp_path)
    declare(label=tt.Label(arrivals, "number")).check(tmp_path)
    declare(holdout=timedelta(days=3), monitors=(), retrain=()).check(tmp_path)
    declare(windows=("all", "91d", timedelta(days=30)), rollout=tt.canary([1, 100])).check(tmp_path)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: one.name)
def test_each_mistake_is_the_only_problem_and_says_all(mistake: Mistake, tmp_path: Path) -> None:
    found = problems(declare(**mistake.make()), tmp_path)
    (problem,) = found
    assert mistake.what in problem.what
    assert mistake.got in problem.got
    assert mistake.allowed in problem.allowed
    file, _, line = problem.where.partition(":")
    assert file == "declarations.py" and int(line) > 0
    assert problem.do and problem.got
    assert problem.allowed or "cannot be read" in problem.what


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    """More than twenty in one declaration: none hides another."""
    twice = source("arrivals", ARRIVALS, contract=3)
    bad_flights = source("flights", FLIGHTS, known_time="local_dep", key=("flight_id", "day"))
    system = declare(
        name="Flight Delay",
        sources=[bad_flights, arrivals, twice, "weather", source("planes", {}, read="planes.parquet")],
        question=question(bad_flights, at="asked_at", fields=("carrier", "distance", "crew", "block")),
        label=tt.Label(arrivals, "delayed", kind="ordinal"),
        features=[
            schedule,
            undecorated,
            tt.aggregate(arrivals, by="carrier", of="late", windows=["3h"], how=["median"]),
        ],
        train=None,
        gates=[tt.gates.floor, tt.gates.slice_floor("accuracy", by="origin", at_least=0.5)],
        monitors=[tt.monitors.performance("auc", zone="EDT")],
        retrain=[tt.triggers.monthly(settle="soon")],
        holdout="a month",
        windows=["all", "a quarter"],
        rollout=tt.canary([], hold="a while"),
    )
    found = problems(system, tmp_path)
    expected = [
        "system 'Flight Delay': has a name that cannot be used",
        "known_time of source 'flights' is a time without a zone",
        "source 'flights': key names a column that does not exist",
        "source 'arrivals': is declared more than once",
        "system 'Flight Delay': sources holds what cannot stand there",
        "source 'planes' cannot be read",
        "question 'Flight Delay': at names a column that does not exist",
        "request field 'crew': has a type that a request cannot carry",
        "question 'Flight Delay': fields names a column that training uses itself",
        "label 'delayed': is of an unknown kind",
        "label 'delayed': is not a column of its source",
        "system 'Flight Delay': features holds what cannot stand there",
        "unknown measure 'median'",
        "system 'Flight Delay': has no training function",
        "system 'Flight Delay': gates holds what cannot stand there",
        "unknown metric 'accuracy'",
        "gate 'slice_floor(accuracy, by=origin, at_least=0.5)': slices by a field that no request carries",
        "unknown metric 'auc'",
        "zone has a value that is not allowed",
        "settle has a value that is not allowed",
        "holdout has a value that is not allowed",
        "windows has a value that is not allowed",
        "steps has a value that is not allowed",
        "hold has a value that is not allowed",
    ]
    assert {one.what for one in found} == set(expected)
    for one in found:
        assert one.where.startswith(("test_system.py:", "declarations.py:")), one.what
        assert one.do and one.got, one.what


def test_the_error_numbers_what_is_wrong_and_says_that_nothing_happened(tmp_path: Path) -> None:
    with pytest.raises(DeclarationInvalid) as invalid:
        declare(name="X", gates=[]).check(tmp_path)
    text = str(invalid.value)
    assert text.startswith("the declaration of system 'X' has 2 problems; nothing has been applied\n")
    assert "\n1. " in text and "\n2. " in text and "\n3. " not in text


def test_one_mistake_is_one_problem(tmp_path: Path) -> None:
    with pytest.raises(DeclarationInvalid, match="has 1 problem;"):
        declare(name="X").check(tmp_path)


def test_where_is_the_line_of_the_declaration(tmp_path: Path) -> None:
    wrong = tt.gates.floor("accuracy", at_least=0.5)
    (problem,) = problems(declare(gates=[wrong]), tmp_path)
    lines = Path(__file__).read_text().splitlines()
    assert 'tt.gates.floor("accuracy", at_least=0.5)' in lines[int(problem.where.partition(":")[2]) - 1]
    (unnamed,) = problems(declare(train=0), tmp_path)
    declared = Path(declarations.__file__).read_text().splitlines()
    assert "tt.System(" in declared[int(unnamed.where.partition(":")[2]) - 1]


def test_a_file_that_is_no_parquet_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "flights.parquet").write_text("flight_id,carrier")
    (problem,) = problems(declare(**with_flights(read="flights.parquet")), tmp_path)
    assert problem.what == "source 'flights' cannot be read"
    assert "\n" not in problem.got and problem.where.startswith("declarations.py:")


def test_a_source_whose_function_fails_is_a_problem(tmp_path: Path) -> None:
    def broken() -> pl.DataFrame:
        raise ZeroDivisionError("of rows by none")

    (problem,) = problems(declare(**with_flights(read=broken)), tmp_path)
    assert "ZeroDivisionError: of rows by none" in problem.got


def test_the_definition_is_names_and_versions() -> None:
    definition = declare().definition()
    assert definition == {
        "sources": ["flights", "arrivals"],
        "features": [["schedule", schedule.version]],
        "label": {"source": "arrivals", "column": "late", "kind": "binary", "known": "arrived_at"},
        "gates": ["floor(roc_auc, at_least=0.6)"],
        "rollout": "blue_green",
        "monitors": ["roc_auc"],
        "retrain": ["monthly(settle=1d)"],
    }


def test_a_policy_of_the_log_stands_in_the_definition_where_it_is_declared(tmp_path: Path) -> None:
    system = declare(log=tt.retention(keep="400d", sample=0.1))
    system.check(tmp_path)
    assert system.definition()["log"] == {"keep": "400d", "sample": 0.1}
    assert {**system.definition(), "log": None} == {**declare().definition(), "log": None}
    assert declare(log=tt.retention()).definition() == declare().definition()


def test_fallbacks_stand_in_the_definition_where_they_are_declared(tmp_path: Path) -> None:
    def guess(row: dict[str, object]) -> float:
        return 0.5

    chain = (tt.fallbacks.previous_release(), tt.fallbacks.rule(guess), tt.fallbacks.constant(0.21))
    system = declare(fallback=chain)
    system.check(tmp_path)
    named = ["previous_release", f"rule({guess.__qualname__})", "constant(0.21)"]
    assert system.definition() == {**declare().definition(), "fallback": named}


def test_a_request_carries_the_key_and_the_fields_once(tmp_path: Path) -> None:
    system = declare(question=question(fields=("carrier", "flight_id", "carrier", "sched_dep")))
    assert system.request_fields == ("flight_id", "carrier", "sched_dep")
    assert dict(system.request_types(tmp_path)) == {
        "flight_id": "String",
        "carrier": "String",
        "sched_dep": "Datetime(time_unit='us', time_zone='UTC')",
    }


def test_a_changed_system_keeps_its_place() -> None:
    system = declare()
    assert replace(system, name="other").place == system.place
    assert system.holdout_us == 28 * 86_400_000_000
    assert system.windows_us == (0,)
    assert declare(windows=["1d", "all", "12h"]).windows_us == (86_400_000_000, 0, 43_200_000_000)
