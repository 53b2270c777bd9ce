"""Values survive the way to disk and back, exactly; what cannot is refused."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.adapters.blobs_local import LocalBlobs
from trimtab.kernel.artefact import Artefact
from trimtab.kernel.canonical import canonical, digest
from trimtab.kernel.errors import Corrupt, InvalidValue
from trimtab.runtime.value import Values

plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.datetimes(timezones=st.just(UTC)),
    st.dates(),
    st.timedeltas(),
)
keys = st.one_of(st.text(), st.just("$"))
values_of = st.recursive(
    plain,
    lambda inner: st.one_of(st.lists(inner), st.lists(inner).map(tuple), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=12,
)


def same(left: Any, right: Any) -> bool:
    """Equal in type and content, NaN and -0.0 included."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return repr(left) == repr(right)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return bool(left == right)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> LocalBlobs:
    return LocalBlobs(tmp_path_factory.mktemp("values"))


@given(values_of)
@settings(deadline=None)
def test_any_plain_value_comes_back(stored: LocalBlobs, value: Any) -> None:
    encoded = Values(stored).encode(value, "it")
    canonical(encoded)  # what is stored is JSON
    assert same(Values(stored).decode(encoded), value)


@given(values_of, values_of)
@settings(deadline=None)
def test_equal_values_have_equal_digests_and_others_do_not(stored: LocalBlobs, left: Any, right: Any) -> None:
    values = Values(stored)
    assert (values.digest(left, "it") == values.digest(right, "it")) == same(left, right)
    assert values.digest(left, "it") == digest(values.encode(left, "it"))


FRAMES = {
    "empty": pl.DataFrame(),
    "no rows": pl.DataFrame({"a": pl.Series([], dtype=pl.Int64)}),
    "nulls": pl.DataFrame({"a": [1, None], "b": ["x", None], "c": [math.nan, None]}),
    "times": pl.DataFrame({"at": [datetime(2013, 4, 1, tzinfo=UTC)], "day": [date(2013, 4, 1)]}),
    "nested": pl.DataFrame({"l": [[1, 2], None], "s": [{"k": 1}, {"k": None}]}),
    "words": pl.DataFrame({"c": ["a", "b", "a"]}, schema={"c": pl.Categorical}),
    "closed words": pl.DataFrame({"e": ["a", "b"]}, schema={"e": pl.Enum(["a", "b"])}),
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames_come_back_with_their_schema(tmp_path: Path, name: str) -> None:
    encoded = Values(LocalBlobs(tmp_path)).encode({"frame": FRAMES[name]}, "it")
    back = Values(LocalBlobs(tmp_path)).decode(encoded)["frame"]
    assert back.schema == FRAMES[name].schema
    assert back.equals(FRAMES[name])


def test_a_frame_in_other_chunks_has_the_same_digest(tmp_path: Path) -> None:
    whole = pl.DataFrame({"a": [1, 2, 3, 4]})
    parts = pl.concat([whole[:2], whole[2:]], rechunk=False)
    assert parts.n_chunks() == 2
    values = Values(LocalBlobs(tmp_path))
    assert values.digest(parts, "it") == values.digest(whole, "it") != values.digest(whole[:3], "it")


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.int32).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array(3.5),
        np.array(["a", "bc"]),
        np.array(["2013-04-01"], dtype="datetime64[us]"),
        np.zeros(2, dtype=[("x", "<f4"), ("y", "<i8")]),
        np.arange(10)[::3],
    ],
)
def test_arrays_come_back(tmp_path: Path, array: np.ndarray[Any, Any]) -> None:
    back = Values(LocalBlobs(tmp_path)).decode(Values(LocalBlobs(tmp_path)).encode(array, "it"))
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize(
    "scalar", [np.float64(0.1), np.int64(-7), np.bool_(True), np.float32(1.5), np.datetime64("2013-04-01", "us")]
)
def test_numpy_scalars_come_back_as_they_were(tmp_path: Path, scalar: Any) -> None:
    back = Values(LocalBlobs(tmp_path)).decode(Values(LocalBlobs(tmp_path)).encode(scalar, "it"))
    assert type(back) is type(scalar)
    assert back == scalar


def test_an_artefact_is_a_handle(tmp_path: Path) -> None:
    values = Values(LocalBlobs(tmp_path))
    artefact = values.artefact("plot.png", b"\x89PNG")
    encoded = values.encode([artefact], "it")
    assert "PNG" not in str(encoded)
    back: list[Artefact] = Values(LocalBlobs(tmp_path)).decode(encoded)
    assert back == [artefact]
    assert back[0].read() == b"\x89PNG"


class Text(str):
    pass


@pytest.mark.parametrize(
    "make",
    [
        lambda: {1, 2},
        object,
        lambda: pl.LazyFrame({"a": [1]}),
        lambda: pl.Series([1]),
        lambda: np.array([object()]),
        lambda: pl.DataFrame({"a": [object()]}),
        lambda: datetime(2013, 4, 1),  # noqa: DTZ001
        lambda: {1: "a"},
        threading.Lock,
        lambda: Text("a"),
    ],
)
def test_anything_else_is_refused_with_its_place(tmp_path: Path, make: Callable[[], Any]) -> None:
    with pytest.raises(
        InvalidValue, match=r"(?s)the result of step 'fit'\[0\]\['a'\] has a value.*allowed:"
    ) as caught:
        Values(LocalBlobs(tmp_path)).encode([{"a": make()}], "the result of step 'fit'")
    assert "polars.DataFrame" in caught.value.allowed or caught.value.allowed == "dicts with text keys"
    assert list(tmp_path.rglob("*")) == []


def test_a_kind_of_a_newer_version_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Corrupt, match=r"(?s)'sketch'.*upgrade"):
        Values(LocalBlobs(tmp_path)).decode({"$": "sketch", "digest": "00"})


def test_a_frame_that_was_changed_in_place_is_hashed_again(tmp_path: Path) -> None:
    values = Values(LocalBlobs(tmp_path))
    frame = values.decode(values.encode(pl.DataFrame({"a": [1, 2]}), "it"))
    before = values.digest(frame, "it")
    frame[0, "a"] = 9
    changed = values.digest(frame, "it")
    assert changed == Values(LocalBlobs(tmp_path)).digest(pl.DataFrame({"a": [9, 2]}), "it") != before
    # And what is handed out later under the first digest is what was stored under it.
    assert values.decode({"$": "frame", "digest": values.encode(pl.DataFrame({"a": [1, 2]}), "it")["digest"]})[  # type: ignore[index,call-overload]
        "a"
    ].to_list() == [1, 2]


def test_a_live_frame_is_neither_written_nor_read_again(tmp_path: Path) -> None:
    values = Values(LocalBlobs(tmp_path))
    frame = pl.DataFrame({"a": range(1000)})
    encoded = values.encode(frame, "it")
    next(path for path in tmp_path.rglob("*") if path.is_file()).unlink()
    assert values.decode(encoded).equals(frame)
    assert values.encode(frame, "it") == encoded
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_frames_are_let_go(tmp_path: Path) -> None:
    values = Values(LocalBlobs(tmp_path))
    frame = pl.DataFrame({"a": [1]})
    values.encode(frame, "it")
    assert len(values._frames._known) == 1
    del frame
    assert len(values._frames._known) == 0
    assert values._frames._by_digest == {}


def test_timedelta_and_date_are_exact(tmp_path: Path) -> None:
    values = Values(LocalBlobs(tmp_path))
    for value in (timedelta(days=-3, microseconds=1), date(1, 1, 1)):
        assert values.decode(values.encode(value, "it")) == value
