"""JSON objects as text in a database: the exact text that is hashed."""

from __future__ import annotations

import json

from trimtab.kernel.canonical import Json, JsonMap, canonical


def to_text(body: JsonMap) -> str:
    """The canonical text of a JSON object.

    Raises:
        TypeError, ValueError: something in it is not JSON.
    """
    # Twice, because JSON turns keys that are not text into text, which may sort differently.
    return canonical(json.loads(canonical(dict(body)))).decode()


def from_text(text: object) -> dict[str, Json]:
    """Read back what `to_text` wrote, and nothing else.

    Raises:
        ValueError: not the canonical text of a JSON object, so not what was stored.
    """
    if not isinstance(text, str):
        raise ValueError(f"not text but {type(text).__name__}")
    body = json.loads(text)
    if not isinstance(body, dict) or canonical(body).decode() != text:
        raise ValueError("not the canonical text of a JSON object")
    return body
