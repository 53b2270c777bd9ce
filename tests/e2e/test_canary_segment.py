"""A release that is tried on two of four shops: who is asked, what is compared, what is said of it at the end."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.e2e import segment_life
from tests.e2e.living import Living
from tests.e2e.segment_life import UNTIL
from tests.e2e.stores import assert_nothing_twice, predictions

from trimtab.cli.session import session
from trimtab.house.comparing import looks
from trimtab.house.parity import traffic
from trimtab.house.recount import recount
from trimtab.kernel.audience import Audience
from trimtab.kernel.route import Route, route_from
from trimtab.web.report.page import render

SEGMENT = Audience("shop", ("ams", "cph"))
DAY_US = 86_400_000_000


def scoring(route: Route, request: dict[str, Any]) -> set[str]:
    """Who scores a row: champion and shadows all of them, the canary those of its segment."""
    found = {route.champion, *route.shadows}
    if route.canary is not None and request["shop"] in ("ams", "cph"):
        found.add(route.canary.release)
    return found


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """From the first release until the one of April, a canary for two shops, is decided."""
    folder = tmp_path_factory.mktemp("segment") / "tiny"
    Living(segment_life.write, folder, folder, folder.with_suffix(".json"), TRIMTAB_WORKERS="2").ends()
    return folder


def test_rows_are_routed_and_scored_by_segment(lived: Path) -> None:
    kept = predictions(lived)
    with session(folder=lived) as open_:
        moves = open_.house.reader.entries(kind="route.moved", subject="tiny")
        routes = [route_from({**one.body, "generation": number}) for number, one in enumerate(moves, start=1)]
    canaries = [one for one in routes if one.canary is not None]
    assert len(canaries) == 2 and {one.canary.audience for one in canaries if one.canary} == {SEGMENT}
    answered: dict[tuple[bool, bool], int] = {}
    for row in kept.iter_rows(named=True):
        route, request = routes[row["generation"] - 1], json.loads(row["request"])
        assert row["release"] == route.answering(row["key"], request)
        assert {row["release"], *(one["release"] for one in row["others"])} == scoring(route, request)
        if route.canary is not None:
            kind = (request["shop"] in ("ams", "cph"), row["release"] == route.canary.release)
            answered[kind] = answered.get(kind, 0) + 1
    assert (False, True) not in answered
    assert min(answered[False, False], answered[True, False], answered[True, True]) > 10
    assert_nothing_twice(lived)


def test_what_is_compared_is_the_segment_and_the_promotion_says_so(lived: Path) -> None:
    kept = predictions(lived).with_columns(shop=pl.col("request").str.json_path_match("$.shop"))
    returns = pl.read_parquet(lived / "data" / "returns.parquet")
    with session(folder=lived) as open_:
        house = open_.house
        [rollout] = house.act.rollouts(house.name)
        [ended] = house.reader.entries(kind="rollout.promoted")
        [begun] = house.reader.entries(kind="rollout.started")
        assert rollout.audience == SEGMENT
        last = looks(house, rollout)[-1]
        assert (
            traffic(house, begun.at, SEGMENT)
            == _asked(kept, begun.at).filter(pl.col("shop").is_in(SEGMENT.values)).height
        )
        assert traffic(house, begun.at) == _asked(kept, begun.at).height
        report = render(recount(house, UNTIL, "UTC"), {}, None, made_at=UNTIL)
    assert last.unscored == 0, "what it was not to score is not held against it"
    assert last.days >= 2
    first_us = -(-rollout.began_us // DAY_US) * DAY_US
    end_us = (last.at_us - rollout.settle_us) // DAY_US * DAY_US
    inside = kept.filter(
        pl.col("shop").is_in(SEGMENT.values),
        pl.col("at").dt.epoch("us").is_between(first_us, end_us, closed="left"),
    )
    known = returns.filter(pl.col("known_at").dt.epoch("us") <= last.at_us)
    assert last.rows == inside.join(known, left_on="key", right_on="order_id").height > 0
    assert begun.body["audience"] == SEGMENT.body()
    assert "audience" not in ended.body
    because = str(ended.body["because"])
    assert because.startswith("at the horizon harm in log_loss among rows with shop ams or cph is at most ")
    assert because.endswith("; of all other rows, which it answers from now on, nothing is known")
    assert "answers as canary among rows with shop ams or cph, against" in report
    assert "at most 40 % of the traffic with shop ams or cph" in report
    assert "share of segment" in report


def _asked(kept: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """In the day before."""
    return kept.filter(pl.col("at") > at - timedelta(days=1), pl.col("at") <= at)
