"""How the events of a key lie in the online store, and which facts they belong to.

A list of events is rows of eight-byte numbers, so that it is read without a loop: how many events there are (n) and
how many bytes the words take, then n event times, n known times, n values and n facts, n times of correction if any
event has been corrected, and the words of a text column as msgpack. Its last byte is a letter that says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray

from trimtab.features.windows.events import NEVER, Floats, Ints, Kind

NO_FACT = 0  # of a row that is a fact of its own

_LETTERS: dict[str, tuple[Kind, bool]] = {
    "n": ("number", False),
    "N": ("number", True),
    "b": ("boolean", False),
    "B": ("boolean", True),
    "t": ("text", False),
    "T": ("text", True),
}
_LETTER_OF = {one: letter for letter, one in _LETTERS.items()}
_WIDTH = 8
_words = msgspec.msgpack.Decoder(list[str])
_encoder = msgspec.msgpack.Encoder()


@dataclass(frozen=True)
class StoredEvents:
    """Events of one key in the order of arrival; arrays of shape (n,)."""

    event_us: Ints
    known_us: Ints
    value: Floats  # places in `words` where the column is text
    fact: Ints
    until_us: Ints
    kind: Kind = "number"
    words: Sequence[str] = ()


def encode_events(events: StoredEvents) -> bytes:
    """As described above; of the words only those that are used."""
    value, words = events.value, b""
    if events.kind == "text":
        used, place = np.unique(value.astype(np.int64), return_inverse=True)
        value = place.astype(np.float64)
        words = _encoder.encode([events.words[one] for one in used.tolist()])
    corrected = bool((events.until_us != NEVER).any())
    rows = [events.event_us, events.known_us, value, events.fact, *([events.until_us] if corrected else [])]
    head = np.array([len(value), len(words)], np.int64)
    letter = _LETTER_OF[events.kind, corrected].encode()
    padding = b"\0" * (-len(words) % _WIDTH)
    return b"".join([head.tobytes(), *(row.tobytes() for row in rows), words, padding, letter])


def decode_events(data: bytes | memoryview | None) -> StoredEvents:
    """Events of one key; no bytes, no events."""
    if data is None:
        none = np.empty(0, np.int64)
        return StoredEvents(none, none, none.view(np.float64), none, none)
    kind, corrected = _LETTERS[chr(data[-1])]
    numbers = np.frombuffer(data, dtype=np.int64, count=len(data) // _WIDTH)
    count, words_bytes = int(numbers[0]), int(numbers[1])
    rows = [numbers[2 + place * count : 2 + (place + 1) * count] for place in range(5 if corrected else 4)]
    until_us = rows[4] if corrected else np.full(count, NEVER, np.int64)
    start = (2 + len(rows) * count) * _WIDTH
    words = _words.decode(data[start : start + words_bytes]) if words_bytes else []
    return StoredEvents(rows[0], rows[1], rows[2].view(np.float64), rows[3], until_us, kind, words)


def fact_of(rows: pl.DataFrame, keys: Sequence[str]) -> Ints:
    """A number of 64 bits for each row's key, the same on every machine; NO_FACT where the key has a null.

    Two of a million keys are mistaken for one with a probability of 3e-8.
    """
    parts = rows.lazy().select(keys).with_columns(cs.temporal().to_physical()).cast(pl.String)
    # With their lengths, so that ("a", "bc") is not ("ab", "c").
    named = parts.select(
        pl.concat_str(
            [one for key in keys for one in (pl.col(key).str.len_bytes().cast(pl.String), pl.lit(":"), key)]
        )
    )
    texts = named.collect().to_series()
    lengths = texts.str.len_bytes().fill_null(0).cast(pl.Int64).to_numpy()
    letters = np.frombuffer("".join(texts.drop_nulls().to_list()).encode(), np.uint8).astype(np.uint64)
    starts = np.concatenate([[0], lengths.cumsum()])[:-1]
    place = np.arange(len(letters)) - np.repeat(starts, lengths)
    # A random number for each letter at each place; their sum tells texts apart.
    random = _mixed(letters | (place.astype(np.uint64) << np.uint64(8)))
    sums = np.concatenate([np.zeros(1, np.uint64), random.cumsum(dtype=np.uint64)])
    fact = _mixed(sums[starts + lengths] - sums[starts]).view(np.int64)
    return np.where(lengths > 0, np.where(fact == NO_FACT, 1, fact), NO_FACT)


def _mixed(number: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014): neighbours become unrelated."""
    number = number + np.uint64(0x9E3779B97F4A7C15)
    number = (number ^ (number >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    number = (number ^ (number >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = number ^ (number >> np.uint64(31))
    return mixed
