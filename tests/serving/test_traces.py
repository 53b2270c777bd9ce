"""Traces as a real OTLP receiver gets them, and that nobody pays for them who does not ask."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.cli.calls import call, parts
from tests.serving.client import PREDICT, Client, ServerProcess
from tests.serving.test_canary import half

from trimtab.kernel.audience import Audience
from trimtab.kernel.errors import InvalidValue, ProjectInvalid
from trimtab.wiring.tracing import open_tracer

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}


@dataclass
class Received:
    """What a receiver got."""

    port: int = 0
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)

    def spans(self) -> list[Span]:
        scopes = (
            scope for one in self.requests for resource in one.resource_spans for scope in resource.scope_spans
        )
        return [span for scope in scopes for span in scope.spans]

    def wait(self, count: int) -> list[Span]:
        until_s = time.monotonic() + 10
        while len(self.spans()) < count:
            assert time.monotonic() < until_s, [one.name for one in self.spans()]
            time.sleep(0.02)
        time.sleep(0.3)  # for what should not come
        assert len(self.spans()) == count, [one.name for one in self.spans()]
        return self.spans()


@contextmanager
def receiver() -> Iterator[Received]:
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            data = self.rfile.read(int(self.headers["content-length"]))
            received.requests.append(ExportTraceServiceRequest.FromString(data))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield received
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def traced(folder: Path, port: int, **settings: str) -> Iterator[ServerProcess]:
    endpoint = f"http://127.0.0.1:{port}"
    env = {**PLAIN, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "50", **settings}
    server = ServerProcess(folder, workers=1, env=env)
    try:
        yield server
    finally:
        server.stop()


def asked(server: ServerProcess, *contents: Any, traceparent: str = "", expect: int = 200) -> None:
    async def ask() -> None:
        client = Client(server.port)
        headers = {"traceparent": traceparent} if traceparent else {}
        for content in contents:
            status, answer = await client.post(content, **headers)
            assert status == expect, answer
        client.close()

    asyncio.run(ask())


def told(span: Span) -> dict[str, Any]:
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in span.attributes}


ROWS = {"instances": [{"row": "a", "x": 1}, {"row": "b", "x": 2}, {"row": "c", "x": 3}]}


def test_a_request_is_a_span_of_its_clients_trace_with_its_parts_within(tmp_path: Path) -> None:
    with receiver() as received, traced(tmp_path, received.port, OTEL_SERVICE_NAME="shop") as server:
        server.ready("one", canary=half("two"))
        before_ns = time.time_ns()
        asked(server, ROWS, traceparent=f"00-{TRACE}-{PARENT}-01")
        spans = received.wait(6)
        after_ns = time.time_ns()
        [resource] = {
            one.value.string_value
            for one in received.requests[0].resource_spans[0].resource.attributes
            if one.key == "service.name"
        }
        assert resource == "shop"
        request = next(one for one in spans if one.kind == Span.SPAN_KIND_SERVER)
        assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, PARENT)
        assert request.name == f"POST {PREDICT}"
        about = told(request)
        assert set(about.pop("trimtab.release").split(",")) <= {"one", "two"}
        assert about == {
            "http.request.method": "POST",
            "url.path": PREDICT,
            "trimtab.system": "adder",
            "trimtab.rows": 3,
            "trimtab.generation": 1,
            "http.response.status_code": 200,
        }
        within = sorted((one for one in spans if one is not request), key=lambda one: one.start_time_unix_nano)
        # Two releases with features of their own: two look-ups.
        assert sorted(one.name for one in within) == ["features", "features", "log", "model", "model"]
        assert {told(one)["trimtab.release"] for one in within if one.name == "model"} == {"one", "two"}
        assert all(told(one)["trimtab.rows"] == 3 for one in within if one.name != "log")
        log = next(one for one in within if one.name == "log")
        for one in within:
            assert (one.trace_id, one.parent_span_id) == (request.trace_id, request.span_id)
            assert before_ns < request.start_time_unix_nano <= one.start_time_unix_nano
            assert one.start_time_unix_nano <= one.end_time_unix_nano <= request.end_time_unix_nano < after_ns
            assert one is log or one.end_time_unix_nano <= log.start_time_unix_nano


def test_a_canary_of_a_segment_is_traced_by_its_own_rows(tmp_path: Path) -> None:
    """Left and right look up alike: each scores the rows that it answers, of what is looked up once for all."""
    rows = [{"row": name, "x": 1, "tier": tier} for name, tier in zip("abc", (1, 2, 1), strict=True)]
    with receiver() as received, traced(tmp_path, received.port) as server:
        server.ready("left", canary=replace(half("right"), audience=Audience("tier", (1,))))
        asked(server, {"instances": rows})
        spans = [(one.name, told(one)) for one in received.wait(5)]
    found = [(name, about["trimtab.release"], about["trimtab.rows"]) for name, about in spans if name in _PARTS]
    assert sorted(found) == [("features", "left", 3), ("model", "left", 1), ("model", "right", 2)]


_PARTS = ("features", "model")


def test_both_ways_refusals_and_failures(tmp_path: Path) -> None:
    body = msgspec.json.encode(ROWS)
    with receiver() as received, traced(tmp_path, received.port) as server:
        server.ready("fragile")

        async def long_way() -> None:
            client = Client(server.port)
            head = (
                f"POST {PREDICT} HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            with pytest.raises(KeyError):  # the answer "100 Continue" has no length
                await client.send(head.encode())
            assert (await client.send(body))[0] == 200
            await client.get("/metrics")
            client.close()

        asyncio.run(long_way())
        spans = received.wait(4)
        asked(server, {"instances": []}, expect=400)
        asked(server, {"instances": [{"row": "a", "x": 13}]}, expect=500)
        later = received.wait(7)[4:]
        assert {told(one)["service.name"] for one in [received.requests[0].resource_spans[0].resource]} == {
            "trimtab"
        }
        assert sorted(one.name for one in spans) == sorted(["features", "model", "log", f"POST {PREDICT}"])
        requests = {
            told(one)["http.response.status_code"]: one for one in later if one.kind == Span.SPAN_KIND_SERVER
        }
        assert set(requests) == {400, 500}
        assert requests[500].status.code == requests[500].status.STATUS_CODE_ERROR
        assert requests[400].status.code == requests[400].status.STATUS_CODE_UNSET
        assert [one.name for one in later if one.kind != Span.SPAN_KIND_SERVER] == ["features"]  # the model failed


@pytest.mark.parametrize(
    ("settings", "traceparent", "requests"),
    [
        ({"OTEL_TRACES_SAMPLER": "always_off"}, f"00-{TRACE}-{PARENT}-01", 0),
        ({}, f"00-{TRACE}-{PARENT}-00", 0),  # the client's trace is not sampled, and neither is our part of it
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, f"00-{TRACE}-{PARENT}-01", 5),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}, "", 0),
        ({}, "00-zz-zz-01", 5),  # no trace: one of our own
    ],
)
def test_what_is_sampled_is_the_standards_own_setting(
    settings: dict[str, str], traceparent: str, requests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{received.port}")
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        tracer = open_tracer(os.environ)
        assert tracer is not None
        for _ in range(5):
            span = tracer.request("POST /", [(b"traceparent", traceparent.encode())], {})
            assert (span is not None) == bool(requests)
            if span is not None:
                span.child("model", time.time_ns(), time.time_ns(), {})
                span.end({}, failed=False)
        tracer.close()
        assert len(received.spans()) == 2 * requests
        assert all((one.trace_id.hex() == TRACE) == ("zz" not in traceparent) for one in received.spans())


def test_a_receiver_that_is_gone_costs_no_answer_and_holds_up_no_end(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with traced(tmp_path, nobody.getsockname()[1]) as server:
            server.ready("one")
            asked(server, *[ROWS] * 50)
            began_s = time.monotonic()
    assert time.monotonic() - began_s < 8
    assert len(list(server.wal.glob("*.sealed"))) == 1


def test_without_a_setting_nothing_is_even_imported() -> None:
    assert open_tracer({}) is None
    assert open_tracer({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}) is None
    assert open_tracer({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"}) is None
    code = "import sys, trimtab.cli.worker as w; w.open_tracer({}); assert 'opentelemetry' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_what_is_not_offered_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}
    for wrong in ({"OTEL_TRACES_EXPORTER": "jaeger"}, {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}):
        with pytest.raises(InvalidValue) as invalid:
            open_tracer({**asked_for, **wrong})
        assert "unset" in invalid.value.allowed and invalid.value.where == "the environment"
    monkeypatch.delitem(sys.modules, "trimtab.adapters.traces_otel", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ProjectInvalid) as missing:
        open_tracer(asked_for)
    assert missing.value.do == "pip install 'trimtab[otel]'"


def test_up_tells_it_before_a_worker_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(tmp_path, "init", "shop")[0] == 0
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    status, _, error = call(tmp_path / "shop", "up", "--port", "0")
    assert status == 1 and "http/protobuf" in parts(error)["allowed"], error
