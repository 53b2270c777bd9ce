"""Which hashes prove some leaves of a Merkle tree (RFC 6962, section 2.1) when the others are no longer there.

Of each largest subtree without a kept leaf one hash is enough: fewer than one for each leaf that was left out.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence

from trimtab.stats.merkle import merkle_root

_NODE = b"\x01"


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of one leaf, 32 bytes: the root of the tree that has no other."""
    return merkle_root((leaf,))


def pruned(leaves: Sequence[bytes], kept: Iterable[int]) -> list[bytes]:
    """Hashes of the largest subtrees that hold no kept leaf, from left to right.

    Args:
        leaves: the hashes of all leaves.
        kept: places of those that stay.
    """
    places = sorted(kept)

    def walk(low: int, high: int) -> Iterator[bytes]:
        if _empty(places, low, high):
            yield _whole(leaves, low, high)
        elif high - low > 1:
            middle = _middle(low, high)
            yield from walk(low, middle)
            yield from walk(middle, high)

    return list(walk(0, len(leaves))) if leaves else []


def root_of_pruned(count: int, kept: Mapping[int, bytes], hashes: Sequence[bytes]) -> bytes | None:
    """The root of a tree of `count` leaves from those that stayed and what `pruned` gave; None if they do not fit.

    Args:
        count: of all leaves.
        kept: hashes of the leaves that stayed, by their places.
        hashes: of the subtrees that hold none of them.
    """
    places = sorted(kept)
    if places and not 0 <= places[0] <= places[-1] < count:
        return None
    given = iter(hashes)

    def root(low: int, high: int) -> bytes | None:
        if _empty(places, low, high):
            return next(given, None)
        if high - low == 1:
            return kept[low]
        middle = _middle(low, high)
        left, right = root(low, middle), root(middle, high)
        return None if left is None or right is None else _node(left, right)

    whole = root(0, count) if count else merkle_root(())
    return whole if next(given, None) is None else None


def _whole(leaves: Sequence[bytes], low: int, high: int) -> bytes:
    if high - low == 1:
        return leaves[low]
    middle = _middle(low, high)
    return _node(_whole(leaves, low, middle), _whole(leaves, middle, high))


def _empty(places: Sequence[int], low: int, high: int) -> bool:
    return bisect_left(places, low) == bisect_left(places, high)


def _middle(low: int, high: int) -> int:
    """Where a tree divides: the largest power of two below the number of its leaves stands on the left."""
    return low + (1 << (high - low - 1).bit_length() - 1)


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + left + right).digest()
