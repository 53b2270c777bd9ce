"""Live: a system through a period, on a virtual clock.

Where it stands is not remembered but read from the stores, so that the same call goes on from wherever a killed
one stopped: questions that were answered are not asked again, and the clock does not go back to ticks before them.

A step ends with its tick. What became known within it is ingested first, then its questions are asked, each as of
its own instant: the online store is bitemporal, and a question sees only what was known at its instant, however
much more the store knows already. The rest of the tick comes behind the questions: a release that is trained at the
end of a step must not answer questions of before. That the step's length makes no difference is proved by a test.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import polars as pl

from trimtab import loop
from trimtab.house.house import House
from trimtab.kernel.canonical import Json, JsonMap, short
from trimtab.kernel.happening import Happening, Mark
from trimtab.kernel.moment import to_us
from trimtab.ports.prediction_client import PredictionClient
from trimtab.simulation.period import Period
from trimtab.simulation.replay import Replay
from trimtab.simulation.story import Story, Uneventful

ACTOR = "user:demo"
_UNEVENTFUL = Uneventful()


class Report(Protocol):
    """Told what happens, for people."""

    def told(self, at: datetime, one: Happening) -> None:
        """One line of the story."""
        ...

    def progress(self, stage: str, done: int, total: int) -> None:
        """How far a long stage is."""
        ...


def prepare(house: House, period: Period, report: Report) -> str:
    """History becomes dataset versions, features and a gated release that is deployed; its digest."""
    route = house.act.route(house.name)
    if route is not None:
        house.act.publish()
        return route.champion
    for number, now in enumerate(period.history):
        report.progress("history", number, len(period.history))
        for one in loop.tick(house, now):
            report.told(now, one)
    report.progress("history", len(period.history), len(period.history))
    now = period.start
    report.progress("training", 0, 3)
    run = loop.train(house, now, ACTOR)
    report.told(now, Happening("training", f"run {run} finished"))
    report.progress("training", 1, 3)
    digest = loop.release(house, run, now, ACTOR)
    for verdict in house.releases.get(digest).verdicts:
        report.told(now, judged(verdict))
    report.told(now, Happening("validation", f"release {short(digest)} passed its gates", "good"))
    report.progress("training", 2, 3)
    report.told(now, Happening("deployment", loop.deploy(house, digest, now, ACTOR), "good"))
    report.progress("training", 3, 3)
    return digest


def answered(house: House) -> dict[str, int]:
    """The questions that the log holds, compacted ones and those in segments: key → instant, µs since 1970 UTC.

    Of a system that keeps a share of its predictions, those left out are asked, and left out, again after a crash.
    """
    found = {one.key: one.at_us for one in house.log.recent()}
    if house.tables.exists("predictions"):
        rows = house.tables.scan("predictions").filter(pl.col("system") == house.name)
        found.update(rows.select("key", pl.col("at").dt.epoch("us")).collect().iter_rows())
    return found


def live(
    house: House, period: Period, client: PredictionClient, report: Report, story: Story = _UNEVENTFUL
) -> None:
    """Production: step by step, first what became known, then the step's questions by HTTP, then the tick."""
    before = answered(house)
    newest_us = max(before.values(), default=0)
    replay = Replay(house.system, house.project.folder, client=client, log=house.log, answered=set(before))
    total = len(replay.questions(period.start, period.until))
    done = 0
    for after, now in period.steps():
        story.deliver(now)
        is_over = newest_us > to_us(now)  # a question of a later step was answered
        told = [] if is_over else list(loop.take(house, now))
        done += replay.ask(replay.questions(after, now))
        if not is_over:
            told += [*loop.turn(house, now), *story.act(house, now)]
        for one in told:
            if one.mark != "routine":
                report.told(now, one)
        report.progress("production", done, max(total, 1))
    report.progress("production", max(total, 1), max(total, 1))


def settle(house: House, period: Period, report: Report) -> None:
    """The last labels. They come when the server has ended: all records stand in sealed segments, and nothing is
    trained or rolled out any more.
    """
    now = period.settled
    with house.alone():
        for stage in (loop.ingest, loop.compact, loop.monitor):
            for one in stage(house, now):
                if one.mark != "routine":
                    report.told(now, one)


def judged(verdict: JsonMap) -> Happening:
    """A verdict as a line of the story."""
    marks: dict[Json, Mark] = {"pass": "good", "fail": "bad"}
    return Happening(
        "validation", f"{verdict['gate']}: {verdict['reason']}", marks.get(verdict["outcome"], "unsure")
    )
