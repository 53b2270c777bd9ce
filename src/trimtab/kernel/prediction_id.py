"""Prediction ids: time, worker, segment and offset in 26 characters, so that an id opens one file.

128 bits, Crockford base 32 without I, L, O, U (as in ULID): 48 bits milliseconds since 1970, 12 bits worker
slot, 36 bits segment number, 32 bits byte offset of the record in its segment. Ids sort by time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from trimtab.kernel.errors import InvalidValue

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUE = {letter: number for number, letter in enumerate(_ALPHABET)}
_PAIR = [high + low for high in _ALPHABET for low in _ALPHABET]  # ten bits at once: each answer has an id
LENGTH = 26
BATCH_WORKER = 0xFFF  # the slot of answers to batches, which no worker of a server has


@dataclass(frozen=True)
class PredictionId:
    """Where a prediction's record stands.

    >>> where = PredictionId(at_ms=1364774400000, worker=1, segment=7, offset=4096)
    >>> str(where), parse_prediction_id(str(where)) == where
    ('017Q1E9C00008000000W000400', True)
    """

    at_ms: int
    worker: int
    segment: int
    offset: int

    def __str__(self) -> str:
        return prediction_id(self.at_ms, self.worker, self.segment, self.offset)

    @property
    def segment_name(self) -> str:
        """The file's name without its ending."""
        return segment_name(self.worker, self.segment)


def prediction_id(at_ms: int, worker: int, segment: int, offset: int) -> str:
    """An id's text: ten letters of time, ten of where, six of the offset's lower 30 bits."""
    where = _ten_letters(worker << 38 | segment << 2 | offset >> 30)
    low = f"{_PAIR[offset >> 20 & 1023]}{_PAIR[offset >> 10 & 1023]}{_PAIR[offset & 1023]}"
    return f"{_ten_letters(at_ms)}{where}{low}"


def prediction_ids(at_ms: Sequence[int], worker: int, segment: int, offsets: Sequence[int]) -> list[str]:
    """`prediction_id` of several records of one segment, in half the time: most are of one instant.

    >>> prediction_ids([5, 5], 1, 7, [16, 96]) == [prediction_id(5, 1, 7, 16), prediction_id(5, 1, 7, 96)]
    True
    """
    if len(offsets) < 2 or min(at_ms) != max(at_ms) or max(offsets) >> 30:
        return [prediction_id(one, worker, segment, offset) for one, offset in zip(at_ms, offsets, strict=True)]
    head = _ten_letters(at_ms[0]) + _ten_letters(worker << 38 | segment << 2)
    return [f"{head}{_PAIR[one >> 20]}{_PAIR[one >> 10 & 1023]}{_PAIR[one & 1023]}" for one in offsets]


def consecutive_ids(at_ms: int, worker: int, segment: int, offset: int, count: int) -> list[str]:
    """`prediction_id` of records of one instant whose offsets are consecutive, in a tenth of the time.

    >>> consecutive_ids(5, 1, 7, 1023, 2) == [prediction_id(5, 1, 7, 1023), prediction_id(5, 1, 7, 1024)]
    True
    """
    found: list[str] = []
    while len(found) < count:
        head = prediction_id(at_ms, worker, segment, offset)[:-2]
        low = offset & 1023
        letters = _PAIR[low : low + count - len(found)]
        found += [head + two for two in letters]
        offset += len(letters)
    return found


def segment_name(worker: int, segment: int) -> str:
    """The name of a worker's segment, as its file and its record carry it."""
    return f"{worker:04d}-{segment:010d}"


def parse_prediction_id(text: str) -> PredictionId:
    """Read an id that a person may have typed.

    Raises:
        InvalidValue: not an id.
    """
    letters = text.strip().upper()
    if len(letters) != LENGTH or not set(letters) <= _VALUE.keys() or letters[0] > "7":
        raise InvalidValue("prediction id", text, allowed=f"{LENGTH} characters of {_ALPHABET}")
    number = 0
    for letter in letters:
        number = number << 5 | _VALUE[letter]
    return PredictionId(number >> 80, number >> 68 & 0xFFF, number >> 32 & 0xFFFFFFFFF, number & 0xFFFFFFFF)


@lru_cache(maxsize=4096)
def _ten_letters(bits: int) -> str:
    """50 bits; cached, because answers share their millisecond with some, and their segment with many."""
    return "".join([_PAIR[bits >> shift & 1023] for shift in range(40, -1, -10)])
