"""Which list of events holds the current version of each fact that may still be in a window.

New facts are written in blocks of their own. A block takes in its predecessors that are not much larger, so that
there are few blocks (a logarithm of the number of facts) and no fact is written often. What older blocks say of a
fact that was corrected since is not taken back: the lists know which of their events are current.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from trimtab.features.online_codec import stored_name
from trimtab.features.windows.events import Ints
from trimtab.ports.online_store import OnlineReader

Items = dict[bytes, bytes | None]  # None: away with it
Ended = dict[bytes, dict[int, int]]  # by list: the facts whose stored version ends, and when


class _Stored(msgspec.Struct, array_like=True):
    facts: bytes  # ascending
    seen_us: bytes
    places: bytes
    names: list[bytes]


class _Block(msgspec.Struct, array_like=True):
    slot: int
    size: int
    newest_us: int


_block = msgspec.msgpack.Decoder(_Stored)
_blocks = msgspec.msgpack.Decoder(list[_Block])
_encoder = msgspec.msgpack.Encoder()


@dataclass(frozen=True)
class Remembered:
    """Facts, each once, when each came into sight, and the place of its list in `names`."""

    fact: Ints
    seen_us: Ints
    place: Ints
    names: list[bytes]


def memory_key(version: str, slot: int | None = None) -> bytes:
    """The key of a block of a view's facts; without a slot, that of the list of blocks."""
    return stored_name(version) + b"@" + (b"" if slot is None else b"%d" % slot)


class Memory:
    """Of one view in the online store."""

    def __init__(self, store: OnlineReader, version: str) -> None:
        """Read it."""
        self._version = version
        [data] = store.get([memory_key(version)])
        self._blocks = [] if data is None else _blocks.decode(data)
        found = store.get([memory_key(version, one.slot) for one in self._blocks])
        self._held = [_decoded(data) for data in found]

    def lists_of(self, fact: Ints, known_us: Ints) -> Ended:
        """The lists that may hold the current version of some facts, with the instants that are given for them."""
        ended: Ended = {}
        for held in self._held:
            place = np.minimum(np.searchsorted(held.fact, fact), len(held.fact) - 1)
            [met] = np.nonzero(held.fact[place] == fact)
            for one, name, when_us in zip(fact[met], held.place[place[met]], known_us[met], strict=True):
                ended.setdefault(held.names[name], {})[int(one)] = int(when_us)
        return ended

    def with_new(self, new: Remembered, oldest_us: int) -> Items:
        """The items to write to remember new facts too, and to forget those that were seen by an instant."""
        kept = [
            (block, held)
            for block, held in zip(self._blocks, self._held, strict=True)
            if block.newest_us > oldest_us
        ]
        joined = [new]
        while kept and kept[-1][0].size <= 2 * sum(len(one.fact) for one in joined):
            joined.append(kept.pop()[1])
        blocks = [block for block, _ in kept]
        items: Items = {}
        together = _joined(joined, oldest_us)
        if len(together.fact):
            taken = {block.slot for block in blocks}
            slot = next(one for one in range(len(taken) + 1) if one not in taken)
            blocks.append(_Block(slot, len(together.fact), int(together.seen_us.max())))
            items[memory_key(self._version, slot)] = _encoded(together)
        for left in {block.slot for block in self._blocks} - {block.slot for block in blocks}:
            items[memory_key(self._version, left)] = None
        return {**items, memory_key(self._version): _encoder.encode(blocks)}


def _joined(parts: list[Remembered], oldest_us: int) -> Remembered:
    """The parts, the newest first, as one."""
    shifts = np.cumsum([0, *(len(one.names) for one in parts[:-1])])
    fact, first = np.unique(np.concatenate([one.fact for one in parts]), return_index=True)
    seen_us = np.concatenate([one.seen_us for one in parts])[first]
    place = np.concatenate([one.place + shift for one, shift in zip(parts, shifts, strict=True)])[first]
    names = [name for one in parts for name in one.names]
    kept = seen_us > oldest_us
    used, place = np.unique(place[kept], return_inverse=True)
    return Remembered(fact[kept], seen_us[kept], place.astype(np.int64), [names[one] for one in used.tolist()])


def _encoded(one: Remembered) -> bytes:
    return _encoder.encode(_Stored(one.fact.tobytes(), one.seen_us.tobytes(), one.place.tobytes(), one.names))


def _decoded(data: bytes | None) -> Remembered:
    assert data, "a block that the list of blocks names is there: both are written at once"
    one = _block.decode(data)
    fact, seen_us, place = (np.frombuffer(part, np.int64) for part in (one.facts, one.seen_us, one.places))
    return Remembered(fact, seen_us, place, one.names)
