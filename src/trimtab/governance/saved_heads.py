"""Heads of the ledger that were saved outside of the database, in the order of their entries."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

from trimtab.kernel.errors import InvalidValue
from trimtab.kernel.head import Head, parse_head

_HASH_BYTES = 32


class SavedHeads:
    """Saved heads, packed: a million of them take about 120 MB while the ledger is read.

    Two heads may bear one number: a database restored from an older copy went on from there.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self.unreadable = 0  # lines torn by a power failure, or damaged
        self._seqs = array("q")
        self._hashes = bytearray()
        for line in lines:
            try:
                head = parse_head(line)
            except InvalidValue:
                self.unreadable += 1
                continue
            self._seqs.append(head.seq)
            self._hashes += bytes.fromhex(head.hash)

    def __len__(self) -> int:
        return len(self._seqs)

    def __iter__(self) -> Iterator[Head]:
        # Processes save their heads after the commit, so the file is only nearly in order.
        for place in sorted(range(len(self._seqs)), key=self._seqs.__getitem__):
            start = place * _HASH_BYTES
            yield Head(self._seqs[place], self._hashes[start : start + _HASH_BYTES].hex())
