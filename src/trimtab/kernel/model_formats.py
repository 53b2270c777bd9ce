"""Model formats that run code when they are loaded: a system must allow them by name."""

from __future__ import annotations

RUN_CODE = ("mlflow-pyfunc", "pickle")
