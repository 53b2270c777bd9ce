"""A canary goes back for what it computes, and not for facts that nobody had when it answered."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from tests.e2e import canary_life
from tests.e2e.tiny import world
from tests.house.answering import Answers, feed, ingest, take

from trimtab import loop
from trimtab.cli.session import Session
from trimtab.house.comparing import compare
from trimtab.house.house import House
from trimtab.house.parity import parity_of, served
from trimtab.house.verifying import Asked, verify
from trimtab.kernel.comparison import Comparison

LATER = canary_life.period(12).settled + timedelta(hours=6)
HOUR = timedelta(hours=1)


@pytest.fixture
def answers(copy: Session) -> Answers:
    """Of a canary that has begun at LATER; while it answers, returns become known in the middle of each hour."""
    house = copy.house
    for hour in range(4):
        known = LATER + (hour + 0.5) * HOUR
        rows = pl.DataFrame({"order_id": [f"new-{hour}-{shop}" for shop in world.SHOPS], "shop": world.SHOPS})
        rows = rows.with_columns(asked_at=pl.lit(known - HOUR), known_at=pl.lit(known), returned=pl.lit(True))
        feed(house.project.folder, "returns", rows)
    take(copy, LATER)
    digest = loop.release(house, loop.train(house, LATER, "test"), LATER, "test", "for the test")
    loop.deploy(house, digest, LATER, "test")
    route = house.act.route(house.name)
    assert route is not None and route.canary is not None and route.canary.release == digest
    return Answers(copy, generation=route.generation)


def canary(house: House) -> str:
    under_way = house.act.rollout(house.name)
    assert under_way is not None
    return under_way[0].release


def seen(house: House, hours: float) -> tuple[Comparison, int]:
    """The guard's look, and how many values of the canary's answers their definition does not give."""
    under_way = house.act.rollout(house.name)
    assert under_way is not None
    columns = ("id", "at", "request", "features")
    rows = served(house).filter(pl.col("release") == canary(house)).select(columns).collect()
    return compare(house, under_way[0], LATER + hours * HOUR), len(parity_of(house, canary(house), rows))


def test_facts_that_came_after_the_answer_are_nobodys_fault(copy: Session, answers: Answers) -> None:
    answers(canary(copy.house), LATER + 0.75 * HOUR)
    take(copy, LATER + HOUR)
    look, differing = seen(copy.house, 1)
    assert (look.checked, look.mismatched, look.example) == (4, 0, "") and differing > 0


def test_a_store_that_is_being_brought_up_to_date_is_nobodys_fault(copy: Session, answers: Answers) -> None:
    ingest(copy, LATER + HOUR)
    answers(canary(copy.house), LATER + HOUR)
    take(copy, LATER + HOUR)
    look, differing = seen(copy.house, 1)
    assert (look.checked, look.mismatched) == (4, 0) and differing > 0


def test_a_store_that_stays_behind_is_a_fault(copy: Session, answers: Answers) -> None:
    for hours in (1, 2):
        ingest(copy, LATER + hours * HOUR)
    answers(canary(copy.house), LATER + 2 * HOUR)
    look, differing = seen(copy.house, 2)
    assert look.checked == look.mismatched == 4 and differing > 0
    found = verify(copy.house, Asked(release=canary(copy.house)), lambda *_: None).found
    assert {(one.cause, one.behind) for one in found} == {("staleness", 2)}


def test_what_it_computes_itself_is_its_fault(copy: Session, answers: Answers) -> None:
    """Beside facts that came later, which are not: the example is of what is."""
    answers(canary(copy.house), LATER + 0.75 * HOUR)
    answers(canary(copy.house), LATER + 0.8 * HOUR, changed={"staff.staff": 99})
    take(copy, LATER + HOUR)
    look, _ = seen(copy.house, 1)
    assert (look.checked, look.mismatched) == (8, 4)
    assert look.example.startswith("staff.staff 99 instead of ")
