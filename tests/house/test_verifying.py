"""Logged answers are recomputed; each cause is produced for real, by real stores, and found."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from tests.e2e.tiny_life import START
from tests.house.answering import Answers, begun, edited, feed, ingest, made, of_other_file, take

from trimtab.cli.session import Session, session
from trimtab.house.mismatched import Explained
from trimtab.house.parity import parity
from trimtab.house.projecting import project
from trimtab.house.verifying import Asked, Verified, verify
from trimtab.project import open_project
from trimtab.wiring.house import open_house

HOUR = timedelta(hours=1)
WINDOWS = [f"shop_returns.{how}_{window}" for window in ("12h", "3d") for how in ("mean", "count")]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = made(tmp_path_factory.mktemp("verified") / "tiny")
    with session(folder=folder) as open_:
        begun(open_)
    return folder


@pytest.fixture
def living(prepared: Path, tmp_path: Path) -> Iterator[Session]:
    """To go on with: the first release answers since START, when its features were brought up to date."""
    folder = Path(shutil.copytree(prepared, tmp_path / "tiny"))
    with session(folder=folder) as open_:
        yield open_


def champion(living: Session) -> str:
    route = living.house.act.route(living.house.name)
    assert route is not None
    return route.champion


def verified(living: Session, asked: Asked | None = None) -> Verified:
    told: list[tuple[str, int, int]] = []
    found = verify(living.house, asked or Asked(), lambda *one: told.append(one))
    assert {stage for stage, _, _ in told} <= {"answers", "causes"}
    assert [done for stage, done, _ in told if stage == "answers"][-1:] == [found.answers] * bool(found.answers)
    wrong, ours = ({(one.id, one.feature) for one in some} for some in (parity(living.house), found.found))
    assert ours == wrong if asked is None else ours <= wrong
    return found


def causes(found: Verified) -> set[str]:
    return {one.cause for one in found.found}


def only(found: Verified) -> Explained:
    """The first of them, once all have one cause and one reason."""
    assert len({(one.cause, one.because) for one in found.found}) == 1, found.found
    return found.found[0]


def test_a_healthy_system_has_no_mismatch(living: Session) -> None:
    answers, digest = Answers(living), champion(living)
    answers(digest, START)
    take(living, START + 6 * HOUR)
    answers(digest, START + 6 * HOUR)
    take(living, START + 12 * HOUR)
    found = verified(living)
    assert (found.answers, found.of, found.values) == (8, 8, 8 * 7)
    assert found.found == () and found.releases == (digest,)
    assert (found.first_at, found.last_at) == (START, START + 6 * HOUR)


def test_late_data(living: Session) -> None:
    """Returns that become known between two looks: the answers in between could not see them."""
    answers, digest = Answers(living), champion(living)
    take(living, START + 6 * HOUR)
    answers(digest, START + 9 * HOUR)
    assert verified(living).found == ()  # not yet: nobody knows better
    take(living, START + 12 * HOUR)
    found = verified(living)
    one = only(found)
    assert {one.feature for one in found.found} <= set(WINDOWS)
    assert (one.cause, one.version, one.in_force) == ("late data", "returns@000004", "returns@000003")
    assert one.because == (
        "returns@000004 of 2024-03-30 12:00 UTC brought facts that say they were known before the question"
    )
    for hours in (18, 24, 30):
        take(living, START + hours * HOUR)
    assert verified(living) == found


def test_late_data_of_a_view(living: Session) -> None:
    """The count of the day's staff is taken at midnight, and is ingested hours later."""
    answers, digest = Answers(living), champion(living)
    take(living, START + 20 * HOUR)
    answers(digest, START + 25 * HOUR)
    for hours in (30, 54):
        take(living, START + hours * HOUR)
    found = [one for one in verified(living).found if one.feature == "staff.staff"]
    assert {(one.cause, one.version, one.in_force) for one in found} == {
        ("late data", "shops@000003", "shops@000002")
    }


def test_rows_that_are_delivered_late_are_no_mismatch(living: Session) -> None:
    """Ingest tells them that they became known when they came."""
    answers, digest = Answers(living), champion(living)
    answers(digest, START)
    at = pl.lit(START - 5 * HOUR)
    late = pl.DataFrame({"order_id": ["late"], "shop": ["ams"]}).with_columns(
        asked_at=at - timedelta(hours=1), known_at=at, returned=pl.lit(True)
    )
    feed(living.house.project.folder, "returns", late)
    take(living, START + 6 * HOUR)
    version = living.house.versions.version("returns", living.house.versions.current("returns"))
    assert version.backfilled == 1
    assert verified(living).found == ()


def test_staleness(living: Session) -> None:
    """A version was ingested and not yet projected: the online store gives what the one before it holds."""
    answers, digest = Answers(living), champion(living)
    take(living, START + 6 * HOUR)
    ingest(living, START + 12 * HOUR)
    answers(digest, START + 13 * HOUR)
    one = only(verified(living))
    assert (one.cause, one.version, one.in_force) == ("staleness", "returns@000003", "returns@000004")
    assert one.behind == 1
    assert one.because == (
        "the online store held returns@000003 of 2024-03-30 06:00 UTC"
        " while returns@000004 of 2024-03-30 12:00 UTC was in force"
    )
    assert one.feature in WINDOWS and one.served != one.offline


