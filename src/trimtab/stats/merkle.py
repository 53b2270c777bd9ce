"""Merkle tree hashes of RFC 6962, section 2.1: one hash that commits to a list of byte strings in their order.

Leaves and nodes are hashed with different prefixes, so that no node can be passed off as a leaf.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

_LEAF = b"\x00"
_NODE = b"\x01"


class MerkleTree:
    """Takes leaves one by one, keeps one hash per complete subtree: memory grows with log2 of the leaves.

    >>> MerkleTree().root().hex()[:16]
    'e3b0c44298fc1c14'
    """

    def __init__(self) -> None:
        self.count = 0
        self._roots: list[bytes] = []  # of complete subtrees, largest first; their sizes are the bits of `count`

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaves behind the others: level by level, for a worker hashes all that it logs."""
        sha256, old = hashlib.sha256, self.count
        hashes = [sha256(_LEAF + leaf).digest() for leaf in leaves]
        self.count += len(hashes)
        kept: list[bytes] = []  # of new complete subtrees, smallest first
        while hashes:
            if old & 1:
                hashes.insert(0, self._roots.pop())
            if len(hashes) & 1:
                kept.append(hashes.pop())
            pairs = zip(hashes[::2], hashes[1::2], strict=True)
            hashes = [sha256(_NODE + left + right).digest() for left, right in pairs]
            old >>= 1
        self._roots += reversed(kept)

    def root(self) -> bytes:
        """The hash of everything so far, 32 bytes; of nothing: SHA-256 of the empty string."""
        if not self._roots:
            return hashlib.sha256(b"").digest()
        root = self._roots[-1]
        for larger in reversed(self._roots[:-1]):
            root = hashlib.sha256(_NODE + larger + root).digest()
        return root


def merkle_root(leaves: Iterable[bytes]) -> bytes:
    """The root over all leaves at once, 32 bytes."""
    tree = MerkleTree()
    tree.extend(leaves)
    return tree.root()
