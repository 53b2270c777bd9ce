"""The records of rows that are answered together, column by column: to make them one by one costs a small model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any, NamedTuple

from trimtab.ports.feature_reader import FeatureBlock
from trimtab.ports.typed_rows import TypedRows
from trimtab.serving.block import Block
from trimtab.serving.record import Record
from trimtab.serving.scoring import Scored
from trimtab.serving.wire import Row


class Rows(NamedTuple):
    """Rows that are answered together."""

    sent: Sequence[Row]  # as they came
    asked: Sequence[Row]  # without `as_of`
    at_us: Sequence[int]
    keys: Sequence[str]


def records(
    system: str,
    generation: int,
    rows: Rows,
    drawn: Sequence[str],
    scored: Mapping[str, Scored],
    latency_us: Sequence[int],
    *,
    divided: bool,
) -> Sequence[Record]:
    """A record of each row; all in a block if they need no more than that.

    Args:
        system: that answers.
        generation: of the route in force.
        rows: that are answered.
        drawn: the release that is to answer each; the champion does where that one has not scored.
        scored: what each release says, the champion first.
        latency_us: of each row's request.
        divided: whether each row has been scored by the release that answers it, and by no other one.
    """
    champion, *others = scored
    answering = drawn
    if any(one not in scored for one in set(drawn)):
        answering = [one if one in scored else champion for one in drawn]
    own = scored[champion]
    values, ages_us, scores, beside = own.block.values, own.block.ages_us, own.scores, repeat(())
    # One row saves nothing, and in a block none has an instant of its own.
    alone = own.block.sent is not None and len(rows.sent) > 1 and rows.asked is rows.sent
    if others:
        said = {digest: one.scores for digest, one in scored.items()}
        scores = [said[digest][index] for index, digest in enumerate(answering)]
        blocks = {digest: one.block for digest, one in scored.items()}
        if any(one is not own.block for one in blocks.values()):
            values, ages_us = _seen(answering, blocks)
            alone = False
        if not divided:
            beside = _beside(answering, said)  # type: ignore[assignment]
            alone = False
    if alone and isinstance(rows.sent, TypedRows):
        return Block(
            system,
            generation,
            rows.at_us[0],
            sent=rows.sent,
            keys=rows.keys,
            features=own.block,
            releases=answering,
            scores=scores,
            latency_us=latency_us,
        )
    request: Any = rows.sent.records if isinstance(rows.sent, TypedRows) else rows.sent
    columns = (rows.keys, rows.at_us, request, values, ages_us, scores)
    names = (repeat(system), answering, repeat(generation))
    found = list(zip(*names, *columns, beside, latency_us, strict=False))  # what is repeated has no end
    assert len(found) == len(rows.sent), "a row would go without a record"
    return found


def _seen(answering: Sequence[str], blocks: Mapping[str, FeatureBlock]) -> tuple[list[Any], list[Any]]:
    """What each row's release has seen."""
    places = list(enumerate(answering))
    return (
        [blocks[digest].values[index] for index, digest in places],
        [blocks[digest].ages_us[index] for index, digest in places],
    )


def _beside(answering: Sequence[str], said: Mapping[str, Sequence[Any]]) -> list[list[tuple[str, float]]]:
    """What the other releases said to each row, those that had it to score."""
    some = list(said.items())
    return [
        [(one, score) for one, scores in some if one != digest and (score := scores[index]) is not None]
        for index, digest in enumerate(answering)
    ]
