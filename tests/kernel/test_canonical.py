import hashlib
import json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.kernel.canonical import Json, canonical, digest, sha256, short

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def reordered(value: Json) -> Json:
    """The same value with every mapping built in the opposite order."""
    if isinstance(value, dict):
        return {name: reordered(value[name]) for name in reversed(value)}
    return [reordered(one) for one in value] if isinstance(value, list) else value


@given(JSON)
def test_what_is_written_reads_back_and_does_not_depend_on_order(value: Json) -> None:
    assert json.loads(canonical(value)) == value
    assert canonical(reordered(value)) == canonical(value)
    assert digest(reordered(value)) == digest(value)


@given(JSON, JSON)
def test_different_values_have_different_bytes(one: Json, other: Json) -> None:
    if json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True):
        assert canonical(one) != canonical(other)


def test_the_form_is_frozen() -> None:
    """Ids on disk are made of these bytes: they must not change with a version of Python or of Trimtab."""
    value = {"b": [1, 2.5, -0.0, 1e22, 1e-7], "a": "\u00e9\u2028\U0001f6a2", "": None, "B": {"y": True, "x": False}}
    assert canonical(value) == (
        b'{"":null,"B":{"x":false,"y":true},"a":"\xc3\xa9\xe2\x80\xa8\xf0\x9f\x9a\xa2",'
        b'"b":[1,2.5,-0.0,1e+22,1e-07]}'
    )
    assert digest(value) == hashlib.sha256(canonical(value)).hexdigest()


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_does_not_have_are_refused(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"score": number})


@pytest.mark.parametrize("value", [datetime(2013, 4, 1, tzinfo=UTC), b"bytes", {1, 2}, object()])
def test_what_is_not_json_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        canonical([value])


def test_sha256_is_the_published_one() -> None:
    """NIST's test vector for "abc"."""
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert short(sha256(b"abc")) == "ba7816bf8f01"
