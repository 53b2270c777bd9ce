"""MLflow's scoring protocol, spoken by MLflow's own client, and held against MLflow's own reading of requests."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Iterator
from typing import Any, TypeAlias

import mlflow
import msgspec
import numpy as np
import pandas as pd
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serving.client import Client, ServerProcess

from trimtab.kernel.errors import RequestInvalid
from trimtab.serving.nan_json import without_nan
from trimtab.serving.protocols.mlflow_scoring import MLFLOW, MlflowScoring
from trimtab.serving.segment import LIVE, read_segment
from trimtab.serving.segment_folder import SegmentFolder

with warnings.catch_warnings():  # MLflow warns of type hints of its own
    warnings.simplefilter("ignore")
    from mlflow.pyfunc import scoring_server
    from mlflow.pyfunc.scoring_server.client import ScoringServerClient

Session: TypeAlias = tuple[requests.Session, str]  # and the server's address
JSON = "application/json"
FIELDS = (
    ("row", "String"),
    ("n", "Int64"),
    ("x", "Float64"),
    ("yes", "Boolean"),
    ("at", "Datetime(time_unit='us', time_zone='UTC')"),
)
FRAME = pd.DataFrame({"row": ["a", "b"], "x": [1.5, -2.0]})


@pytest.fixture
def client(one_worker: ServerProcess) -> ScoringServerClient:
    return ScoringServerClient("127.0.0.1", one_worker.port)  # type: ignore[no-untyped-call]


@pytest.fixture
def session(one_worker: ServerProcess) -> Iterator[Session]:
    with requests.Session() as session:
        yield session, f"http://127.0.0.1:{one_worker.port}"


def invoke(server: ServerProcess, content: Any, **headers: str) -> tuple[int, Any]:
    async def ask() -> tuple[int, Any]:
        client = Client(server.port)
        try:
            return await client.post(content, "/invocations", **({"content_type": JSON} | headers))
        finally:
            client.close()

    return asyncio.run(ask())


def decoded(content: bytes, kind: str = JSON, fields: Any = FIELDS) -> Any:
    headers = [(b"content-type", kind.encode())]
    return MlflowScoring("adder").decode(content, headers, max_rows=1000, fields=fields).rows


def test_mlflows_client_finds_a_server_and_its_version(client: ScoringServerClient) -> None:
    client.wait_server_ready(timeout=30)  # type: ignore[no-untyped-call]
    assert client.get_version() == MLFLOW  # type: ignore[no-untyped-call]
    # A new MLflow may speak otherwise: whoever takes it reads its scoring server, and moves the constant.
    assert MLFLOW.split(".")[:2] == mlflow.__version__.split(".")[:2]


def test_mlflows_client_gets_scores_and_ids_for_a_frame(
    client: ScoringServerClient, one_worker: ServerProcess
) -> None:
    answer = client.invoke(FRAME)
    assert answer.get_predictions()[0].tolist() == [5.5, 2.0]
    assert answer.get_predictions("ndarray", np.float64).tolist() == [5.5, 2.0]
    told = answer["metadata"]
    assert (told["system"], told["generation"]) == ("adder", 1)
    paths = SegmentFolder(one_worker.wal).files(LIVE)
    records = {one.id: one for path in paths if (found := read_segment(path)) for one in found.predictions()}
    for row, sent in zip(told["rows"], FRAME.to_dict("records"), strict=True):
        assert {name: row[name] for name in row if name != "id"} == {
            "key": sent["row"],
            "release": "fragile",
            "missing": ["never_seen"],
        }
        assert records[row["id"]].request == sent


def test_mlflows_client_sends_records(client: ScoringServerClient) -> None:
    assert client.invoke(FRAME.to_dict("records"))["predictions"] == [5.5, 2.0]


def test_mlflows_client_is_told_why(client: ScoringServerClient) -> None:
    with pytest.raises(Exception, match=r"error code 400.*BAD_REQUEST.*params are not taken"):
        client.invoke(FRAME, params={"temperature": 1})
    with pytest.raises(Exception, match=r"got: None"):  # its NaN is null
        client.invoke(pd.DataFrame({"row": ["a"], "x": [np.nan]}))


def test_sagemaker_may_ping_and_send_csv(session: Session) -> None:
    http, server = session
    for path in ("/ping", "/health"):
        assert http.get(server + path).status_code == 200
    answer = http.post(
        f"{server}/invocations", FRAME.to_csv(index=False), headers={"content-type": "text/csv; charset=UTF-8"}
    )
    assert answer.json()["predictions"] == [5.5, 2.0]


def test_sagemaker_is_not_sent_to_a_server_without_a_release(server: ServerProcess) -> None:
    answer = requests.get(f"http://127.0.0.1:{server.port}/ping", timeout=30)
    assert (answer.status_code, answer.json()["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "truncated"),
        (b"[1]", "Expected `object`"),
        ({}, "got: nothing"),
        ({"instances": [], "inputs": []}, "got: inputs, instances"),
        ({"instances": []}, "0 rows"),
        ({"instances": [[1, 2]]}, "$.instances[0]"),
        ({"inputs": [1, 2]}, "$.inputs[0]"),
        ({"inputs": {"row": ["a"], "x": [1, 2]}}, "got: 1, 2"),
        ({"inputs": {"row": "a", "x": [1]}}, "and no list"),
        ({"inputs": {"row": ["a"] * 101, "x": [1] * 101}}, "101 rows"),
        ({"dataframe_records": {"row": ["a"]}}, "Expected `array`"),
        ({"dataframe_records": [{"row": "a", "x": "1"}]}, "got: '1'"),
        ({"dataframe_records": [{"x": 1}]}, "row 0, column 'row'"),
        ({"dataframe_records": [{"row": "a", "x": 1}] * 101}, "101 rows"),
        ({"dataframe_split": {"data": [["a", 1]]}}, "missing required field `columns`"),
        ({"dataframe_split": {"columns": ["row", "row"], "data": [["a", 1]]}}, "2 columns, 1 names"),
        ({"dataframe_split": {"columns": [], "data": [[]]}}, "0 columns"),
        ({"dataframe_split": {"columns": ["row", "x"], "data": [["a", 1], ["b"]]}}, "dataframe_split.data[1]"),
        ({"dataframe_split": {"columns": ["row"], "data": [["a"]], "index": []}}, "dataframe_split.index"),
        ({"dataframe_split": {"columns": ["row"], "data": [["a"]] * 101}}, "101 rows"),
        ({"instances": [{"row": "a", "x": 1}], "verbose": True}, "unknown field `verbose`"),
        (b'{"instances": [{"row": "a", "x": Infinity}]}', "invalid character"),
    ],
)
def test_a_wrong_request_is_named_in_mlflows_shape(one_worker: ServerProcess, content: Any, told: str) -> None:
    status, answer = invoke(one_worker, content)
    assert (status, set(answer), answer["error_code"]) == (400, {"error_code", "message"}, "BAD_REQUEST")
    assert told in answer["message"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no name"),
        (b"row,x\n", "0 rows"),
        (b",row,x\n0,a,1\n", "one of them empty"),
        (b"row,x\na,1\nb\n", "row 1; allowed: 2 values; got: 1 values"),
        (b"row,x\na,one\n", "row 0, column 'x'; allowed: Float64; got: 'one'"),
        (b"row,x\na,inf\n", "column 'x'"),
        (b"row,x\na,1_0\n", "column 'x'"),
        (b'row,x\n"a,1\n', "not CSV"),
        (b"row,x\n\xff,1\n", "not CSV"),
        (b"row,x\n" + b"a" * 99_000 + b",1\n" * 300, "not"),
        (b"row,x\n" + b"a,1\n" * 101, "101 rows"),
    ],
)
def test_wrong_csv_is_named(one_worker: ServerProcess, content: bytes, told: str) -> None:
    status, answer = invoke(one_worker, content, content_type="text/csv")
    assert (status, answer["error_code"]) == (400, "BAD_REQUEST")
    assert told in answer["message"]


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin-1",
        "application/json; encoding=utf-8",
        "application/vnd.apache.parquet",
    ],
)
def test_other_content_types_are_415(one_worker: ServerProcess, kind: str) -> None:
    status, answer = invoke(one_worker, {"instances": [{"row": "a", "x": 1}]}, content_type=kind)
    assert (status, answer["error_code"]) == (415, "BAD_REQUEST")
    assert "application/json or text/csv" in answer["message"]


@pytest.mark.parametrize(
    ("content", "headers", "method", "status", "code"),
    [
        (b" " * 200_000, {}, "POST", 413, "BAD_REQUEST"),
        (b"x", {"content-encoding": "gzip"}, "POST", 415, "BAD_REQUEST"),
        (b"", {}, "PUT", 405, "BAD_REQUEST"),
        (b'{"instances": [{"row": "a", "x": 13}]}', {}, "POST", 500, "INTERNAL_ERROR"),
    ],
)
def test_refusals_of_the_server_itself_are_in_mlflows_shape(
    session: Session,
    content: bytes,
    headers: dict[str, str],
    method: str,
    status: int,
    code: str,
) -> None:
    http, server = session
    answer = http.request(method, f"{server}/invocations", data=content, headers={"content-type": JSON, **headers})
    assert (answer.status_code, set(answer.json())) == (status, {"error_code", "message"})
    assert answer.json()["error_code"] == code
    assert "secret" not in answer.text


def test_csv_is_read_by_the_types_that_the_release_declares() -> None:
    lines = (
        b'row,n,x,yes,at\r\n007,7,7,true,2013-04-01T00:00:00Z\r\n"a,\n""b""",,NaN,False,\r\n\r\nNA,-1,1e3,,1\r\n'
    )
    assert decoded(b"\xef\xbb\xbf" + lines, "text/csv") == [
        {"row": "007", "n": 7, "x": 7.0, "yes": True, "at": "2013-04-01T00:00:00Z"},
        {"row": 'a,\n"b"', "n": None, "x": None, "yes": False, "at": None},
        {"row": "NA", "n": -1, "x": 1000.0, "yes": None, "at": "1"},
    ]
    for line in ("a,7.5,1,true,", "a,1,1,maybe,", "a,1,1,1,", "a,0x1,1,true,", f"a,{'9' * 5000},1,true,"):
        with pytest.raises(RequestInvalid, match="type"):
            decoded(f"row,n,x,yes,at\n{line}\n".encode(), "text/csv")


