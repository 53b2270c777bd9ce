import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.kernel.errors import InvalidValue
from trimtab.kernel.prediction_id import LENGTH, PredictionId, parse_prediction_id, prediction_ids

IDS = st.builds(
    PredictionId,
    at_ms=st.integers(0, 2**48 - 1),
    worker=st.integers(0, 2**12 - 1),
    segment=st.integers(0, 2**36 - 1),
    offset=st.integers(0, 2**32 - 1),
)


@given(IDS)
def test_an_id_reads_back_also_as_a_person_types_it(where: PredictionId) -> None:
    text = str(where)
    assert len(text) == LENGTH
    assert parse_prediction_id(text) == where
    assert parse_prediction_id(f"  {text.lower()}\n") == where


@given(IDS, IDS)
def test_ids_differ_and_sort_by_time_worker_segment_offset(one: PredictionId, other: PredictionId) -> None:
    by_fields = [(it.at_ms, it.worker, it.segment, it.offset) for it in (one, other)]
    assert (str(one) < str(other)) == (by_fields[0] < by_fields[1])
    assert (str(one) == str(other)) == (one == other)


@given(st.lists(IDS, max_size=5), st.booleans())
def test_several_ids_at_once_are_those_one_by_one(some: list[PredictionId], together: bool) -> None:
    worker, segment = (some[0].worker, some[0].segment) if some else (0, 0)
    at_ms = [some[0].at_ms if together else one.at_ms for one in some]
    offsets = [one.offset for one in some]
    assert prediction_ids(at_ms, worker, segment, offsets) == [
        str(PredictionId(at, worker, segment, offset)) for at, offset in zip(at_ms, offsets, strict=True)
    ]


def test_the_greatest_id_and_a_known_one() -> None:
    greatest = PredictionId(2**48 - 1, 2**12 - 1, 2**36 - 1, 2**32 - 1)
    assert str(greatest) == "7" + "Z" * 25
    # The first ten letters are those of a ULID of the same millisecond (2013-04-01T00:00:00Z).
    assert str(PredictionId(1_364_774_400_000, 1, 7, 4096)) == "017Q1E9C00008000000W000400"


def test_the_segment_is_a_file_name() -> None:
    assert PredictionId(0, 3, 12, 0).segment_name == "0003-0000000012"


@pytest.mark.parametrize(
    "text",
    ["", "flight 17", "0" * 25, "0" * 27, "8" + "0" * 25, "I" + "0" * 25, "0" * 25 + "U", "0" * 25 + "\u0660"],
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="prediction id has a value that is not allowed"):
        parse_prediction_id(text)
