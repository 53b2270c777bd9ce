"""Traces by OpenTelemetry, sent over OTLP/HTTP. All settings are the standard's own OTEL_* environment variables.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from trimtab.ports.tracer import Attributes

_FLUSH_S, _END_S = 2.0, 1.0


class OtelTracer:
    """Implements Tracer. It has a provider of its own: what a model's library traces is none of ours.

    Args:
        named: whether OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES name the service; it is "trimtab" if not.
    """

    def __init__(self, *, named: bool) -> None:
        resource = Resource.create({} if named else {SERVICE_NAME: "trimtab"})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._exporter = OTLPSpanExporter()
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("trimtab.serving")

    def request(self, name: str, headers: Sequence[tuple[bytes, bytes]], attributes: Attributes) -> OtelSpan | None:
        """A server's span, in the trace that `traceparent` names; None if it is not sampled."""
        carrier = {key.decode("latin-1"): value.decode("latin-1") for key, value in headers}
        span = self._tracer.start_span(name, extract(carrier), SpanKind.SERVER, dict(attributes))
        return OtelSpan(self._tracer, span) if span.is_recording() else None

    def close(self) -> None:
        """Send what is gathered; a receiver that does not answer holds up no end of a worker."""
        _within(_FLUSH_S, self._provider.force_flush)
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # it stops trying again
        _within(_END_S, self._provider.shutdown)


def _within(limit_s: float, call: Callable[[], object]) -> None:
    """Whatever time-outs the library's own parts have."""
    thread = threading.Thread(target=call, name="traces", daemon=True)
    thread.start()
    thread.join(limit_s)


class OtelSpan:
    """Implements Span."""

    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer = tracer
        self._span = span
        self._within = set_span_in_context(span)

    def child(self, name: str, started_ns: int, ended_ns: int, attributes: Attributes) -> None:
        """A span between two instants."""
        child = self._tracer.start_span(name, self._within, attributes=dict(attributes), start_time=started_ns)
        child.end(ended_ns)

    def end(self, attributes: Attributes, *, failed: bool) -> None:
        """Its attributes are those of the answer; a failure is ours, not the client's."""
        self._span.set_attributes(dict(attributes))
        if failed:
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()
