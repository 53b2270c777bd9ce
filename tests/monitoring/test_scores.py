"""Who scored what: a release's score of a row, whether it answered it or stood beside."""

from __future__ import annotations

from random import Random
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from trimtab.kernel.prediction import Prediction
from trimtab.monitoring.scores import ANSWERED, answered, score_of, scored_by
from trimtab.serving.log_reader import FRAME_SCHEMA, frame_of_predictions

NAMES = ["aaa", "bbb", "ccc"]
SCORE = st.floats(0, 1)
ROWS = st.lists(
    st.tuples(st.sampled_from(NAMES), SCORE, st.dictionaries(st.sampled_from(NAMES), SCORE, max_size=3)), max_size=8
)
Row = tuple[str, float, dict[str, float]]


def frame(rows: list[Row]) -> pl.DataFrame:
    """As the predictions table holds them: nobody stands beside its own answer."""
    return pl.DataFrame(
        {
            "number": list(range(len(rows))),
            "release": [release for release, _, _ in rows],
            "score": [score for _, score, _ in rows],
            "others": [
                [{"release": name, "score": one} for name, one in beside.items() if name != release]
                for release, _, beside in rows
            ],
        },
        schema={"number": pl.Int64(), **{name: FRAME_SCHEMA[name] for name in ("release", "score", "others")}},
    )


def said(row: Row, name: str) -> float | None:
    release, score, beside = row
    return score if name == release else beside.get(name)


@settings(deadline=None, max_examples=60)
@given(ROWS)
def test_a_release_is_found_whether_it_answered_or_stood_beside(rows: list[Row]) -> None:
    found = frame(rows).select(*(score_of(name).alias(name) for name in [*NAMES, "never"]))
    for name in [*NAMES, "never"]:
        assert found[name].to_list() == [said(row, name) for row in rows]


@settings(deadline=None, max_examples=60)
@given(ROWS.filter(bool))
def test_users_first_then_whoever_scored_all(rows: list[Row]) -> None:
    answered = {row[0] for row in rows}
    expected: dict[str, list[float | None]] = {ANSWERED: [row[1] for row in rows]} if len(answered) > 1 else {}
    expected |= {
        name: [said(row, name) for row in rows]
        for name in NAMES
        if all(said(row, name) is not None for row in rows)
    }
    found = list(scored_by(frame(rows)))
    assert [name for name, _ in found] == list(expected)
    for name, scored in found:
        assert scored["score"].to_list() == expected[name]
        assert_frame_equal(scored.drop("score"), frame(rows).drop("score"))


def prediction(id: str, release: str, generation: int, score: float, **rest: Any) -> Prediction:
    given = {"request": {"row": id}, "others": (), **rest}
    return Prediction(
        id=id, system="s", release=release, generation=generation, key=id, at_us=1, features=(), ages_us=(),
        score=score, latency_us=0, **given,
    )  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(
    beside=st.lists(st.dictionaries(st.sampled_from(NAMES), SCORE, max_size=3), max_size=6),
    later=st.lists(st.dictionaries(st.sampled_from(NAMES), SCORE, max_size=3), max_size=6),
    chance=st.randoms(use_true_random=False),
)
def test_what_shadows_have_said_since_stands_beside_the_answer(
    beside: list[dict[str, float]], later: list[dict[str, float]], chance: Random
) -> None:
    answers, records, expected = [], [], {}
    for number, now in enumerate(beside):
        id = f"id-{number}"
        since = later[number] if number < len(later) else {}
        answers.append(prediction(id, "champion", 3, 0.5, others=tuple(now.items())))
        records += [
            prediction(f"{id}-{name}", name, -3, score, request={"answer": id}, others=(("champion", 0.5),))
            for name, score in since.items()
            if name not in now
        ]
        expected[id] = {**since, **now}
    rows = [*answers, prediction("batch", "champion", 0, 0.1), *records]
    chance.shuffle(rows)
    found = answered(frame_of_predictions(("segment", one) for one in rows).lazy()).collect()
    assert found.drop("others").rows() == [
        row for row in frame_of_predictions(("segment", one) for one in rows).drop("others").rows() if row[3] >= 0
    ]
    told = {
        row["id"]: {one["release"]: one["score"] for one in row["others"]} for row in found.iter_rows(named=True)
    }
    assert told == {**expected, "batch": {}}
    for name in NAMES:
        scores = dict(zip(found["id"], found.select(score_of(name)).to_series(), strict=True))
        assert scores == {id: one.get(name) for id, one in told.items()}


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(st.tuples(st.sampled_from(NAMES), st.dictionaries(st.sampled_from(NAMES), SCORE)), max_size=8),
    said=st.booleans(),
)
def test_it_is_one_whether_a_pair_was_scored_before_the_answer_or_when_it_was_compacted(
    rows: list[tuple[str, dict[str, float]]], said: bool
) -> None:
    """With what shadows have said behind it; and in a table of before, which lacks the column."""
    at_once, compacted = [], []
    for number, (release, beside) in enumerate(rows):
        pair = tuple((name, score) for name, score in beside.items() if name != release)
        at_once.append(prediction(f"id-{number}", release, 1, 0.5, others=pair))
        compacted.append(prediction(f"id-{number}", release, 1, 0.5, later=pair))
        if said:
            spoken = prediction(f"s-{number}", "shadow", -1, 0.25, request={"answer": f"id-{number}"})
            at_once.append(spoken)
            compacted.append(spoken)
    frames = [frame_of_predictions(("segment", one) for one in some) for some in (at_once, compacted)]
    expected, found = (answered(one.lazy()).collect().drop("later") for one in frames)
    assert_frame_equal(found, expected)
    assert_frame_equal(answered(frames[0].drop("later").lazy()).collect(), expected)
    assert found["others"].list.len().sum() == sum(len(one.others) + said for one in at_once if one.generation > 0)
