"""A look at a rollout: what it says follows from the stores, and a second look at an instant changes nothing."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date, timedelta

import polars as pl
import pytest
from tests.e2e import canary_life

from trimtab import loop
from trimtab.cli.session import Session
from trimtab.deployment.actions import StepRollout
from trimtab.deployment.rollout import Rollout
from trimtab.house.comparing import compare, look, looks
from trimtab.house.deploying import rollout_plan
from trimtab.house.house import House
from trimtab.house.parity import parity, served
from trimtab.kernel.audience import Audience
from trimtab.kernel.moment import from_us
from trimtab.kernel.route import Route

LATER = canary_life.period(12).settled + timedelta(hours=6)


def seqs(house: House) -> list[int]:
    return [entry.seq for entry in house.reader.entries()]


def rollouts(house: House) -> tuple[Rollout, Rollout]:
    pushed, retrained = house.act.rollouts(house.name)
    return pushed, retrained


def test_a_look_that_was_written_down_stays_as_it_is(copy: Session) -> None:
    house = copy.house
    before = seqs(house)
    for rollout in rollouts(house):
        for seen in looks(house, rollout):
            assert look(house, rollout, from_us(seen.at_us)) == seen
    assert seqs(house) == before
    _, retrained = rollouts(house)
    first = look(house, retrained, LATER)
    assert look(house, retrained, LATER) == first
    assert len(seqs(house)) == len(before) + 1
    assert looks(house, retrained)[-1] == first


def test_each_look_can_be_made_again_from_what_was_known_then(lived: Session) -> None:
    """Labels too: it asks for those that were known at its own instant."""
    for rollout in rollouts(lived.house):
        seen = looks(lived.house, rollout)
        again = compare(lived.house, rollout, from_us(seen[-1].at_us))
        # It counts on from all looks, itself among them.
        assert again.checked == seen[-1].checked
        assert (again.answers, again.days, again.rows) == (seen[-1].answers, seen[-1].days, seen[-1].rows)
        assert (again.harm, again.upper) == pytest.approx((seen[-1].harm, seen[-1].upper), nan_ok=True)


def test_a_pushed_feature_is_found_in_every_answer_and_a_healthy_one_in_none(lived: Session) -> None:
    pushed, retrained = rollouts(lived.house)
    [caught] = looks(lived.house, pushed)
    answered = served(lived.house).select("id", "at", "release").collect()
    by_pushed = answered.filter(pl.col("release") == pushed.release)
    assert caught.answers == caught.checked == caught.mismatched == by_pushed.height > 0
    assert "staff.staff" in caught.example
    assert {one.id for one in parity(lived.house)} == set(by_pushed["id"])
    healthy = looks(lived.house, retrained)
    while_canary = answered.filter(
        pl.col("release") == retrained.release, pl.col("at") <= from_us(healthy[-1].at_us)
    )
    assert healthy[-1].checked == healthy[-1].answers == while_canary.height > 0
    assert {one.mismatched for one in healthy} == {0}
    assert {one.unscored for one in (caught, *healthy)} == {0}


@pytest.mark.parametrize("shops", [("ams", "ber", "cph", "dub"), ("ams", "cph"), ("dub",)], ids=len)
def test_harm_is_what_plain_python_makes_of_the_log_and_the_truth(lived: Session, shops: tuple[str, ...]) -> None:
    """Of a segment too, although this challenger has scored every row, as a shadow does."""
    house = lived.house
    _, rollout = rollouts(house)
    last = looks(house, rollout)[-1]
    if len(shops) < 4:
        last = compare(house, replace(rollout, audience=Audience("shop", shops)), from_us(last.at_us))
    truth = pl.read_parquet(house.project.folder / "data" / "returns.parquet")
    known = dict(truth.filter(pl.col("known_at") <= from_us(last.at_us)).select("order_id", "returned").iter_rows())
    settled = from_us(last.at_us - rollout.settle_us)
    days: dict[date, list[float]] = defaultdict(list)
    for row in served(house).collect().iter_rows(named=True):
        scores = {row["release"]: row["score"], **{one["release"]: one["score"] for one in row["others"]}}
        day = row["at"].date()
        if json.loads(row["request"])["shop"] not in shops:
            continue
        if row["key"] in known and rollout.release in scores and day > from_us(rollout.began_us).date():
            both = [scores[one] for one in (rollout.release, rollout.replaces)]
            right = both if known[row["key"]] else [1 - one for one in both]
            days[day].append(math.log(right[1]) - math.log(right[0]))
    whole = [rows for day, rows in sorted(days.items()) if day < settled.date()]
    assert (last.days, last.rows) == (len(whole), sum(map(len, whole)))
    assert last.days == 3
    assert last.harm == pytest.approx(math.fsum(math.fsum(one) / len(one) for one in whole) / len(whole), abs=1e-12)
    assert last.low <= last.harm <= last.upper


def test_answers_and_checks_are_of_the_segment(lived: Session) -> None:
    house = lived.house
    _, rollout = rollouts(house)
    at = from_us(looks(house, rollout)[-1].at_us)
    both = [
        compare(house, replace(rollout, audience=Audience("shop", shops)), at)
        for shops in (("ams", "cph"), ("ber", "dub"))
    ]
    assert all(one.answers > 0 for one in both)
    assert sum(one.answers for one in both) == compare(house, rollout, at).answers
    assert sum(one.rows for one in both) == compare(house, rollout, at).rows


@dataclass(frozen=True)
class Begun:
    """A rollout that has just begun, in a copy of the lived system."""

    session: Session
    rollout: Rollout
    route: Route

    def ask(self, number: int, generation: int, minutes: int, *others: str, fallback: str | None = None) -> None:
        """An answer of the champion, beside which these releases scored."""
        house = self.session.house
        row = served(house).filter(pl.col("release") == self.route.champion).head(1).collect()
        at = LATER + timedelta(minutes=minutes)
        row = row.with_columns(
            id=pl.lit(f"id-{number}"),
            key=pl.lit(f"key-{number}"),
            generation=pl.lit(generation, pl.Int64),
            at=pl.lit(at).cast(row.schema["at"]),
            date=pl.lit(at.date()),
            others=pl.Series([[{"release": one, "score": 0.5} for one in others]], dtype=row.schema["others"]),
            fallback=pl.lit(fallback, pl.String),
        )
        tables = self.session.stores.tables
        tables.append("predictions", row, writer="test", number=number, note={}, partition_by=["date"])


@pytest.fixture
def begun(copy: Session) -> Begun:
    house = copy.house
    digest = loop.release(house, loop.train(house, LATER, "test"), LATER, "test", "for the test")
    loop.deploy(house, digest, LATER, "test")
    under_way = house.act.rollout(house.name)
    assert under_way is not None
    assert under_way[0].release == digest
    return Begun(copy, *under_way[:2])


def test_a_row_out_of_the_segment_is_not_unscored(begun: Begun) -> None:
    house, rollout, now = begun.session.house, begun.rollout, LATER + timedelta(hours=1)
    begun.ask(1, begun.route.generation, 5)
    shop = json.loads(served(house).filter(pl.col("id") == "id-1").collect()["request"][0])["shop"]
    for field, value, unscored in (("shop", shop, 1), ("shop", "nowhere", 0), ("carrier", shop, 0)):
        assert compare(house, replace(rollout, audience=Audience(field, (value,))), now).unscored == unscored


def test_only_rows_that_the_challenger_was_asked_about_can_be_unscored(begun: Begun) -> None:
    """Those that workers answered before they had the route are none; later ones wait for the next look."""
    house, rollout, now = begun.session.house, begun.rollout, LATER + timedelta(hours=1)
    begun.ask(1, begun.route.generation - 1, 5)  # a worker that had not followed yet
    begun.ask(2, begun.route.generation, 10, rollout.release)
    assert compare(house, rollout, now).unscored == 0
    begun.ask(3, begun.route.generation, 15)
    begun.ask(4, begun.route.generation, 61)
    assert compare(house, rollout, now).unscored == 1
    assert compare(house, rollout, now + timedelta(minutes=2)).unscored == 2


def test_an_answer_of_a_fallback_is_no_evidence(begun: Begun) -> None:
    """The champion could not answer, and the challenger was not asked: it is not to blame."""
    house, rollout, now = begun.session.house, begun.rollout, LATER + timedelta(hours=1)
    begun.ask(1, begun.route.generation, 5, fallback="constant")
    assert compare(house, rollout, now).unscored == 0
    begun.ask(2, begun.route.generation, 10)
    assert compare(house, rollout, now).unscored == 1


def test_the_turn_that_began_a_rollout_does_nothing_when_it_is_done_again(begun: Begun) -> None:
    house = begun.session.house
    before = seqs(house)
    assert list(loop.roll_out(house, LATER)) == []
    assert seqs(house) == before


def test_a_death_behind_the_rollback_does_not_lose_its_alarm(begun: Begun) -> None:
    """The next turn raises it as of the rollback, and says that it is over; further turns say nothing."""
    house, now = begun.session.house, LATER + timedelta(hours=1)
    begun.ask(1, begun.route.generation, 15)
    [action] = plan = rollout_plan(house, now)
    assert isinstance(action, StepRollout) and action.stage == "rolled_back"
    alarms = len(house.alarms.all())
    house.act(plan, at=now, actor="loop")
    for later in (1, 2):
        list(loop.roll_out(house, now + timedelta(hours=later)))
        *_, alarm = house.alarms.all()
        assert len(house.alarms.all()) == alarms + 1
        assert (alarm.at, alarm.over) == (now, now)
        assert alarm.text == "rolled back: it could not score 1 rows"
