"""Values that pass between steps, as small plain data; large ones are blobs named by digest. Never pickle.

A value is JSON as it stands, or a map with the key `$` that names its kind:
`tuple`, `dict` (one that has a key `$` itself), `float` (not finite), `scalar` (numpy), `datetime`, `date`,
`timedelta`, and by digest `bytes`, `frame` (Arrow IPC), `array` (npy) and `artefact`.
A new kind is one line in `_KINDS` and one case in `_tagged`; a stored kind never changes its meaning.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from trimtab.kernel.artefact import Artefact
from trimtab.kernel.canonical import Json, JsonMap, digest, sha256
from trimtab.kernel.errors import Corrupt, InvalidValue, listed
from trimtab.kernel.moment import duration_us, from_us, to_us
from trimtab.ports.blobs import Blobs
from trimtab.runtime.frame_memory import FrameMemory

ALLOWED = (
    "None, bool, int, float, str, bytes, aware datetime, date, timedelta, polars.DataFrame, numpy arrays and "
    "scalars without objects, Artefact; and lists, tuples and dicts (with text keys) of them"
)
_Put: TypeAlias = Callable[[bytes], str]


class Values:
    """Encodes and decodes; frames that are still alive are neither hashed nor read again."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._frames = FrameMemory()

    def encode(self, value: object, where: str) -> Json:
        """A value as plain data, its blobs stored.

        Args:
            where: what the value is, for the error: "the result of step 'fit'".

        Raises:
            InvalidValue: a type outside `ALLOWED`.
        """
        return self._encode(value, where, self._blobs.put)

    def digest(self, value: object, where: str) -> str:
        """The identity of a value: digest of what `encode` gives, with nothing stored.

        Raises:
            InvalidValue: a type outside `ALLOWED`.
        """
        return digest(self._encode(value, where, sha256))

    def decode(self, stored: Json) -> Any:
        """The value that was encoded.

        Raises:
            NotFound, Corrupt: a blob is missing or is not what was stored.
        """
        if isinstance(stored, list):
            return [self.decode(item) for item in stored]
        if not isinstance(stored, dict):
            return stored
        if "$" not in stored:
            return {key: self.decode(item) for key, item in stored.items()}
        kind = stored["$"]
        read = _KINDS.get(str(kind))
        if read is None:
            raise Corrupt(
                "a step's stored value",
                where="step results",
                allowed=f"the kinds {listed(_KINDS)}",
                got=repr(kind),
                do="it was written by a newer version: upgrade trimtab",
            )
        return read(self, stored)

    def artefact(self, name: str, data: bytes) -> Artefact:
        """Store bytes; a handle to them."""
        return self._artefact(name, self._blobs.put(data), len(data))

    def _artefact(self, name: str, digest: str, size_bytes: int) -> Artefact:
        return Artefact(name, digest, size_bytes, partial(self._blobs.get, digest))

    def _encode(self, value: object, where: str, put: _Put) -> Json:
        if value is None or type(value) in (bool, int, str):
            return value  # type: ignore[return-value]
        if type(value) is float:
            return value if math.isfinite(value) else {"$": "float", "text": repr(value)}
        if type(value) is list:
            return [self._encode(item, f"{where}[{at}]", put) for at, item in enumerate(value)]
        if type(value) is tuple:
            return {"$": "tuple", "items": [self._encode(v, f"{where}[{at}]", put) for at, v in enumerate(value)]}
        if type(value) is dict:
            return self._encode_dict(value, where, put)
        tagged = self._tagged(value, where, put)
        if tagged is None:
            raise _not_allowed(value, where)
        return tagged

    def _encode_dict(self, value: dict[Any, Any], where: str, put: _Put) -> Json:
        if not all(type(key) is str for key in value):
            raise InvalidValue(where, sorted({type(key).__name__ for key in value}), allowed="dicts with text keys")
        items = {key: self._encode(item, f"{where}[{key!r}]", put) for key, item in value.items()}
        return {"$": "dict", "items": items} if "$" in items else items

    def _tagged(self, value: object, where: str, put: _Put) -> Json:
        match value:
            case bytes():
                return {"$": "bytes", "digest": put(value)}
            case pl.DataFrame():
                return {"$": "frame", "digest": self._put_frame(value, where, put)}
            case np.ndarray() if type(value) is np.ndarray and not value.dtype.hasobject:
                return {"$": "array", "digest": put(_npy(value))}
            case np.generic() if not value.dtype.hasobject and value.dtype.names is None:
                return {"$": "scalar", "dtype": _dtype_text(value.dtype), "hex": value.tobytes().hex()}
            case Artefact():
                return {"$": "artefact", "name": value.name, "digest": value.digest, "size_bytes": value.size_bytes}
            case datetime() if value.tzinfo is not None:
                return {"$": "datetime", "us": to_us(value)}
            case date() if type(value) is date:
                return {"$": "date", "text": value.isoformat()}
            case timedelta():
                return {"$": "timedelta", "us": duration_us(value)}
        return None

    def _put_frame(self, frame: pl.DataFrame, where: str, put: _Put) -> str:
        known = self._frames.digest_of(frame)
        # A known frame is one that was stored or read before: its blob exists.
        if known is not None:
            return known
        if any(dtype.base_type() is pl.Object for dtype in frame.dtypes):
            raise _not_allowed(frame, where)
        written = put(frame.rechunk().write_ipc(None, compression="lz4").getvalue())
        if put is not sha256:
            self._frames.remember(frame, written)
        return written

    def _read_frame(self, stored: JsonMap) -> pl.DataFrame:
        name = str(stored["digest"])
        alive = self._frames.frame_of(name)
        if alive is not None:
            return alive
        frame = pl.read_ipc(io.BytesIO(self._blobs.get(name)))
        self._frames.remember(frame, name)
        return frame


def _not_allowed(value: object, where: str) -> InvalidValue:
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    return InvalidValue(
        where,
        kind,
        allowed=ALLOWED,
        do="collect lazy frames, store anything else as bytes (attach), or return its parts as plain data",
    )


def _npy(array: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array, order="C"), allow_pickle=False)
    return file.getvalue()


def _dtype_text(dtype: np.dtype[Any]) -> str:
    return dtype.str


def _read_scalar(_: Values, stored: JsonMap) -> Any:
    return np.frombuffer(bytes.fromhex(str(stored["hex"])), dtype=np.dtype(str(stored["dtype"])))[0]


_KINDS: dict[str, Callable[[Values, Any], Any]] = {
    "tuple": lambda values, stored: tuple(values.decode(stored["items"])),
    "dict": lambda values, stored: {key: values.decode(item) for key, item in stored["items"].items()},
    "float": lambda _, stored: float(stored["text"]),
    "scalar": _read_scalar,
    "datetime": lambda _, stored: from_us(stored["us"]).astimezone(UTC),
    "date": lambda _, stored: date.fromisoformat(stored["text"]),
    "timedelta": lambda _, stored: timedelta(microseconds=stored["us"]),
    "bytes": lambda values, stored: values._blobs.get(stored["digest"]),
    "frame": lambda values, stored: values._read_frame(stored),
    "array": lambda values, stored: np.load(io.BytesIO(values._blobs.get(stored["digest"])), allow_pickle=False),
    "artefact": lambda values, stored: values._artefact(stored["name"], stored["digest"], stored["size_bytes"]),
}
