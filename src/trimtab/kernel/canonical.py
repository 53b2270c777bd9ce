"""Canonical bytes and their SHA-256: the identity of everything that is content-addressed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TypeAlias

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"
JsonMap: TypeAlias = Mapping[str, Json]


def canonical(value: object) -> bytes:
    """JSON with sorted keys, no spaces, no NaN, UTF-8: equal values give equal bytes.

    Numbers keep Python's shortest round-trip form. Anything that is not JSON raises TypeError.

    >>> canonical({"b": 1, "a": [True, None, 0.5]})
    b'{"a":[true,null,0.5],"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256(data: bytes) -> str:
    """SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def digest(value: object) -> str:
    """SHA-256 of a JSON value's canonical bytes.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    return sha256(canonical(value))


def short(digest: str) -> str:
    """The twelve characters that people read and type."""
    return digest[:12]
