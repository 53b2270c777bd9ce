"""The same rows mean the same by every protocol."""

from __future__ import annotations

import asyncio
import csv
import io
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serving.client import PREDICT, Client, ServerProcess

from trimtab.features.request_frame import request_frame
from trimtab.serving.protocols.mlflow_scoring import MlflowScoring
from trimtab.serving.protocols.native_json import NativeJson
from trimtab.serving.protocols.open_inference import OpenInference
from trimtab.serving.tensor import datatype_of
from trimtab.serving.wire import Wire

FIELDS = (
    ("row", "String"),
    ("n", "Int64"),
    ("x", "Float64"),
    ("yes", "Boolean"),
    ("at", "Datetime(time_unit='us', time_zone='UTC')"),
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "String": st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=5),
    "Int64": st.integers(-(2**63), 2**63 - 1),
    "Float64": st.floats(allow_nan=False, allow_infinity=False),
    "Boolean": st.booleans(),
    FIELDS[-1][1]: st.datetimes().map(lambda at: f"{at.isoformat()}+00:00"),
}
ROWS = st.lists(
    st.fixed_dictionaries({name: st.none() | VALUES[kind] for name, kind in FIELDS}), min_size=1, max_size=4
)


def tensors(rows: list[dict[str, Any]]) -> dict[str, Any]:
    def tensor(name: str, kind: str) -> dict[str, Any]:
        data = [row[name] for row in rows]
        return {"name": name, "shape": [len(rows)], "datatype": datatype_of(kind), "data": data}

    return {"inputs": [tensor(name, kind) for name, kind in FIELDS if name in rows[0]]}


def lines(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    for row in rows:
        writer.writerow({name: repr(value) if isinstance(value, float) else value for name, value in row.items()})
    return text.getvalue().encode()


def read(wire: Wire, content: object, kind: str = "application/json") -> Any:
    body = content if isinstance(content, bytes) else msgspec.json.encode(content)
    return wire.decode(body, [(b"content-type", kind.encode())], max_rows=9, fields=FIELDS).rows


@settings(max_examples=200, deadline=None)
@given(ROWS)
def test_rows_of_every_type_arrive_as_they_were_sent(rows: list[dict[str, Any]]) -> None:
    mlflow = MlflowScoring("adder")
    columns = {name: [row[name] for row in rows] for name, _ in FIELDS}
    split = {"columns": list(columns), "data": [[row[name] for name in columns] for row in rows]}
    expected = request_frame(rows, FIELDS)
    for found in (
        read(NativeJson("adder"), {"instances": rows}),
        read(OpenInference("adder"), tensors(rows)),
        read(mlflow, {"dataframe_records": rows}),
        read(mlflow, {"dataframe_split": split}),
        read(mlflow, {"inputs": columns}),
        read(mlflow, lines(rows), "text/csv"),
    ):
        assert found == rows
        assert request_frame(found, FIELDS).equals(expected)


def test_scores_are_the_same_by_every_protocol(one_worker: ServerProcess) -> None:
    rows = [{"row": "a", "x": 1.5}, {"row": "b", "x": -0.1}, {"row": "c", "x": 1e-300}]

    async def ask() -> list[list[float]]:
        client = Client(one_worker.port)
        native = await client.post({"instances": rows}, PREDICT)
        oip = await client.post(tensors(rows), "/v2/models/adder/infer")
        mlflow = await client.post({"instances": rows}, "/invocations", content_type="application/json")
        sheet = await client.post(lines(rows), "/invocations", content_type="text/csv")
        client.close()
        return [
            [one["score"] for one in native[1]["predictions"]],
            oip[1]["outputs"][0]["data"],
            mlflow[1]["predictions"],
            sheet[1]["predictions"],
        ]

    scores = asyncio.run(ask())
    assert scores == [scores[0]] * 4
    assert scores[0] == [row["x"] + 4.0 for row in rows]  # type: ignore[operator]