def test_staleness_of_several_versions_and_of_a_view(living: Session) -> None:
    answers, digest = Answers(living), champion(living)
    for hours in (24, 48):
        ingest(living, START + hours * HOUR)
    answers(digest, START + 48 * HOUR)
    found = verified(living)
    assert causes(found) == {"staleness"}
    assert {one.version for one in found.found} == {"returns@000002", "shops@000002"}
    assert {one.in_force for one in found.found} == {"returns@000004", "shops@000004"}
    assert {one.feature for one in found.found} == {*WINDOWS, "staff.staff"}


def test_another_version_of_a_view_in_the_registry(living: Session) -> None:
    """Answers that are logged as of one release, and were made by the definitions of another one."""
    answers, digest = Answers(living), champion(living)
    edited(
        living.house.project.folder, "    return shops\n", '    return shops.with_columns(pl.col("staff") + 100)\n'
    )
    other = of_other_file(living.stores, "system.py", digest, START)
    answers(digest, START, by=living.house.code.system(living.house.releases.get(other)).feature_set)
    one = only(verified(living))
    assert (one.cause, one.feature, one.because) == (
        "version",
        "staff.staff",
        f"it is what release {other[:12]} defines",
    )
    assert one.served == one.offline + 100  # type: ignore[operator]
    answers(other, START)
    assert verified(living, Asked(release=other)).found == ()


def test_another_version_of_a_view_in_the_working_tree(living: Session) -> None:
    """Of features of the request too, and of aggregations."""
    folder, digest = living.house.project.folder, champion(living)
    edited(folder, 'windows=["12h", "3d"]', 'windows=["12h", "3d"], where=pl.col("shop") == "ams"')
    edited(folder, '"shop", "price")\n', '"shop", price=-pl.col("price"))\n')
    again = replace(living, house=open_house(living.stores, project=open_project(folder)))
    project(again.house)
    Answers(again)(digest, START, by=again.house.system.feature_set)
    found = verified(again)
    assert {(one.cause, one.because) for one in found.found} == {("version", "it is what the working tree defines")}
    assert {one.feature for one in found.found} == {"order.price", *WINDOWS}
    request = next(one for one in found.found if one.feature == "order.price")
    assert (request.served, request.offline, request.version, request.in_force) == (-10.0, 10.0, "", "")


def test_code_that_pushes_something_else(living: Session) -> None:
    pushed = of_other_file(living.stores, "pushed.py", champion(living), START)
    Answers(living)(pushed, START)
    one = only(verified(living))
    assert (one.cause, one.feature, one.because) == ("code", "staff.staff", "it is what its push function gives")
    assert one.served == 2 * one.offline  # type: ignore[operator]


def test_code_that_nothing_explains(living: Session) -> None:
    answers, digest = Answers(living), champion(living)
    answers(digest, START, changed={"order.price": 3, "shop_returns.count_12h": -1, "staff.staff": None})
    found = verified(living)
    assert causes(found) == {"code"}
    assert {one.feature: one.because for one in found.found} == {
        "order.price": "no other definition gives it",
        "shop_returns.count_12h": (
            "no other definition gives it, and no version from returns@000002 of 2024-03-30 00:00 UTC on"
        ),
        "staff.staff": "no other definition gives it, and no version from shops@000002 of 2024-03-30 00:00 UTC on",
    }
    assert {one.served for one in found.found} == {3, -1, None}


def test_a_life_with_a_pushed_feature(lived: Session) -> None:
    """Hundreds of answers by HTTP, replayed: those of the pushed release differ, by its push, and no others."""
    found = verified(lived)
    pushed = next(digest for digest, body in lived.house.releases.all("tiny") if body.get("override"))
    assert found.answers > 200 and {one.release for one in found.found} == {pushed}
    assert only(found).because == "it is what its push function gives"
    assert {one.feature for one in found.found} == {"staff.staff"}


def test_only_the_answers_asked_about(living: Session) -> None:
    answers, digest = Answers(living), champion(living)
    pushed = of_other_file(living.stores, "pushed.py", digest, START)
    first = answers(digest, START)
    wrong = answers(pushed, START + HOUR)
    last = answers(digest, START + 6 * HOUR)
    assert {one.id for one in verified(living).found} == set(wrong)
    assert verified(living, Asked(release=digest)).answers == len(first + last)
    assert verified(living, Asked(since=START + HOUR)).answers == len(wrong + last)
    assert verified(living, Asked(until=START + HOUR)).answers == len(first + wrong)
    assert verified(living, Asked(last=6 * HOUR)).answers == len(wrong + last)
    assert verified(living, Asked(last=5 * HOUR)).answers == len(last)
    nothing = verified(living, Asked(until=datetime(2020, 1, 1, tzinfo=UTC)))
    assert (nothing.answers, nothing.first_at, nothing.releases) == (0, None, ())
    sample = verified(living, Asked(sample=5))
    assert (sample.answers, sample.of, sample.values) == (5, 12, 35)
    assert verified(living, Asked(sample=5)) == sample
    assert verified(living, Asked(sample=50)).answers == 12


def test_without_answers(living: Session) -> None:
    assert verify(living.house, Asked(), lambda *_: None).answers == 0
