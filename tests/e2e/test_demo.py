"""`trimtab demo`: what it says of April 2013 is what the raw data say."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from sklearn.metrics import roc_auc_score
from tests.e2e.conftest import DAYS, Lived, copied, demo, demo_lived, small_lived
from tests.e2e.flights import START, asked_between
from tests.e2e.living import figures_of
from tests.e2e.stores import answers, assert_nothing_twice, predictions, story

from trimtab import loop
from trimtab.cli.session import session
from trimtab.house.training_run import spec_of
from trimtab.monitoring.monitors import performance
from trimtab.training.pipeline import AT, KEY, LABEL
from trimtab.training.training_data import encode
from trimtab.wiring.models import FORMATS

GOLDEN_AUC, WITHIN = 0.743, 0.008
APRIL_ASKED, APRIL_LABELLED = 28_330, 27_564
GOLDEN_FROZEN = 0.7235
YEAR_ASKED, YEAR_LABELLED = 255_987, 249_435
YEAR_DAYS, YEAR_KILLS, YEAR_S = 275, 12, 1800.0
UNTIL = START + timedelta(days=DAYS)
SETTLED = UNTIL + timedelta(hours=12)


@pytest.fixture(scope="module")
def truth() -> pl.DataFrame:
    return asked_between(START, UNTIL, SETTLED)


def test_one_prediction_for_each_flight_of_the_period(undisturbed: Lived, truth: pl.DataFrame) -> None:
    kept = predictions(undisturbed.folder)
    assert sorted(kept["key"]) == sorted(truth["key"])
    assert undisturbed.figures["predictions"] == undisturbed.figures["predictions_distinct"] == truth.height
    assert_nothing_twice(undisturbed.folder)


def test_labels_are_those_that_were_known(undisturbed: Lived, truth: pl.DataFrame) -> None:
    assert undisturbed.figures["labels_joined"] == truth["late"].count()
    assert truth["late"].null_count() > 0  # cancelled, diverted, or not landed yet


def test_auc_is_that_of_the_raw_labels(undisturbed: Lived, truth: pl.DataFrame) -> None:
    joined = predictions(undisturbed.folder).join(truth.drop_nulls(), on="key")
    with session(folder=undisturbed.folder) as open_:
        house = open_.house
        labelled = house.measure.labelled(house.name, house.system.label, SETTLED)
        [measured] = performance("roc_auc", zone="America/New_York").measure(house.name, labelled)
    assert measured.value == pytest.approx(roc_auc_score(joined["late"], joined["score"]), abs=1e-12)
    assert measured.rows == joined.height


def test_every_record_opens_by_its_id(undisturbed: Lived, small: Lived) -> None:
    for project, most in [(small, 1000), (undisturbed, 200)]:
        kept = predictions(project.folder).select("id", "key", "at", "score", "release").rows()
        with session(folder=project.folder) as open_:
            for id, key, at, score, release in random.Random(0).sample(kept, min(most, len(kept))):
                found = open_.house.log.find(id)
                assert (found.id, found.key, found.at_us) == (id, key, round(at.timestamp() * 1e6))
                assert (found.score, found.release) == (score, release)


def test_figures_of_health(undisturbed: Lived) -> None:
    assert undisturbed.figures["online_offline_mismatches"] == 0
    assert undisturbed.figures["ledger_verified"] is True
    assert undisturbed.figures["ledger_entries"] == len(story(undisturbed.folder))
    assert undisturbed.figures["quarantined_rows"] == 1  # a wind of 1,048 mph at Newark in February
    assert undisturbed.figures["promotions"] == 0  # the first release replaced none


def test_the_same_command_again_changes_nothing(undisturbed: Lived) -> None:
    before, wrote = story(undisturbed.folder), sorted(_commits(undisturbed.folder))
    assert demo_lived(undisturbed.folder).figures == undisturbed.figures
    assert story(undisturbed.folder) == before
    assert sorted(_commits(undisturbed.folder)) == wrote


def test_from_empty_in_another_place_all_is_the_same(undisturbed: Lived, prepared: Lived) -> None:
    """Nothing that is decided or answered depends on the place, on the hour, or on what was killed."""
    assert _releases(prepared.folder) == _releases(undisturbed.folder)
    assert len(_releases(prepared.folder)) == 1
    ours = story(prepared.folder)
    assert story(undisturbed.folder)[: len(ours)] == ours
    assert _pinned(prepared.folder) == _pinned(undisturbed.folder)[: len(_pinned(prepared.folder))]


@pytest.mark.parametrize("step_h", [1, 24])
def test_the_clock_s_step_makes_no_difference(
    prepared: Lived, undisturbed: Lived, tmp_path: Path, step_h: int
) -> None:
    folder = copied(prepared, tmp_path / "flights")
    lived = demo_lived(folder, days=1, step_h=step_h)
    day = answers(undisturbed.folder).filter(pl.col("at") <= START + timedelta(days=1))
    assert lived.figures["online_offline_mismatches"] == 0
    assert answers(folder).equals(day)


def test_the_clock_s_step_makes_no_difference_to_a_retraining(small: Lived, tmp_path: Path) -> None:
    """Both steps have a tick when the retraining is due; its release answers from then on, and not before."""
    fine = small_lived(tmp_path / "fine", step_h=2)
    # A release names the dataset versions that it was trained on; of these there are more where steps are shorter.
    assert answers(fine.folder).drop("release").equals(answers(small.folder).drop("release"))
    assert {**fine.figures, "ledger_entries": 0} == {**small.figures, "ledger_entries": 0}
    asked = answers(small.folder).group_by("release").agg(pl.col("at").min(), pl.col("at").max().alias("last"))
    with session(folder=small.folder) as open_:
        trained = [open_.house.releases.get(digest).training["until_us"] for digest in asked["release"]]
    asked = asked.with_columns(until=pl.Series(trained).cast(pl.Datetime("us", "UTC"))).sort("at")
    assert asked["until"].to_list() == [datetime(2024, 3, 30, tzinfo=UTC), datetime(2024, 4, 1, 12, tzinfo=UTC)]
    assert asked["last"][0] == asked["until"][1] < asked["at"][1]


def test_the_small_system_s_month_is_measured_as_sklearn_does(small: Lived) -> None:
    truth = pl.read_parquet(small.folder / "data" / "returns.parquet").select("order_id", "returned", "known_at")
    march = predictions(small.folder).filter(pl.col("at") < datetime(2024, 4, 1, tzinfo=UTC))
    known = truth.filter(pl.col("known_at") <= datetime(2024, 4, 1, 6, tzinfo=UTC))
    joined = march.join(known, left_on="key", right_on="order_id")
    [measured] = small.figures["frozen_auc_by_month"].values()
    assert measured == pytest.approx(roc_auc_score(joined["returned"], joined["score"]), abs=1e-12)


def test_golden_auc_of_april_from_the_served_definition(
    prepared: Lived, undisturbed: Lived, tmp_path: Path
) -> None:
    """The release that the demo serves, on all of April's flights, with features computed offline."""
    with session(folder=copied(prepared, tmp_path / "flights")) as open_:
        house = open_.house
        now = START + timedelta(days=30, hours=12)
        list(loop.ingest(house, now))
        rows = house.workshop().training_set(spec_of(house, now))
        april = rows.filter(pl.col(AT) > START, pl.col(AT) <= START + timedelta(days=30))
        [(digest, _)] = house.releases.all(house.name)
        release = house.releases.get(digest)
        [format] = [one for one in FORMATS if one.name == release.model_format]
        scores = format.load(house.blobs.get(release.model)).predict(encode(april, release.features))
    assert april.height == APRIL_LABELLED
    assert abs(roc_auc_score(april[LABEL], scores) - GOLDEN_AUC) < WITHIN
    offline = pl.DataFrame({"key": april[KEY], "offline": scores})
    both = predictions(undisturbed.folder).select("key", "score").join(offline, on="key")
    assert both.height > 1_800
    assert both["score"].equals(both["offline"].alias("score"))


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Every flight from April on, in one go."""
    return demo_lived(tmp_path_factory.mktemp("year") / "flights", days=YEAR_DAYS, step_h=24, within_s=YEAR_S)


@pytest.mark.slow
@pytest.mark.timeout(2 * YEAR_S)
def test_the_year_against_golden_numbers(year: Lived) -> None:
    """Every flight from April on, its label, and all that goes wrong on purpose: against golden numbers."""
    found = year.figures
    assert found["predictions"] == found["predictions_distinct"] == YEAR_ASKED
    assert found["labels_joined"] == YEAR_LABELLED
    assert abs(found["frozen_auc_by_month"]["2013-04"] - GOLDEN_AUC) < WITHIN
    assert abs(found["frozen_auc_mean"] - GOLDEN_FROZEN) < WITHIN
    assert found["managed_auc_mean"] >= 0.745
    assert all(len(found[f"{name}_auc_by_month"]) == 9 for name in ("managed", "frozen"))
    bad = found["bad_release"]
    assert 0 < bad["exposed"] <= 300 and bad["share"] <= 0.05
    assert "origin_weather.temp_f" in bad["reason"]
    assert found["online_offline_mismatches"] == bad["exposed"]
    assert found["mismatches_of_healthy_releases"] == 0
    assert found["retrains"] >= 8 and found["promotions"] >= 5 and found["refusals"] >= 1
    assert found["schema_change"]["rows"] > 0 and "temp_f" in found["schema_change"]["reason"]
    assert found["poisoned_labels"]["rows"] > 0 and "late share" in found["poisoned_labels"]["reason"]
    offline, served, honest = (found["leak"][f"{name}_auc"] for name in ("offline", "served", "honest"))
    assert abs(offline - 0.7755) < WITHIN and abs(served - 0.6840) < WITHIN and abs(honest - GOLDEN_FROZEN) < WITHIN
    assert found["ledger_verified"]
    assert_nothing_twice(year.folder)
    truth = asked_between(START, START + timedelta(days=30), START + timedelta(days=YEAR_DAYS, hours=12))
    april = predictions(year.folder).join(truth.drop_nulls(), on="key")
    assert truth.height == APRIL_ASKED
    assert roc_auc_score(april["late"], april["score"]) == pytest.approx(
        found["frozen_auc_by_month"]["2013-04"], abs=1e-12
    )
    page = (year.folder / "report.html").read_text()
    assert f"{found['managed_auc_mean']:.4f}" in page and "https://" not in page


@pytest.mark.slow
@pytest.mark.timeout(3 * YEAR_S)
def test_the_year_killed_and_taken_up(year: Lived, tmp_path: Path) -> None:
    """`kill -9` every now and then, whatever is being done: the same year."""
    folder = tmp_path / "flights"
    chance = random.Random(2013)
    kills = 0
    for _ in range(YEAR_KILLS):
        life = demo(folder, days=YEAR_DAYS, step_h=24)
        with suppress(subprocess.TimeoutExpired):
            life.process.wait(chance.uniform(10.0, 50.0))
        kills += life.kill()
    demo(folder, days=YEAR_DAYS, step_h=24).ends(YEAR_S)
    assert kills == YEAR_KILLS
    assert figures_of(folder.with_suffix(".json")) == year.figures
    assert story(folder) == story(year.folder)
    assert answers(folder).equals(answers(year.folder))
    assert_nothing_twice(folder)


def _commits(folder: Path) -> Iterator[str]:
    return (str(path) for path in (folder / ".trimtab" / "tables").rglob("_delta_log/*.json"))


def _releases(folder: Path) -> list[str]:
    with session(folder=folder) as open_:
        return [digest for digest, _ in open_.house.releases.all(open_.house.name)]


def _pinned(folder: Path) -> list[tuple[str, str]]:
    """Dataset versions by their digests."""
    with session(folder=folder) as open_:
        return [(id, str(body["digest"])) for id, body in open_.house.reader.records("dataset_version")]
