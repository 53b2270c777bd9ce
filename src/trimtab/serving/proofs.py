"""Proofs: what of a segment's Merkle tree must stay, so that the rows that stay can be held against its root.

A day's rows of one segment prove themselves without those of another day, which may have expired, and without
those that the sample left out. Each compaction writes one file a day: `system/2013-04-01/SHA-256`, which the ledger
names. It goes when the day's rows go, and holds none of them: places, instants and hashes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zlib
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import msgspec

from trimtab.kernel.canonical import sha256
from trimtab.kernel.errors import Corrupt, NotFound


class Part(msgspec.Struct, frozen=True, array_like=True):
    """What proves one day's rows of one segment."""

    records: int  # of the whole segment
    kept: tuple[int, ...]  # places in it of the day's rows that the table holds, in order
    other_form: tuple[int, ...]  # of these, those whose row does not give back the bytes that were logged
    left_out: tuple[tuple[int, int], ...]  # (byte offset, ms since 1970) of the day's records that are not kept
    hashes: bytes  # 32 each: of the subtrees without a row that proves itself, from left to right


_decode = msgspec.msgpack.Decoder(dict[str, Part]).decode
HASH_BYTES = 32


class ProofFolder:
    """Files of proofs below one path."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, system: str, day: date, parts: Mapping[str, Part]) -> str:
        """Store the parts of some segments durably, by the segments' names; their digest. Twice is once."""
        data = zlib.compress(msgspec.msgpack.encode(dict(parts)))
        digest = sha256(data)
        path = self._file(system, day, digest)
        if path.exists():
            return digest
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as half:
            try:
                half.write(data)
                half.flush()
                os.fsync(half.fileno())
            except OSError:  # of a full disk: what is half written must not keep it full
                Path(half.name).unlink()
                raise
        Path(half.name).rename(path)
        return digest

    def get(self, system: str, day: date, digest: str) -> dict[str, Part]:
        """Read and check.

        Raises:
            NotFound: no such file.
            Corrupt: it is not what was stored.
        """
        path = self._file(system, day, digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise NotFound("file of proofs", str(path), do="restore it from a backup") from None
        if sha256(data) != digest:
            raise Corrupt(
                "a file of proofs",
                where=str(path),
                allowed=f"bytes with SHA-256 {digest}",
                got=f"bytes with SHA-256 {sha256(data)}",
                do="restore it from a backup: without it, the rows of these segments cannot be proved",
            )
        return _decode(zlib.decompress(data))

    def days(self, system: str) -> list[date]:
        """Days with proofs."""
        folder = self._path / system
        return sorted(date.fromisoformat(path.name) for path in folder.iterdir()) if folder.is_dir() else []

    def remove(self, system: str, before: date) -> int:
        """Remove the files of earlier days; how many bytes went."""
        freed_bytes = 0
        for day in self.days(system):
            if day < before:
                folder = self._path / system / day.isoformat()
                freed_bytes += sum(path.stat().st_size for path in folder.iterdir())
                shutil.rmtree(folder)
        return freed_bytes

    def _file(self, system: str, day: date, digest: str) -> Path:
        return self._path / system / day.isoformat() / digest
