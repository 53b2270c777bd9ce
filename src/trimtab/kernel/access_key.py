"""A key to the data plane: what is known of it once its secret has been shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from trimtab.kernel.canonical import Json, JsonMap

Scope: TypeAlias = Literal["predict", "feedback", "append", "metrics", "control"]
SCOPES: tuple[Scope, ...] = get_args(Scope)


@dataclass(frozen=True)
class AccessKey:
    """A secret's digest, and what its bearer may do. The secret itself is stored nowhere."""

    name: str
    digest: str  # SHA-256 of the secret, in hexadecimal: a random secret of 256 bits needs no slow hash
    scopes: tuple[Scope, ...]
    created_us: int
    expires_us: int | None  # None: never

    def body(self) -> dict[str, Json]:
        """As stored, and as published to workers."""
        return {**self.__dict__, "scopes": list(self.scopes)}


def access_key_from(body: JsonMap) -> AccessKey:
    """Read back what `AccessKey.body` wrote."""
    scopes, created_us, expires_us = body["scopes"], body["created_us"], body["expires_us"]
    assert isinstance(scopes, list) and isinstance(created_us, int)
    assert expires_us is None or isinstance(expires_us, int)
    known = tuple(one for one in SCOPES if one in scopes)
    assert len(known) == len(scopes), scopes
    return AccessKey(str(body["name"]), str(body["digest"]), known, created_us, expires_us)
