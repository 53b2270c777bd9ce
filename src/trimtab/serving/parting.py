"""Parting: a sealed segment becomes the rows that are kept, and what proves them without the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from trimtab.kernel.moment import from_us
from trimtab.kernel.prediction import Prediction
from trimtab.serving.log_reader import frame_of_predictions, prediction_of_row
from trimtab.serving.logged_form import logged_form
from trimtab.serving.pairing import Paired, Unscored, as_they_are
from trimtab.serving.proofs import Part
from trimtab.serving.segment import Segment
from trimtab.stats.merkle_proof import leaf_hash, pruned


@dataclass
class Parted:
    """Some segments, parted."""

    rows: pl.DataFrame  # of the table
    kept: dict[str, dict[date, int]] = field(default_factory=dict)  # rows by segment and day
    beside: dict[str, int] = field(default_factory=dict)  # by segment: records that are no answers, but shadows'
    parts: dict[date, dict[str, Part]] = field(default_factory=lambda: defaultdict(dict))  # where one is needed
    unscored: tuple[Unscored, ...] = ()  # what a release that was to be compared could not score


def parted(
    batch: Iterable[Segment],
    keeps: Callable[[Prediction], bool],
    pair: Callable[[Sequence[Prediction]], Paired] = as_they_are,
) -> Parted:
    """Part segments by what is kept; of that, have each row scored by who was to be compared.

    A segment whose records are all kept, of one day, and give back their bytes needs no proof but its root.
    """
    rows: list[tuple[str, Prediction]] = []
    found: list[tuple[Segment, list[Prediction], list[bool]]] = []
    for segment in batch:
        records = list(segment.predictions())
        stays = [keeps(one) for one in records]
        found.append((segment, records, stays))
        rows += [(segment.header.name, one) for one, kept in zip(records, stays, strict=True) if kept]
    paired = pair([one for _, one in rows])
    frame = frame_of_predictions(zip([name for name, _ in rows], paired.records, strict=True))
    done = Parted(frame, unscored=paired.unscored)
    written = frame.iter_rows(named=True)
    for segment, records, stays in found:
        faithful = [
            kept and gives_back(next(written), record)
            for kept, (_, record) in zip(stays, segment.records, strict=True)
        ]
        _part(done, segment, records, stays, faithful)
    return done


def gives_back(row: dict[str, Any], record: bytes) -> bool:
    """Whether a row of the table gives the bytes that were logged."""
    return logged_form(prediction_of_row(row)) == record


def _part(
    done: Parted, segment: Segment, records: list[Prediction], stays: list[bool], faithful: list[bool]
) -> None:
    days: dict[date, list[int]] = defaultdict(list)
    for place, one in enumerate(records):
        days[from_us(one.at_us).date()].append(place)
    name = segment.header.name
    counts = {day: sum(stays[place] for place in places) for day, places in sorted(days.items())}
    done.beside[name] = sum(one.generation < 0 for one in records)
    done.kept[name] = {day: count for day, count in counts.items() if count}
    if len(days) <= 1 and all(faithful):
        return
    leaves = [leaf_hash(record) for _, record in segment.records]
    for day, places in days.items():
        proved = [place for place in places if faithful[place]]
        done.parts[day][name] = Part(
            records=len(records),
            kept=tuple(place for place in places if stays[place]),
            other_form=tuple(place for place in places if stays[place] and not faithful[place]),
            left_out=tuple(
                (segment.records[place][0], records[place].at_us // 1000) for place in places if not stays[place]
            ),
            hashes=b"".join(pruned(leaves, proved)),
        )