CELLS = {
    "row": st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=5),
    "n": st.integers(-(2**40), 2**40),
    "x": st.floats(allow_infinity=False, allow_nan=True),
    "yes": st.booleans(),
}
FRAMES = st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=4)


def as_mlflow_reads(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Through MLflow's own code, with NaN as null."""
    parsed = scoring_server.infer_and_parse_data(json.loads(json.dumps(body)))
    frame = pd.DataFrame({name: list(cells) for name, cells in parsed.items()})
    return [{str(name): plain(cell) for name, cell in row.items()} for row in frame.to_dict("records")]


def plain(cell: Any) -> Any:
    value = cell.item() if isinstance(cell, np.generic) else cell
    return None if isinstance(value, float) and value != value else value  # noqa: PLR0124 - NaN


@settings(max_examples=100, deadline=None)
@given(FRAMES)
def test_every_form_is_read_as_mlflow_reads_it(rows: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame(rows)
    split = frame.to_dict("split")
    columns = {name: list(frame[name].tolist()) for name in frame}
    for body in (
        {"dataframe_split": split},
        {"dataframe_split": {name: split[name] for name in ("columns", "data")}},
        {"dataframe_records": rows},
        {"instances": rows},
        {"inputs": columns},
        {"inputs": rows[0]},
    ):
        found = decoded(json.dumps(body).encode())
        expected = [rows[0]] if body == {"inputs": rows[0]} else rows
        assert found == [{name: plain(cell) for name, cell in row.items()} for row in expected]
        if isinstance(body.get("inputs"), dict) and body["inputs"] is rows[0]:
            continue  # MLflow makes its one row only later, from the model's signature
        assert found == as_mlflow_reads(body)


@settings(max_examples=100, deadline=None)
@given(FRAMES)
def test_csv_is_read_as_pandas_wrote_it(rows: list[dict[str, Any]]) -> None:
    found = decoded(pd.DataFrame(rows).to_csv(index=False).encode(), "text/csv")
    assert found == [{name: plain(cell) for name, cell in row.items()} for row in rows]


NAN_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.just(float("nan")) | st.text('"\\NaN{[,é', max_size=8) | st.integers(-9, 9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('"\\NaN', max_size=4), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(NAN_JSON, st.booleans())
def test_nan_is_null_outside_of_text_only(value: Any, escaped: bool) -> None:
    def expected(one: Any) -> Any:
        if isinstance(one, list):
            return [expected(each) for each in one]
        if isinstance(one, dict):
            return {name: expected(each) for name, each in one.items()}
        return plain(one)

    text = json.dumps(value, ensure_ascii=escaped).encode()
    assert msgspec.json.decode(without_nan(text)) == expected(value)
