"""Traces, if the environment asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trimtab.kernel.errors import InvalidValue, ProjectInvalid, listed
from trimtab.ports.tracer import Tracer
from trimtab.wiring.late import adapter

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")


def open_tracer(environment: Mapping[str, str]) -> Tracer | None:
    """What workers trace by; None unless the OTEL_* variables name where spans are sent.

    Raises:
        InvalidValue, ProjectInvalid: as `check_tracing`.
    """
    adapter = check_tracing(environment)
    if adapter is None:
        return None
    attributes = environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    named = bool(environment.get("OTEL_SERVICE_NAME")) or "service.name=" in attributes
    tracer: Tracer = adapter.OtelTracer(named=named)
    return tracer


def check_tracing(environment: Mapping[str, str]) -> Any:
    """The adapter that the OTEL_* variables ask for; None if they ask for none.

    Raises:
        InvalidValue: they ask for what is not offered here.
        ProjectInvalid: a package is missing.
    """
    named = any(environment.get(name) for name in _ENDPOINTS)
    exporter = environment.get("OTEL_TRACES_EXPORTER", "otlp")
    if not named or exporter == "none" or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    for name, allowed in (("OTEL_TRACES_EXPORTER", "otlp"), *((one, "http/protobuf") for one in _PROTOCOLS)):
        if (value := environment.get(name)) not in (None, "", allowed):
            raise InvalidValue(name, value, allowed=f"{allowed}, or unset", where="the environment")
    try:
        return adapter("traces_otel")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        raise ProjectInvalid(
            "traces need a package that is not installed",
            where=listed(name for name in _ENDPOINTS if environment.get(name)),
            allowed="unset, or with the extra 'otel'",
            got=f"an endpoint, without the package '{error.name}'",
            do="pip install 'trimtab[otel]'",
        ) from error
