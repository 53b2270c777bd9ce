"""The data plane's own description, held against the server that gives it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from tests.serving.client import ServerProcess
from tests.serving.test_malformed import ADDRESSES as ADDRESSES_OF_POSTS
from tests.serving.test_malformed import IDS, Address

POSTS = {
    "/v1/systems/adder/predict",
    "/v2/models/adder/infer",
    "/invocations",
    "/v1/sources/{name}/rows",
    "/v1/feedback",
}
GETS = {
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/ping",
    "/health",
    "/version",
    "/v2",
    "/v2/health/live",
    "/v2/health/ready",
    "/v2/models/adder",
    "/v2/models/adder/ready",
}
ADDRESSES = sorted([("post", one) for one in POSTS] + [("get", one) for one in GETS])

# A GET asks nothing of the client that could be got wrong.
CASES = [(*one, GenerationMode.POSITIVE) for one in ADDRESSES]
CASES += [(*one, GenerationMode.NEGATIVE) for one in ADDRESSES if one[0] == "post"]


@pytest.fixture(scope="module")
def described(data_plane: ServerProcess) -> Any:
    answer = requests.get(f"http://127.0.0.1:{data_plane.port}/openapi.json", timeout=30)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    return answer.json()


def test_every_address_is_described_and_none_beside(described: Any) -> None:
    found = {(method, path) for path, told in described["paths"].items() for method in told}
    assert sorted(found) == ADDRESSES
    assert described["openapi"].startswith("3.1.")


def test_rows_are_described_as_the_release_in_force_declares_them(server: ServerProcess) -> None:
    def row() -> Any:
        answer = requests.get(f"http://127.0.0.1:{server.port}/openapi.json", timeout=30)
        asked = answer.json()["paths"]["/v1/systems/adder/predict"]["post"]["requestBody"]
        return asked["content"]["application/json"]["schema"]["properties"]["instances"]["items"]

    assert row() == {"type": "object"}
    server.ready("one")
    assert row()["properties"] == {
        "row": {"type": "string", "minLength": 1},
        "x": {"type": ["number", "null"]},
    }
    assert row()["required"] == ["row", "x"]


@pytest.mark.parametrize(("method", "path", "mode"), CASES)
def test_schemathesis_finds_nothing_else(
    data_plane: ServerProcess, described: Any, method: str, path: str, mode: GenerationMode
) -> None:
    """No 5xx; statuses, content types and bodies as described; what is not as described is refused."""
    before = data_plane.board.workers()
    schema = schemathesis.openapi.from_dict(described)
    schema.config.update(base_url=f"http://127.0.0.1:{data_plane.port}")
    statuses: Counter[int] = Counter()

    with requests.Session() as session:

        @settings(
            max_examples=40 if method == "post" else 1,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(schema[path][method.upper()].as_strategy(generation_mode=mode))
        def send(case: Case[Any]) -> None:
            answer = case.call(session=session)
            statuses[answer.status_code] += 1
            # A schema does not say all: a shape and its data, a column and its rows must agree.
            case.validate_response(answer, excluded_checks=[positive_data_acceptance])

        send()
    assert data_plane.board.workers() == before
    if method == "get":
        assert set(statuses) == {200}


@pytest.mark.parametrize("address", ADDRESSES_OF_POSTS, ids=IDS)
def test_answers_to_valid_requests_are_as_described(
    data_plane: ServerProcess, described: Any, address: Address
) -> None:
    path = address.path.replace("/clicks/", "/{name}/")
    operation = schemathesis.openapi.from_dict(described)[path]["POST"]
    for body in address.valid:
        answer = requests.post(
            f"http://127.0.0.1:{data_plane.port}{address.path}",
            body.replace(b"null", b"1").replace(b'"b",\n', b'"b",1\n'),
            headers=dict(address.headers),
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        operation.validate_response(answer)
