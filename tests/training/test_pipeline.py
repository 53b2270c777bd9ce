"""From questions to a trial and a model: what is held out, what is refused, what is kept."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from polars.testing import assert_frame_equal

from trimtab.kernel.artefact import Artefact, current_attach
from trimtab.kernel.canonical import Json, canonical, sha256
from trimtab.kernel.errors import Refused, UnknownName
from trimtab.kernel.moment import from_us, to_us
from trimtab.training.pipeline import AT, KEY, LABEL, RESERVED, ipc, split, train, training_set, within
from trimtab.training.spec import TrainingSpec, spec_from
from trimtab.training.training_data import TrainingData
from trimtab.training.workshop import Workshops, workshops

UNTIL = datetime(2013, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def spec(system: str = "s", *, holdout_days: float = 7, champion_until: datetime | None = None) -> TrainingSpec:
    return TrainingSpec(
        system=system,
        until_us=to_us(UNTIL),
        holdout_us=int(holdout_days * 86_400_000_000),
        sources={"flights": [3, "abc"]},
        views=(("schedule", "def"),),
        code="123",
        champion="" if champion_until is None else "fed",
        champion_until_us=0 if champion_until is None else to_us(champion_until),
    )


def questions(ats: list[datetime], labels: list[Any] | None = None) -> pl.DataFrame:
    rows = len(ats)
    return pl.DataFrame(
        {
            KEY: [f"k{n:03d}" for n in range(rows)],
            "carrier": [("AA", "UA", None)[n % 3] for n in range(rows)],
            AT: ats,
            LABEL: [n % 3 == 0 for n in range(rows)] if labels is None else labels,
            "schedule.carrier": [("AA", "UA", None)[n % 3] for n in range(rows)],
            "schedule.hour": [float(n % 24) for n in range(rows)],
        },
        schema_overrides={AT: pl.Datetime("us", "UTC")},
    )


def days(count: int, per_day: int = 4) -> list[datetime]:
    return [UNTIL - DAY * (count - n / per_day) for n in range(count * per_day)]


class Shop:
    """A workshop whose model remembers what it was fitted on, and says how many rows that were."""

    feature_names = ["schedule.carrier", "schedule.hour"]  # noqa: RUF012 - as the protocol has it

    def __init__(self, rows: pl.DataFrame) -> None:
        self.rows = rows
        self.fitted: list[TrainingData] = []
        self.asked: list[str] = []

    def training_set(self, spec: TrainingSpec) -> pl.DataFrame:
        return self.rows.filter(pl.col(AT) <= from_us(spec.until_us))

    def fit(self, data: TrainingData) -> bytes:
        self.fitted.append(data)
        return f"{len(data.y)}".encode()

    def predict(self, model: bytes, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.full(len(matrix), float(model) / 1000)

    def prove(self, model: bytes, matrix: NDArray[np.float64]) -> dict[str, Json]:
        return {"fast": True, "rows": len(matrix), "of": model.decode()}

    def champion_scores(self, release: str, questions: pl.DataFrame) -> NDArray[np.float64]:
        self.asked.append(release)
        return np.linspace(0, 1, questions.height)


def opened(system: str, rows: pl.DataFrame) -> Shop:
    shop = Shop(rows)
    workshops.open(system, shop)
    return shop


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.integers(-40 * 24, 0), min_size=1, max_size=30),
    st.integers(1, 30 * 24),
    st.none() | st.integers(-40 * 24, 0),
)
def test_what_the_champion_was_trained_on_is_never_held_out(
    hours: list[int], holdout_h: int, champion_h: int | None
) -> None:
    champion = None if champion_h is None else UNTIL + timedelta(hours=champion_h)
    rows = questions([UNTIL + timedelta(hours=hour) for hour in sorted(hours)])
    given_spec = spec(holdout_days=holdout_h / 24, champion_until=champion)
    try:
        before, after = split(rows, given_spec)
    except Refused:
        late = [at for at in rows[AT] if at >= UNTIL - timedelta(hours=holdout_h)]
        unseen = [at for at in late if champion is None or at > champion]
        assert not unseen or len(unseen) == rows.height
        return
    assert not before.is_empty() and not after.is_empty()
    assert before[AT].max() < after[AT].min()  # type: ignore[operator]
    assert_frame_equal(pl.concat([before, after]), rows)
    assert after[AT].min() >= UNTIL - timedelta(hours=holdout_h)  # type: ignore[operator]
    if champion is not None:
        assert after[AT].min() > champion  # type: ignore[operator]


def test_the_champions_last_instant_is_its_own() -> None:
    """It was trained on questions up to and with that instant."""
    rows = questions(days(30))
    before, after = split(rows, spec(champion_until=UNTIL - DAY))
    assert (before[AT][-1], after[AT][0]) == (UNTIL - DAY, UNTIL - DAY * 0.75)


@pytest.mark.parametrize(
    ("holdout_days", "champion", "because"),
    [
        (60, None, "0 rows are before the held-out period and 120 in it"),
        (0.1, None, "120 rows are before the held-out period and 0 in it"),
        (7, UNTIL, "120 rows are before the held-out period and 0 in it"),
    ],
)
def test_a_trial_needs_rows_on_both_sides(holdout_days: float, champion: datetime | None, because: str) -> None:
    with pytest.raises(Refused) as refused:
        split(questions(days(30)), spec(holdout_days=holdout_days, champion_until=champion))
    assert (refused.value.what, refused.value.got) == ("training of s was refused", because)
    assert refused.value.allowed == "rows on both sides"
    assert "holdout" in refused.value.do


@pytest.mark.parametrize(
    ("rows", "because", "allowed"),
    [
        (questions(days(13))[:49], "49 questions have a known label, of 2 classes", "at least 50 rows"),
        (questions(days(20), [True] * 80), "80 questions have a known label, of 1 classes", "both classes"),
        (questions([]), "0 questions have a known label, of 0 classes", "at least 50 rows"),
        (questions(days(20), [n % 3 for n in range(80)]), "the label has 1 values other than 0 and 1", "0 and 1"),
        (questions(days(20), [n % 2 + 0.5 for n in range(80)]), "the label has 2 values other than 0 and 1", "0"),
    ],
    ids=["few", "one class", "none", "three classes", "no classes"],
)
def test_what_cannot_be_learnt_from_is_refused(rows: pl.DataFrame, because: str, allowed: str) -> None:
    opened("poor", rows)
    with pytest.raises(Refused) as refused:
        training_set(spec("poor").body())
    assert (refused.value.what, refused.value.got) == ("training of poor was refused", because)
    assert allowed in refused.value.allowed
    assert refused.value.do


@pytest.mark.parametrize("labels", [[n % 2 for n in range(80)], [float(n % 2) for n in range(80)]])
def test_a_label_may_be_a_number(labels: list[Any]) -> None:
    opened("numbers", questions(days(20), labels))
    assert training_set(spec("numbers").body()).height == 80


def test_the_training_set_stands_in_the_order_of_the_questions() -> None:
    rows = questions(days(20))
    opened("mixed", rows.sample(fraction=1, shuffle=True, seed=3))
    assert_frame_equal(training_set(spec("mixed").body()), rows)


def test_a_run_from_end_to_end() -> None:
    shop = opened("whole", questions(days(30)))
    kept: dict[str, bytes] = {}

    def keep(name: str, data: bytes) -> Artefact:
        kept[name] = data
        return Artefact(name, sha256(data), len(data), lambda: data)

    token = current_attach.set(keep)
    try:
        result = train(spec("whole").body())
    finally:
        current_attach.reset(token)
    canonical(result)  # plain data
    assert sorted(len(data.y) for data in shop.fitted) == [92, 120], "the trial has not seen what is held out"
    assert (result["rows"], result["trial_rows"]) == (120, 28)
    assert (result["first_at"], result["last_at"]) == (days(30)[0].isoformat(), days(30)[-1].isoformat())
    assert result["base_rate"] == pytest.approx(40 / 120)
    assert result["features"] == [
        {"name": "schedule.carrier", "categories": ["AA", "UA"]},
        {"name": "schedule.hour", "categories": None},
    ]
    assert kept["model"] == b"120"
    assert result["predictor"] == {"fast": True, "rows": 120, "of": "120"}, "what is proved is what is released"
    assert {name: sha256(data) for name, data in kept.items()} == {
        "model": result["model"],
        "trial.arrow": result["trial"],
        "training_set.arrow": result["training_set"],
    }
    judged = pl.read_ipc(io.BytesIO(kept["trial.arrow"]))
    assert judged.columns == ["label", "challenger", "champion", "block", KEY, "carrier"]
    assert judged["challenger"].unique().to_list() == [0.092], "what is judged is the model of the rows before"
    base_rate = float(min(shop.fitted, key=lambda data: len(data.y)).y.mean())
    assert judged["champion"].unique().to_list() == [base_rate], "nothing of the held-out days is in the base rate"
    assert judged["block"].n_unique() == 7
    assert shop.asked == []


class Changed(Shop):
    """A workshop whose model says the base rate of what it was fitted on: after a change, the fewer the better."""

    def fit(self, data: TrainingData) -> bytes:
        self.fitted.append(data)
        return f"{data.y.mean():.6f}/{len(data.y)}".encode()

    def predict(self, model: bytes, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.full(len(matrix), float(model.split(b"/")[0]))


def windowed(system: str, changed_before_days: int, windows: list[timedelta]) -> tuple[dict[str, Any], Changed]:
    """Late are one in four until the world changes, and three in four from then on."""
    ats = days(60)
    late = [(n % 4 == 0) if at < UNTIL - DAY * changed_before_days else (n % 4 != 0) for n, at in enumerate(ats)]
    shop = Changed(questions(ats, late))
    workshops.open(system, shop)
    windows_us: list[Json] = [int(one / timedelta(microseconds=1)) for one in windows]
    return train({**spec(system).body(), "windows_us": windows_us}), shop


ALL, FORTNIGHT = timedelta(), 14 * DAY


@pytest.mark.parametrize("windows", [[ALL, FORTNIGHT], [FORTNIGHT, ALL], [FORTNIGHT, ALL, FORTNIGHT]])
def test_after_a_change_the_model_is_one_of_the_short_window(windows: list[timedelta]) -> None:
    result, shop = windowed("changed", 21, windows)
    canonical(result)
    assert result["window_us"] == FORTNIGHT // timedelta(microseconds=1)
    assert set(result["backtest"]) == {"0", str(result["window_us"])}
    assert result["backtest"][str(result["window_us"])] < result["backtest"]["0"]
    assert result["rows"] == 56, "what is kept is what the model was fitted on"
    assert result["first_at"] == (UNTIL - FORTNIGHT).isoformat()
    tried = sorted(len(data.y) for data in shop.fitted[:-1])
    assert tried == [56, 53 * 4, 240], "each window once, on rows before the held-out days; all rows ahead of time"
    assert result["model"] == sha256(b"0.750000/56")
    last = shop.rows.filter(pl.col(AT) >= UNTIL - FORTNIGHT)
    np.testing.assert_array_equal(shop.fitted[-1].y, last[LABEL].cast(pl.Float64).to_numpy())


def test_without_a_change_the_model_is_one_of_all_history() -> None:
    result, shop = windowed("steady", 0, [FORTNIGHT, ALL])
    assert (result["window_us"], result["rows"]) == (0, 240)
    assert max(len(data.y) for data in shop.fitted) == 240


def test_a_window_that_is_longer_than_history_is_all_of_it() -> None:
    result, _ = windowed("young", 21, [timedelta(days=999), FORTNIGHT])
    assert set(result["backtest"]) == {str(one // timedelta(microseconds=1)) for one in (999 * DAY, FORTNIGHT)}
    alone, shop = windowed("alone", 21, [timedelta(days=999)])
    assert alone["rows"] == 240 == max(len(data.y) for data in shop.fitted)
    assert alone["window_us"] == 999 * DAY // timedelta(microseconds=1)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-40 * 24, 0), min_size=1, max_size=30), st.integers(1, 50 * 24))
def test_a_window_ends_with_the_last_row(hours: list[int], window_h: int) -> None:
    rows = questions([UNTIL + timedelta(hours=hour) for hour in sorted(hours)])
    kept = within(rows, window_h * 3_600_000_000)
    expected = [hour for hour in sorted(hours) if hour > max(hours) - window_h]
    assert kept[AT].to_list() == [UNTIL + timedelta(hours=hour) for hour in expected]
    assert_frame_equal(within(rows, 0), rows)


def test_a_champion_is_asked_with_its_own_code() -> None:
    shop = opened("older", questions(days(30)))
    train(spec("older", champion_until=UNTIL - 3 * DAY).body())
    assert shop.asked == ["fed"]
    assert min(len(data.y) for data in shop.fitted) == 109


def test_the_same_spec_makes_the_same_run() -> None:
    shop = opened("again", questions(days(30)))
    first, second = train(spec("again").body()), train(spec("again").body())
    assert canonical(first) == canonical(second)
    assert {data.seed for data in shop.fitted} == {shop.fitted[0].seed}


def test_no_request_field_may_be_called_like_a_column_of_the_trial() -> None:
    shop = opened("names", questions(days(30)))
    judged: list[pl.DataFrame] = []

    def keep(name: str, data: bytes) -> Artefact:
        if name == "trial.arrow":
            judged.append(pl.read_ipc(io.BytesIO(data)))
        return Artefact(name, sha256(data), len(data), lambda: data)

    token = current_attach.set(keep)
    try:
        train(spec("names").body())
    finally:
        current_attach.reset(token)
    own = set(judged[0].columns) - {"carrier"}
    assert own | {AT, LABEL} == set(RESERVED)
    assert not set(RESERVED) & set(shop.feature_names)


def test_a_spec_names_its_run() -> None:
    one = spec()
    assert spec_from(one.body()) == one
    assert one.id == spec().id
    assert one.id.startswith("train-s-")
    others = [
        spec("t"),
        spec(holdout_days=8),
        spec(champion_until=UNTIL),
        spec_from({**one.body(), "until_us": 1}),
        spec_from({**one.body(), "code": "124"}),
        spec_from({**one.body(), "sources": {"flights": [4, "abc"]}}),
        spec_from({**one.body(), "views": [["schedule", "dee"]]}),
        spec_from({**one.body(), "windows_us": [0, 1]}),
    ]
    assert len({one.id, *(other.id for other in others)}) == len(others) + 1


def test_the_same_frame_is_the_same_bytes() -> None:
    frame = questions(days(30))
    chunked = pl.concat([frame[:50], frame[50:]], rechunk=False)
    assert ipc(frame) == ipc(chunked)
    assert pl.read_ipc(io.BytesIO(ipc(frame))).equals(frame)


def test_a_system_without_a_workshop_is_named() -> None:
    shops = Workshops()
    shops.open("here", Shop(questions(days(1))))
    with pytest.raises(UnknownName) as unknown:
        shops.of("there")
    assert (unknown.value.allowed, unknown.value.got) == ("here", "there")
