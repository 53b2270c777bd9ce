"""The digest of a frame's content: equal content, equal digest; any difference shows."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.data.content import content_digest, counted

cells = st.none() | st.sampled_from([0.0, 1.0, 0.1, float("nan"), float("inf"), float("-inf")])
tables = st.lists(st.tuples(cells, st.none() | st.sampled_from(["", "a", "null", "NaN", "é"])), max_size=4)


def frame(rows: list[tuple[float | None, str | None]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"x": pl.Float64, "name": pl.String}, orient="row")


@given(one=tables, other=tables)
def test_digests_are_equal_where_contents_are(
    one: list[tuple[float | None, str | None]], other: list[tuple[float | None, str | None]]
) -> None:
    same = frame(one).equals(frame(other), null_equal=True)
    assert (content_digest(frame(one)) == content_digest(frame(other))) is same


def test_chunks_do_not_count_but_names_types_and_order_do() -> None:
    rows = pl.DataFrame({"x": [1, 2, 3]})
    chunked = pl.concat([rows[:1], rows[1:]], rechunk=False)
    assert chunked.n_chunks() == 2
    assert content_digest(chunked) == content_digest(rows)
    others = [rows.rename({"x": "y"}), rows.cast(pl.Int32), rows[::-1], rows[:2], rows.with_columns(y=1)]
    assert content_digest(rows) not in {content_digest(other) for other in others}


@pytest.mark.parametrize("values", [[b"\xff", b"", None], [b"a", None, None]])
def test_bytes_have_a_digest(values: list[bytes | None]) -> None:
    digests = {content_digest(pl.DataFrame({"x": values})), content_digest(pl.DataFrame({"x": values[::-1]}))}
    assert len(digests) == 2


@given(rows=tables)
def test_equal_rows_are_told_apart_by_their_number(rows: list[tuple[float | None, str | None]]) -> None:
    told = counted(frame(rows)).to_list()
    assert len(set(told)) == len(rows)
    assert sorted(counted(frame(rows[::-1])).to_list()) == sorted(told)
