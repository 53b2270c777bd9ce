"""Batch scoring says what a server says, bit by bit, and records it once, whatever is killed when."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.e2e.batch_drill import LATER, compact, questions, score
from tests.e2e.command import said
from tests.e2e.tiny_life import START
from tests.house.answering import of_other_file, take

from trimtab import loop
from trimtab.cli.session import session
from trimtab.house.batch import Asked
from trimtab.house.explanation import explain_prediction
from trimtab.house.parity import parity, served
from trimtab.house.verifying import Asked as Verified
from trimtab.house.verifying import verify
from trimtab.kernel.errors import InvalidValue, NotFound, Refused, RequestInvalid
from trimtab.kernel.moment import to_us
from trimtab.kernel.prediction import Prediction
from trimtab.kernel.prediction_id import BATCH_WORKER, parse_prediction_id
from trimtab.project import open_project
from trimtab.serving.log_reader import prediction_of_row
from trimtab.simulation.serving import replay_server
from trimtab.wiring.stores import Stores


@pytest.fixture
def folder(served_tiny: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(served_tiny, tmp_path / "tiny"))


@pytest.fixture(scope="module")
def prepared(served_tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of all tests of this file."""
    return Path(shutil.copytree(served_tiny, tmp_path_factory.mktemp("batch") / "tiny"))


