"""The keys of many recorded answers, by their ids: each segment, and each file of the table, is read once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date

import polars as pl

from trimtab.kernel.errors import Corrupt, InvalidValue
from trimtab.kernel.moment import from_us
from trimtab.kernel.prediction import Prediction
from trimtab.kernel.prediction_id import PredictionId, parse_prediction_id
from trimtab.ports.journal import JournalReader
from trimtab.ports.tables import TableReader
from trimtab.serving.frames import Frames
from trimtab.serving.log_reader import TABLE
from trimtab.serving.segment import LIVE, SEALED, SET_ASIDE, Header, decode_header, prediction
from trimtab.serving.segment_folder import SegmentFolder
from trimtab.serving.whereabouts import Whereabouts


class RecordedKeys:
    """Reads what is recorded now, compacted or not."""

    def __init__(self, folder: SegmentFolder, *, tables: TableReader, journal: JournalReader) -> None:
        self._folder = folder
        self._tables = tables
        self._journal = journal

    def __call__(self, ids: Iterable[str], system: str) -> dict[str, str]:
        """By id the keys of one system's answers; what is no id, or that of no answer, is left out."""
        wanted: dict[str, str] = {}  # by the id as it is written: as it was given
        places: dict[str, list[PredictionId]] = {}
        for id in ids:
            with suppress(InvalidValue, OverflowError):
                place = parse_prediction_id(id)
                from_us(place.at_ms * 1000)  # a time without a date is that of no answer
                wanted[str(place)] = id
                places.setdefault(place.segment_name, []).append(place)
        found: dict[str, str] = {}
        # A segment may be compacted and removed between two looks: its record comes before its removal.
        for look in (self._in_segments, self._in_table, self._in_segments):
            left = {name: [one for one in some if str(one) not in found] for name, some in places.items()}
            found.update(look({name: some for name, some in left.items() if some}, system))
        return {wanted[id]: key for id, key in found.items()}

    def _in_segments(self, places: dict[str, list[PredictionId]], system: str) -> dict[str, str]:
        found = {}
        for name, some in places.items():
            for one in self._records(name, some):
                if one.system == system:
                    found[one.id] = one.key
        return found

    def _records(self, segment: str, places: Sequence[PredictionId]) -> Iterator[Prediction]:
        for ending in (LIVE, SEALED, SET_ASIDE):
            path = self._folder.path / f"{segment}{ending}"
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue
            with suppress(Corrupt):  # what cannot be read names nobody
                head = decode_header(data, str(path))
                if head is not None:
                    yield from _recorded(data, head, places, str(path))
            return

    def _in_table(self, places: dict[str, list[PredictionId]], system: str) -> dict[str, str]:
        files: dict[str, None] = {}
        compacted: list[PredictionId] = []
        whereabouts = Whereabouts(self._journal)
        for name, some in places.items():
            record = whereabouts.record(name)
            if record is not None:
                files.update(dict.fromkeys(whereabouts.files(record, {_day(one) for one in some})))
                compacted += some
        if not files:
            return {}
        days = {_day(one) for one in compacted}
        rows = self._tables.scan(TABLE, list(files)).filter(
            pl.col("date").is_in(sorted(days)),
            pl.col("id").is_in([str(one) for one in compacted]),
            pl.col("system") == system,
        )
        return dict(rows.select("id", "key").collect().iter_rows())


def _recorded(
    data: bytes, head: tuple[Header, int], places: Sequence[PredictionId], where: str
) -> Iterator[Prediction]:
    header, first = head
    frames = Frames(data, first, where)
    for place in sorted(places, key=lambda one: one.offset):
        with suppress(Corrupt):
            record = frames.record(place.offset)
            if record is not None and (found := prediction(header, place.offset, record)).id == str(place):
                yield found


def _day(place: PredictionId) -> date:
    return from_us(place.at_ms * 1000).date()
