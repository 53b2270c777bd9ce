import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.stats.merkle import MerkleTree, merkle_root


def by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word by word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\x01" + by_definition(leaves[:half]) + by_definition(leaves[half:])).digest()


@given(st.lists(st.binary(max_size=40), max_size=70))
def test_the_root_is_that_of_the_definition(leaves: list[bytes]) -> None:
    assert merkle_root(leaves) == by_definition(leaves)


@given(st.lists(st.binary(max_size=8), max_size=20), st.lists(st.binary(max_size=8), max_size=20))
def test_leaves_may_come_in_parts(first: list[bytes], second: list[bytes]) -> None:
    tree = MerkleTree()
    tree.extend(first)
    assert tree.root() == merkle_root(first)
    tree.extend(second)
    assert (tree.count, tree.root()) == (len(first) + len(second), merkle_root(first + second))


@pytest.mark.parametrize(
    ("count", "root"),
    # The inputs and roots of the test vectors that Certificate Transparency's implementations share.
    [
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
        (5, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
        (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
    ],
)
def test_published_roots(count: int, root: str) -> None:
    leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    assert merkle_root([bytes.fromhex(one) for one in leaves[:count]]).hex() == root
