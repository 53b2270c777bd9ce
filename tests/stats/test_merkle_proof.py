import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.stats.merkle import merkle_root
from trimtab.stats.merkle_proof import leaf_hash, pruned, root_of_pruned

LEAVES = st.integers(0, 70).flatmap(
    lambda count: st.tuples(st.just(count), st.sets(st.integers(0, max(count - 1, 0))))
)


def hashed(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(count)]


@given(LEAVES)
@settings(max_examples=300, deadline=None)
def test_any_part_of_the_leaves_proves_itself_against_the_root_of_all(drawn: tuple[int, set[int]]) -> None:
    count, kept = drawn[0], {place for place in drawn[1] if place < drawn[0]}
    leaves = hashed(count)
    root = merkle_root(b"%d" % number for number in range(count))
    hashes = pruned(leaves, kept)
    assert root_of_pruned(count, {place: leaves[place] for place in kept}, hashes) == root
    assert len(hashes) <= count - len(kept)
    for place in kept:
        other = {one: leaves[one] for one in kept} | {place: leaf_hash(b"another")}
        assert root_of_pruned(count, other, hashes) != root
        assert root_of_pruned(count, {one: leaves[one] for one in kept - {place}}, hashes) != root
    assert root_of_pruned(count, {place: leaves[place] for place in kept}, [*hashes, b"x"]) is None


def test_a_leaf_is_hashed_as_rfc_6962_says() -> None:
    assert leaf_hash(b"a") == hashlib.sha256(b"\0a").digest()
    assert pruned(hashed(4), {0}) == [
        hashed(4)[1],
        hashlib.sha256(b"\1" + hashed(4)[2] + hashed(4)[3]).digest(),
    ]


def test_what_does_not_fit_has_no_root() -> None:
    leaves = hashed(5)
    hashes = pruned(leaves, {2})
    assert root_of_pruned(5, {2: leaves[2]}, hashes[:-1]) is None
    assert root_of_pruned(2, {2: leaves[2]}, hashes) is None
    assert root_of_pruned(5, {-1: leaves[2]}, hashes) is None
