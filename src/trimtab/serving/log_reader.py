"""The prediction log as others read it: segments first, the table behind them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import polars as pl

from trimtab.kernel.canonical import JsonMap
from trimtab.kernel.errors import NotFound
from trimtab.kernel.moment import from_us, to_us
from trimtab.kernel.prediction import Prediction
from trimtab.kernel.prediction_id import PredictionId, parse_prediction_id
from trimtab.ports.journal import JournalReader
from trimtab.ports.tables import TableReader
from trimtab.serving.frames import Frames
from trimtab.serving.segment import LIVE, SEALED, SET_ASIDE, decode_header, prediction, read_segment
from trimtab.serving.segment_folder import SegmentFolder
from trimtab.serving.whereabouts import SEGMENT, Whereabouts

TABLE = "predictions"


class LogReader:
    """Implements PredictionLog."""

    def __init__(self, folder: SegmentFolder, *, tables: TableReader, journal: JournalReader) -> None:
        self._folder = folder
        self._tables = tables
        self._journal = journal

    def find(self, id: str) -> Prediction:
        """Open the one file that an id names."""
        place = parse_prediction_id(id)
        # A segment may be sealed, or compacted and removed, between two looks: its record comes before its removal.
        found = self._in_segments(place) or self._in_table(place) or self._in_segments(place)
        if found is None or found.id != str(place):
            Whereabouts(self._journal).check_kept(place, self._folder.proofs)
            raise NotFound("prediction", str(place), do="look at the id again: ids come from the server's answers")
        return found

    def recent(self) -> Iterator[Prediction]:
        """Records of live and sealed segments, oldest segment first. Damaged segments are left to `find`."""
        # Live ones are listed first: one that is sealed between the two looks is in the second.
        live = self._folder.files(LIVE)
        sealed = {path.stem: path for path in self._folder.files(SEALED)}
        for _, path in sorted(({path.stem: path for path in live} | sealed).items()):
            try:
                segment = read_segment(path)
            except FileNotFoundError:
                try:
                    segment = read_segment(path.with_suffix(SEALED))
                except FileNotFoundError:
                    continue
            if segment is not None and self._journal.record(SEGMENT, segment.header.name) is None:
                yield from segment.predictions()

    def _in_segments(self, place: PredictionId) -> Prediction | None:
        for ending in (LIVE, SEALED, SET_ASIDE):
            path = self._folder.path / f"{place.segment_name}{ending}"
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue
            head = decode_header(data, str(path))
            if head is None:
                return None
            record = Frames(data, head[1], str(path)).record(place.offset)
            return None if record is None else prediction(head[0], place.offset, record)
        return None

    def _in_table(self, place: PredictionId) -> Prediction | None:
        whereabouts = Whereabouts(self._journal)
        record = whereabouts.record(place.segment_name)
        if record is None:
            return None
        day = from_us(place.at_ms * 1000).date()
        files = whereabouts.files(record, (day,))
        rows = (
            self._tables.scan(TABLE, files)
            .filter(pl.col("date") == day, pl.col("id") == str(place))
            .collect()
            .to_dicts()
        )
        return prediction_of_row(rows[0]) if rows else None


def frame_of_predictions(predictions: Iterable[tuple[str, Prediction]]) -> pl.DataFrame:
    """Predictions, each with the segment that it stands in, as rows of the table; see FRAME_SCHEMA."""
    segments, those = zip(*predictions, strict=True) if (predictions := list(predictions)) else ((), ())
    columns: dict[str, list[Any] | pl.Series] = {
        "id": [one.id for one in those],
        "system": [one.system for one in those],
        "release": [one.release for one in those],
        "generation": [one.generation for one in those],
        "key": [one.key for one in those],
        "at": [one.at_us for one in those],
        "score": [one.score for one in those],
        "features": [_encode(one.features) for one in those],
        "ages_us": _ages([one.ages_us for one in those]),
        "request": [_encode(one.request) for one in those],
        "latency_us": [one.latency_us for one in those],
        "segment": list(segments),
        "fallback": [one.fallback or None for one in those],
        "cause": [one.cause or None for one in those],
    }
    series = [pl.Series(name, values, dtype=_RAW.get(name, FRAME_SCHEMA[name])) for name, values in columns.items()]
    return (
        pl.DataFrame([*series, _others(those), _scored("later", [one.later for one in those])])
        .with_columns(pl.col("at").cast(FRAME_SCHEMA["at"]))
        .with_columns(date=pl.col("at").dt.date())
        .select(FRAME_SCHEMA.names())
    )


def _others(those: Sequence[Prediction]) -> pl.Series:
    empty = pl.lit([], dtype=FRAME_SCHEMA["others"])
    return _scored("others", [one.others for one in those]).to_frame().select(pl.all().fill_null(empty)).to_series()


def _scored(name: str, scores: Sequence[Sequence[tuple[str, float]]]) -> pl.Series:
    """A list of structs a row, from flat columns: from dictionaries it takes longer than all else together.

    Null where there is none.
    """
    flat = [(place, *one) for place, some in enumerate(scores) for one in some]
    schema = {"place": pl.Int64(), "release": pl.String(), "score": pl.Float64()}
    one = pl.struct("release", "score").alias(name)
    scored = pl.DataFrame(flat, schema=schema, orient="row").select("place", one)
    listed = scored.group_by("place", maintain_order=True).agg(name)
    rows = pl.DataFrame({"place": pl.Series(range(len(scores)), dtype=pl.Int64)})
    return rows.join(listed, on="place", how="left", maintain_order="left")[name]


def _ages(ages: list[Sequence[int | None]]) -> pl.Series:
    """A list a row. Rows of one release are equally long: their lists are made from one flat column."""
    kind = pl.List(pl.Int64())
    widths = set(map(len, ages))
    if len(widths) != 1 or 0 in widths:
        return pl.Series(ages, dtype=kind)
    flat = pl.Series([one for row in ages for one in row], dtype=pl.Int64())
    return flat.reshape((len(ages), widths.pop())).cast(kind)


def _encode(value: Any) -> str:
    return msgspec.json.encode(value).decode()


FRAME_SCHEMA = pl.Schema(
    {
        "id": pl.String(),
        "system": pl.String(),
        "release": pl.String(),
        "generation": pl.Int64(),
        "key": pl.String(),
        "at": pl.Datetime("us", "UTC"),
        "score": pl.Float64(),
        "features": pl.String(),  # JSON list, in the order of the release's feature names
        "ages_us": pl.List(pl.Int64()),
        "request": pl.String(),  # JSON object, the row as it was sent
        "others": pl.List(
            pl.Struct({"release": pl.String(), "score": pl.Float64()})
        ),  # who scored and did not answer
        "latency_us": pl.Int64(),
        "segment": pl.String(),
        "date": pl.Date(),  # of `at`, UTC; the partition
        "fallback": pl.String(),  # kind; null: the release itself has answered. Tables of before lack both columns
        "cause": pl.String(),  # of the fallback
        # Who was to be compared, and scored the row when it was compacted (see pairing). Older tables lack it.
        "later": pl.List(pl.Struct({"release": pl.String(), "score": pl.Float64()})),
    }
)
_RAW: dict[str, pl.DataType] = {"at": pl.Int64()}  # microseconds, until the frame is made


def prediction_of_row(row: dict[str, Any]) -> Prediction:
    """The prediction that a row was made from."""
    request: JsonMap = json.loads(row["request"])
    return Prediction(
        id=row["id"],
        system=row["system"],
        release=row["release"],
        generation=row["generation"],
        key=row["key"],
        at_us=to_us(row["at"]),
        request=request,
        features=tuple(json.loads(row["features"])),
        ages_us=tuple(row["ages_us"]),
        score=row["score"],
        others=tuple((one["release"], one["score"]) for one in row["others"]),
        latency_us=row["latency_us"],
        fallback=row.get("fallback") or "",  # no such column: none had been answered so
        cause=row.get("cause") or "",
        later=tuple((one["release"], one["score"]) for one in row.get("later") or ()),
    )
