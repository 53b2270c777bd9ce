"""The Open Inference Protocol, spoken by Triton's own client, and by hand where no client would dare."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
import tritonclient.http as triton
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serving.client import Client, ServerProcess
from tests.serving.releases import SYSTEM, Adder
from tritonclient.utils import InferenceServerException

from trimtab.kernel.errors import RequestInvalid
from trimtab.kernel.prediction_id import parse_prediction_id
from trimtab.serving.answer import Answer, Answered
from trimtab.serving.problem import Problem
from trimtab.serving.protocols.open_inference import OpenInference
from trimtab.serving.segment import LIVE, read_segment
from trimtab.serving.segment_folder import SegmentFolder
from trimtab.serving.tensor import DATATYPES, from_bytes, from_json, to_bytes

MODEL = f"/v2/models/{SYSTEM}"
INFER = f"{MODEL}/infer"
OUTPUTS = {"score", "id", "key", "release", "details"}
NUMBERS = ["INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "FP16", "FP32", "FP64"]
DTYPES = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]
DTYPES += [np.float16, np.float32, np.float64]  # type: ignore[list-item]


@pytest.fixture
def client(one_worker: ServerProcess) -> Iterator[triton.InferenceServerClient]:
    client = triton.InferenceServerClient(f"127.0.0.1:{one_worker.port}")
    yield client
    client.close()


def tensor(name: str, datatype: str, values: Any, *, binary: bool) -> triton.InferInput:
    array = np.asarray(values, dtype=object if datatype == "BYTES" else None)
    made = triton.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array, binary_data=binary)
    return made


def column(name: str, datatype: str, data: Any, shape: Any = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "shape": shape or [len(data)], "datatype": datatype, "data": data, **more}


def by_hand(server: ServerProcess, content: Any, path: str = INFER, **headers: str) -> tuple[int, Any]:
    async def ask() -> tuple[int, Any]:
        client = Client(server.port)
        try:
            return await client.post(content, path, **headers)
        finally:
            client.close()

    return asyncio.run(ask())


def ask(server: ServerProcess, *inputs: dict[str, Any], **more: Any) -> tuple[int, Any]:
    return by_hand(server, {"inputs": list(inputs), **more})


ROW, X = column("row", "BYTES", ["a"]), column("x", "FP64", [1.0])


def test_triton_sees_a_server_and_a_model(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(SYSTEM)
    assert not client.is_model_ready("subtractor")
    assert not client.is_model_ready(SYSTEM, "1")  # there are no versions
    server = client.get_server_metadata()
    assert (server["name"], server["extensions"]) == ("trimtab", ["binary_tensor_data"])
    model = client.get_model_metadata(SYSTEM)
    assert (model["name"], model["platform"], "versions" in model) == (SYSTEM, "trimtab", False)
    assert model["inputs"] == [
        {"name": "row", "datatype": "BYTES", "shape": [-1]},
        {"name": "x", "datatype": "FP64", "shape": [-1]},
    ]
    assert {one["name"] for one in model["outputs"]} == OUTPUTS
    with pytest.raises(InferenceServerException, match="nothing is here") as refused:
        client.get_model_metadata("subtractor")
    assert refused.value.status() == "404"


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("asked", [None, True, False])
def test_triton_infers_as_bytes_and_as_json(
    client: triton.InferenceServerClient, one_worker: ServerProcess, binary: bool, asked: bool | None
) -> None:
    inputs = [
        tensor("x", "FP64", np.array([[1.5], [-2.0]]), binary=binary),
        tensor("row", "BYTES", ["é", "b"], binary=binary),
    ]
    names = ["id", "score", "key", "release", "details"]
    outputs = None if asked is None else [triton.InferRequestedOutput(one, binary_data=asked) for one in names]
    result = client.infer(SYSTEM, inputs, outputs=outputs, request_id="42")
    told = result.get_response()
    assert (told["id"], told["model_name"], told["parameters"]) == ("42", SYSTEM, {"generation": 1})
    assert [one["name"] for one in told["outputs"]] == (names if asked is not None else [*OUTPUTS_IN_ORDER])
    assert all(("data" in one) == (asked is False) for one in told["outputs"])
    assert result.as_numpy("score").tolist() == [5.5, 2.0]

    def texts(name: str) -> list[str]:
        return [one.decode() if isinstance(one, bytes) else one for one in result.as_numpy(name)]

    assert (texts("key"), texts("release")) == (["é", "b"], ["fragile"] * 2)
    assert [msgspec.json.decode(one) for one in texts("details")] == [{"missing": ["never_seen"]}] * 2
    paths = SegmentFolder(one_worker.wal).files(LIVE)
    records = {one.id: one for path in paths if (found := read_segment(path)) for one in found.predictions()}
    recorded = [records[one] for one in texts("id")]
    assert [(one.key, one.score, one.request) for one in recorded] == [
        ("é", 5.5, {"x": 1.5, "row": "é"}),
        ("b", 2.0, {"x": -2.0, "row": "b"}),
    ]
    assert all(str(parse_prediction_id(one)) == one for one in texts("id"))


OUTPUTS_IN_ORDER = ("score", "id", "key", "release", "details")


@pytest.mark.parametrize(("datatype", "dtype"), [*zip(NUMBERS, DTYPES, strict=True)])
@pytest.mark.parametrize("binary", [True, False])
def test_every_number_is_read_as_numpy_writes_it(
    client: triton.InferenceServerClient, datatype: str, dtype: Any, binary: bool
) -> None:
    values = np.array([3, 100, 7], dtype=dtype)
    inputs = [tensor("row", "BYTES", ["a", "b", "c"], binary=True), tensor("x", datatype, values, binary=binary)]
    assert client.infer(SYSTEM, inputs).as_numpy("score").tolist() == [7.0, 104.0, 11.0]


def test_whole_numbers_are_keys_and_truth_is_no_number(client: triton.InferenceServerClient) -> None:
    whole = tensor("row", "INT64", np.array([2**40]), binary=True)
    assert (
        client.infer(SYSTEM, [whole, tensor("x", "FP64", [1.0], binary=True)]).as_numpy("key")[0] == b"%d" % 2**40
    )
    truth = tensor("x", "BOOL", np.array([True]), binary=True)
    with pytest.raises(InferenceServerException, match="got: True"):
        client.infer(SYSTEM, [whole, truth])


def test_only_the_outputs_that_were_asked_for_come_back(client: triton.InferenceServerClient) -> None:
    inputs = [tensor("row", "BYTES", ["a"], binary=True), tensor("x", "FP64", [1.0], binary=True)]
    outputs = [triton.InferRequestedOutput("id", binary_data=False), triton.InferRequestedOutput("score")]
    told = client.infer(SYSTEM, inputs, outputs=outputs).get_response()
    assert [one["name"] for one in told["outputs"]] == ["id", "score"]
    assert ("data" in told["outputs"][0], "data" in told["outputs"][1]) == (True, False)
    assert "id" not in told


@pytest.mark.parametrize("binary", [True, False])
def test_nan_is_null_and_nothing_else_is(client: triton.InferenceServerClient, binary: bool) -> None:
    row = tensor("row", "BYTES", ["a"], binary=True)
    for value, got in ((np.nan, "got: None"), (np.inf, "inf")):
        with pytest.raises(InferenceServerException, match=got):
            client.infer(SYSTEM, [row, tensor("x", "FP64", [value], binary=binary)])


def test_triton_is_told_what_is_wrong(client: triton.InferenceServerClient) -> None:
    row, x = tensor("row", "BYTES", ["a"], binary=True), tensor("x", "FP64", [1.0], binary=True)
    for inputs, told in (
        ([row], "missing x"),
        ([row, x, x], "each once"),
        ([row, x, tensor("y", "FP64", [1.0], binary=True)], "unknown y"),
    ):
        with pytest.raises(InferenceServerException, match=told) as refused:
            client.infer(SYSTEM, inputs)
        assert refused.value.status() == "400"
    with pytest.raises(InferenceServerException, match="score"):
        client.infer(SYSTEM, [row, x], outputs=[triton.InferRequestedOutput("probability")])
    with pytest.raises(InferenceServerException, match="classification"):
        client.infer(SYSTEM, [row, x], outputs=[triton.InferRequestedOutput("score", class_count=2)])
    with pytest.raises(InferenceServerException, match="sequence_id"):
        client.infer(SYSTEM, [row, x], sequence_id=7)
    with pytest.raises(InferenceServerException, match="coded"):
        client.infer(SYSTEM, [row, x], request_compression_algorithm="gzip")


@pytest.mark.parametrize(
    ("inputs", "more", "told"),
    [
        ([], {}, "missing row, x"),
        ([ROW, column("x", "FP64", [])], {}, "different numbers of rows"),
        ([column("row", "BYTES", []), column("x", "FP64", [])], {}, "0 rows"),
        ([column("row", "BYTES", ["a"] * 101), column("x", "FP64", [1] * 101)], {}, "101 rows"),
        ([ROW, column("x", "FP65", [1])], {}, "input 'x'; allowed: BOOL, BYTES, FP16"),
        ([ROW, column("x", "BF16", [1])], {}, "the datatype is unknown"),
        ([ROW, column("x", "FP64", [1], [1, 2])], {}, "not one value a row"),
        ([ROW, column("x", "FP64", [1], [-1])], {}, "not one value a row"),
        ([ROW, column("x", "FP64", [[1]], [1, 1, 1])], {}, "not one value a row"),
        ([ROW, column("x", "FP64", [1, 2], [1])], {}, "got: 2 values"),
        ([ROW, column("x", "FP64", [[1]], [1])], {}, "got: [1]"),
        ([ROW, column("x", "FP64", ["1"])], {}, "got: '1'"),
        ([ROW, column("x", "FP64", [True])], {}, "got: True"),
        ([ROW, column("x", "FP32", [1e39])], {}, "out of the datatype's range"),
        ([ROW, column("x", "INT8", [128])], {}, "-128 <= number <= 127"),
        ([ROW, column("x", "UINT64", [-1])], {}, "out of the datatype's range"),
        ([ROW, column("x", "INT64", [1.0])], {}, "got: 1.0"),
        ([ROW, column("x", "BOOL", [1])], {}, "got: 1"),
        ([column("row", "BYTES", [7]), X], {}, "got: 7"),
        ([column("row", "BYTES", [None]), X], {}, "input 'row', row 0"),
        ([ROW, {"name": "x", "shape": [1], "datatype": "FP64"}], {}, "no values"),
        ([ROW, {**X, "parameters": {"binary_data_size": 8}}], {}, "two kinds"),
        ([ROW, {**X, "parameters": {"shared_memory_region": "r"}}], {}, "shared_memory_region"),
        ([ROW, {**X, "parameters": {"content_type": "base64"}}], {}, "content_type: 'base64'"),
        ([ROW, X], {"outputs": [{"name": "score"}, {"name": "score"}]}, "named twice"),
        ([ROW, X], {"outputs": [{"name": "score", "parameters": {"binary_data": 1}}]}, "neither true nor false"),
        ([ROW, X], {"parameters": {"priority": 1}}, "priority"),
        ([ROW, X], {"parameters": []}, "$.parameters"),
        ([ROW, X], {"model_name": "subtractor"}, "allowed: adder"),
        ([ROW, X], {"id": 7}, "$.id"),
        ([ROW, X], {"verbose": True}, "unknown field `verbose`"),
        ([ROW, column("as_of", "INT64", [5]), X], {}, "input 'as_of', row 0"),
    ],
)
def test_a_wrong_request_is_named_as_the_standard_says(
    one_worker: ServerProcess, inputs: list[Any], more: dict[str, Any], told: str
) -> None:
    status, answer = ask(one_worker, *inputs, **more)
    assert (status, set(answer)) == (400, {"error"})
    assert told in answer["error"]


def test_hints_of_mlserver_that_change_nothing_pass(one_worker: ServerProcess) -> None:
    more = {"parameters": {"content_type": "pd"}, "model_name": SYSTEM}
    status, answer = ask(one_worker, {**ROW, "parameters": {"content_type": "str"}}, X, **more)
    assert (status, answer["outputs"][0]["data"]) == (200, [5.0])


def bytes_behind(*inputs: dict[str, Any], tail: bytes, length: object = None) -> tuple[bytes, dict[str, str]]:
    head = msgspec.json.encode({"inputs": list(inputs)})
    return head + tail, {"inference_header_content_length": str(len(head) if length is None else length)}


def raw(name: str, datatype: str, size: object, rows: int = 1) -> dict[str, Any]:
    return {"name": name, "shape": [rows], "datatype": datatype, "parameters": {"binary_data_size": size}}


@pytest.mark.parametrize(
    ("x", "tail", "length", "told"),
    [
        (raw("x", "FP64", 8), struct.pack("<d", 2.0), 0, "1 to"),
        (raw("x", "FP64", 8), struct.pack("<d", 2.0), -1, "1 to"),
        (raw("x", "FP64", 8), struct.pack("<d", 2.0), "8" * 5000, "1 to"),
        (raw("x", "FP64", 8), struct.pack("<d", 2.0), "x", "1 to"),
        (raw("x", "FP64", 8), struct.pack("<d", 2.0), 10, "not an inference request"),
        (raw("x", "FP64", 8), b"", None, "0 to 0"),
        (raw("x", "FP64", -8), b"", None, "0 to 0"),
        (raw("x", "FP64", "8"), bytes(8), None, "0 to 8"),
        (raw("x", "FP64", True), bytes(8), None, "0 to 8"),
        (raw("x", "FP64", 7), bytes(7), None, "allowed: 8 bytes"),
        (raw("x", "FP64", 8, 2**40), bytes(8), None, "different numbers of rows"),
        (raw("x", "FP64", 8), bytes(9), None, "of no input"),
        (raw("x", "BOOL", 1), b"\2", None, "bytes 0 and 1"),
        (raw("x", "BYTES", 3), bytes(3), None, "do not agree"),
        (raw("x", "BYTES", 5), b"\2\0\0\0a", None, "cut off"),
        (raw("x", "BYTES", 6), b"\1\0\0\0ab", None, "do not agree"),
        (raw("x", "BYTES", 5), b"\1\0\0\0\xff", None, "not UTF-8"),
    ],
)
def test_wrong_bytes_behind_the_json_are_named(
    one_worker: ServerProcess, x: dict[str, Any], tail: bytes, length: object, told: str
) -> None:
    body, headers = bytes_behind(ROW, x, tail=tail, length=length)
    status, answer = by_hand(one_worker, body, **headers)
    assert (status, set(answer)) == (400, {"error"})
    assert told in answer["error"]


def test_refusals_of_the_server_itself_are_in_the_standards_words(one_worker: ServerProcess) -> None:
    for content, path, status in (
        (b" " * 200_000, INFER, 413),
        (b"{}", "/v2/models/subtractor/infer", 404),
        (b"{}", f"{MODEL}/versions/1/infer", 404),
        (b"{}", MODEL, 405),
    ):
        got, answer = by_hand(one_worker, content, path)
        assert (got, set(answer), type(answer["error"])) == (status, {"error"}, str)


def test_before_the_first_release_the_server_lives_and_is_not_ready(server: ServerProcess) -> None:
    client = triton.InferenceServerClient(f"127.0.0.1:{server.port}")
    try:
        assert client.is_server_live()
        assert not client.is_server_ready()
        assert not client.is_model_ready(SYSTEM)
        with pytest.raises(InferenceServerException, match="no release"):
            client.get_model_metadata(SYSTEM)
    finally:
        client.close()


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_json_and_bytes_say_the_same(data: st.DataObject) -> None:
    datatype = data.draw(st.sampled_from(DATATYPES))
    bits = int(datatype.lstrip("UINTFP") or 0) if datatype[-1].isdigit() else 0
    values: list[Any] = data.draw(
        st.lists(
            st.booleans()
            if datatype == "BOOL"
            else st.text(max_size=5)
            if datatype == "BYTES"
            else st.floats(width=bits, allow_nan=False, allow_infinity=False)  # type: ignore[arg-type]
            if datatype.startswith("FP")
            else st.integers(0, 2**bits - 1)
            if datatype.startswith("U")
            else st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1),
            max_size=5,
        )
    )
    assert from_bytes("x", datatype, len(values), to_bytes(datatype, values)) == values
    assert from_json("x", datatype, [len(values)], values) == values
    assert from_json("x", datatype, [len(values), 1], [[one] for one in values]) == values
    holes = [one for value in values for one in (None, value)]
    assert from_json("x", datatype, [len(holes)], holes) == holes


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(DATATYPES), st.integers(0, 4), st.binary(max_size=40))
def test_any_bytes_are_values_or_refused(datatype: str, rows: int, raw: bytes) -> None:
    try:
        values = from_bytes("x", datatype, rows, raw)
    except RequestInvalid:
        return
    assert len(values) == rows
    again = to_bytes(datatype, [float("nan") if one is None else one for one in values])
    assert again == raw or None in values  # NaN has many forms


def test_a_score_that_is_no_number_leaves_as_one_can_read_it() -> None:
    wire = OpenInference(SYSTEM)
    answer = Answer(SYSTEM, 3, [Answered("i", "k", "r", float("nan"), [], {"v": 7}, ["w.x"])])
    body = msgspec.json.encode({"inputs": [ROW, X]})
    told = msgspec.json.decode(wire.encode(answer, wire.decode(body, [], max_rows=5, fields=Adder.request)))
    data = {one["name"]: one["data"] for one in told["outputs"]}
    assert data.pop("details") == ['{"missing":[],"stale":{"v":7},"null":["w.x"]}']
    assert data == {"score": [None], "id": ["i"], "key": ["k"], "release": ["r"]}


def test_problems_without_a_row_keep_their_place() -> None:
    told = OpenInference(SYSTEM).refuse(Problem(503, "w", "/v2", "a", "g", "d"))
    assert msgspec.json.decode(told) == {"error": "w; where: /v2; allowed: a; got: g; do: d"}