def ask(port: int, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    body = json.dumps({"instances": rows}).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/systems/tiny/predict", body, timeout=60) as answer:
        found: list[dict[str, Any]] = json.load(answer)["predictions"]
        return found


def as_asked(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return frame.with_columns(pl.col("as_of").dt.epoch("us")).to_dicts()


def recorded(folder: Path) -> dict[str, list[Prediction]]:
    """By key, each as often as it is in the log, compacted or not."""
    found: dict[str, list[Prediction]] = {}
    with session(folder=folder) as open_:
        some = list(open_.house.log.recent())
        if open_.house.tables.exists("predictions"):
            some += map(prediction_of_row, served(open_.house).collect().to_dicts())
    for one in some:
        found.setdefault(one.key, []).append(one)
    return found


def same_record(one: Prediction, other: Prediction) -> None:
    """But for who wrote it, and how long that took."""
    for name in ("system", "release", "generation", "key", "at_us", "request", "features", "ages_us", "others"):
        assert getattr(one, name) == getattr(other, name), name
        assert repr(getattr(one, name)) == repr(getattr(other, name)), name  # 1 is not 1.0
    assert one.score.hex() == other.score.hex()


def test_batch_and_server_agree_bit_by_bit(folder: Path, tmp_path: Path) -> None:
    asked = questions(500)
    asked.write_parquet(tmp_path / "rows.parquet")
    online = {}
    with session(folder=folder) as open_:
        route = open_.house.act.route("tiny")
        assert route is not None
        shadow = of_other_file(open_.stores, "canary.py", route.champion, START + timedelta(hours=12))
        loop.shadow(open_.house, shadow, START + timedelta(hours=12), "test")
    with session(folder=folder) as open_, replay_server(open_.stores, "tiny", print) as port:
        rows = as_asked(asked)
        for start in range(0, len(rows), 50):
            online.update({one["key"]: one for one in ask(port, rows[start : start + 50])})
    before = recorded(folder)
    done = score(folder, Asked(tmp_path / "rows.parquet", tmp_path / "a.parquet"), LATER + timedelta(hours=1))
    assert (done.rows, done.scored, done.left_out) == (500, 500, [])
    answers = pl.read_parquet(tmp_path / "a.parquet")
    assert answers["key"].to_list() == asked["order_id"].to_list()
    after = recorded(folder)
    missing = set()
    for row in answers.to_dicts():
        told = online[row["key"]]
        assert row["score"].hex() == told["score"].hex()
        assert (row["release"], row["missing"]) == (told["release"], told["missing"])
        [mine] = [one for one in after[row["key"]] if one.id == row["id"]]
        assert parse_prediction_id(row["id"]).worker == BATCH_WORKER
        same_record(mine, before[row["key"]][0])
        assert [digest for digest, _ in mine.others] == [shadow]
        missing.add(tuple(row["missing"]))
    # All of it was there: whole rows, views without a fact, and such as were too old.
    assert {(), ("staff",), ("staff", "shop_returns")} <= missing
    compact(folder)
    compacted = recorded(folder)
    assert all(len(compacted[key]) == 2 for key in online)
    with session(folder=folder) as open_:
        assert parity(open_.house) == []
        assert explain_prediction(open_.house, answers["id"][1]).prediction.key == "b1-00001"


def test_rows_of_now_are_looked_up_online_and_csv_is_read_as_parquet_is(folder: Path, tmp_path: Path) -> None:
    asked = questions(60).drop("as_of").with_columns(order_id=pl.format("00{}", pl.int_range(60)), note=1)
    asked.write_csv(tmp_path / "rows.csv")
    now = START + timedelta(hours=13)
    out = tmp_path / "answers.csv"
    assert score(folder, Asked(tmp_path / "rows.csv", out), now).left_out == ["note"]
    with session(folder=folder) as open_, replay_server(open_.stores, "tiny", print) as port:
        online = ask(port, [{**row, "as_of": to_us(now)} for row in asked.drop("note").to_dicts()])
    answers = pl.read_csv(out, schema_overrides={"key": pl.String})
    assert answers["key"].to_list() == asked["order_id"].to_list()
    assert answers["key"][0] == "000"
    assert answers["score"].to_list() == [one["score"] for one in online]
    assert answers["missing"].fill_null("").to_list() == [" ".join(one["missing"]) for one in online]


def test_a_dry_run_records_nothing(folder: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "rows.parquet", tmp_path / "rows.answers.parquet"
    questions(30).write_parquet(file)
    score(folder, Asked(file, out, log=False), LATER)
    dry = pl.read_parquet(out)
    assert dry["id"].null_count() == 30
    assert recorded(folder) == {}
    assert not (folder / ".trimtab" / "batch").exists()
    with pytest.raises(Refused):
        score(folder, Asked(file, out), LATER)
    assert recorded(folder) == {}
    score(folder, Asked(file, out, force=True), LATER)
    wet = pl.read_parquet(out)
    assert wet.drop("id").equals(dry.drop("id"))
    assert len(recorded(folder)) == 30


def test_the_same_rows_of_the_same_instants_are_recorded_once(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    questions(40).write_parquet(file)
    done = []
    for number in range(3):
        done.append(score(folder, Asked(file, tmp_path / f"{number}.parquet"), LATER))
        if number == 1:
            compact(folder)
    assert [(one.scored, one.again) for one in done] == [(40, False), (0, True), (0, True)]
    assert len({one.id for one in done}) == 1
    one, *others = (pl.read_parquet(tmp_path / f"{number}.parquet") for number in range(3))
    assert all(one.equals(other) for other in others)
    assert {len(some) for some in recorded(folder).values()} == {1}
    with session(folder=folder) as open_:
        [entry] = open_.house.reader.entries(kind="batch.scored")
        assert (entry.body["rows"], entry.actor) == (40, "user:test")


def test_rows_of_now_are_asked_anew_each_time(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    questions(5).drop("as_of").write_parquet(file)
    for hours in (12, 13):
        score(folder, Asked(file, tmp_path / f"{hours}.parquet"), START + timedelta(hours=hours))
    assert {len(some) for some in recorded(folder).values()} == {2}


def test_a_release_that_is_asked_for_by_name(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    questions(12).write_parquet(file)
    with session(folder=folder) as open_:
        route = open_.house.act.route("tiny")
        assert route is not None
    score(folder, Asked(file, tmp_path / "answers.parquet", release=route.champion), LATER)
    compact(folder)
    found = [one for some in recorded(folder).values() for one in some]
    assert {(one.release, one.generation) for one in found} == {(route.champion, 0)}
    with session(folder=folder) as open_:
        take(open_, LATER)
        assert open_.house.measure.labelled("tiny", open_.house.system.label, LATER).is_empty()
        assert explain_prediction(open_.house, found[0].id).deployed_by is None
    assert "a batch asked for the release by its name" in said(folder, "explain", found[0].id).out


def test_the_command(folder: Path, tmp_path: Path) -> None:
    questions(30).write_csv(tmp_path / "rows.csv")
    command = ("predict", "--batch", str(tmp_path / "rows.csv"), "--now", LATER.isoformat())
    done = said(folder, *command, "--system", "tiny")
    assert (done.status, done.err) == (0, "")
    assert "30 rows" in done.out and "rows.answers.parquet" in done.out
    assert pl.read_parquet(tmp_path / "rows.answers.parquet")["id"].null_count() == 0
    refused = said(folder, *command)
    assert refused.status == 1 and "--force" in refused.err
    refused = said(folder, *command, "--force", "--system", "other")
    assert refused.status == 1 and "unknown system 'other'" in refused.err


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (pl.DataFrame({"order_id": ["a"], "shop": ["ber"]}), ["fields have no column", "price"]),
        (
            pl.DataFrame({"order_id": ["a"], "shop": ["ber"], "price": ["1"]}),
            ["column 'price'", "Float64", "String"],
        ),
        (pl.DataFrame({"order_id": ["a", None], "shop": ["ber"] * 2, "price": [1.0] * 2}), ["row 2", "no key"]),
        (pl.DataFrame({"order_id": [""], "shop": ["ber"], "price": [1.0]}), ["row 1, column 'order_id'", "no key"]),
        (
            pl.DataFrame({"order_id": ["a", "b"], "shop": ["ber"] * 2, "price": [1.0, float("inf")]}),
            ["row 2, column 'price'", "out of range"],
        ),
        (
            pl.DataFrame({"order_id": ["a"], "shop": ["x"], "price": [1.0], "as_of": [datetime(2024, 3, 1)]}),  # noqa: DTZ001
            ["column 'as_of'", "with a zone"],
        ),
        (
            pl.DataFrame({"order_id": ["a"], "shop": ["x"], "price": [1.0], "as_of": ["2024-03-01T00:00:00"]}),
            ["column 'as_of', rows 1 to 1"],
        ),
        (
            pl.DataFrame({"order_id": ["a"], "shop": ["x"], "price": [1.0], "as_of": ["2999-03-01T00:00:00Z"]}),
            ["about the future"],
        ),
        (
            pl.DataFrame(schema={"order_id": pl.String, "shop": pl.String, "price": pl.Float64}),
            ["the batch has no rows"],
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_its_row(
    prepared: Path, tmp_path: Path, frame: pl.DataFrame, told: list[str]
) -> None:
    file = tmp_path / "rows.parquet"
    frame.write_parquet(file)
    with pytest.raises(RequestInvalid) as refused:
        score(prepared, Asked(file, tmp_path / "answers.parquet"))
    assert all(text in str(refused.value) for text in told), refused.value
    assert all(part for _, part in refused.value.lines()) and len(refused.value.lines()) == 4
    assert list(tmp_path.iterdir()) == [file]
    assert recorded(prepared) == {}
    shutil.rmtree(prepared / ".trimtab" / "batch")


def test_a_file_of_another_kind_is_told_the_kinds_there_are(prepared: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_text("x")
    with pytest.raises(InvalidValue, match=r"\.parquet or \.csv"):
        score(prepared, Asked(tmp_path / "rows.txt", tmp_path / "answers.parquet"))


def test_a_file_that_is_not_there_is_named(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no file of rows '.*/nothing\.parquet'"):
        score(prepared, Asked(tmp_path / "nothing.parquet", tmp_path / "answers.parquet"))


@pytest.fixture(scope="module")
def port(prepared: Path) -> Iterator[int]:
    with closing(Stores(open_project(prepared))) as stores, replay_server(stores, "tiny", print) as port:
        yield port


def test_rows_that_bring_their_features_are_scored_as_those_that_are_looked_up(prepared: Path, port: int) -> None:
    rows = as_asked(questions(60, seed=4))
    looked_up = ask(port, rows)
    by_key = recorded(prepared)
    with session(folder=prepared) as open_:
        names = [one.name for one in open_.house.releases.get(looked_up[0]["release"]).features]
    mixed = []
    for number, row in enumerate(rows):
        [record] = by_key[row["order_id"]]
        given = {"order_id": f"given-{number}", "features": dict(zip(names, record.features, strict=True))}
        mixed.append({**given, "as_of": row["as_of"]} if number % 3 else {**row, "order_id": f"given-{number}"})
    answers = ask(port, mixed)
    assert [one["score"].hex() for one in answers] == [one["score"].hex() for one in looked_up]
    after = recorded(prepared)
    for number, (one, before) in enumerate(zip(answers, looked_up, strict=True)):
        [record] = after[f"given-{number}"]
        assert dict(record.request) == mixed[number]
        assert record.features == by_key[rows[number]["order_id"]][0].features
        if number % 3:
            assert (record.ages_us, one["missing"]) == ((), [])
            nulls = [name for name, value in mixed[number]["features"].items() if value is None]
            assert one.get("null", []) == nulls
        else:
            assert one["missing"] == before["missing"]
    compact(prepared)
    with session(folder=prepared) as open_:
        assert parity(open_.house) == []
        found = verify(open_.house, Verified(), lambda *_: None)
        assert found.answers == 60 + 20  # what was given is no matter of parity
        told = explain_prediction(open_.house, answers[1]["id"])
        assert told.provenance == [] and told.features == mixed[1]["features"]
    shown = said(prepared, "explain", answers[1]["id"])
    assert shown.status == 0 and "it came with the request" in shown.out
    assert said(prepared, "features", "stats").status == 0


def test_wrong_features_are_refused_by_name(port: int) -> None:
    given = {"order_id": "b", "features": {"order.price": 1.0}}
    rows: list[dict[str, Any]] = [{"order_id": "a", "shop": "ber", "price": 1.0}, given]
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(port, rows)
    error = json.load(refused.value)["error"]
    assert (refused.value.code, error["where"]) == (400, "instances[1].features")
    assert "order.shop" in error["got"] and "staff.staff" in error["allowed"]
