"""What an answer tells about what it was made without."""

from __future__ import annotations

import threading
import time

import msgspec
from tests.serving.releases import Adder

from trimtab.kernel.canonical import JsonMap
from trimtab.ports.feature_reader import FeatureBlock
from trimtab.serving.answer import Answered
from trimtab.serving.scoring import Scored, Scoring


class Weather(Adder):
    """With two views of two features each."""

    view_names: tuple[str, ...] = ("weather", "delays")
    feature_names: tuple[str, ...] = ("weather.temp", "weather.wind", "delays.mean_3h", "request.hour")


RELEASE = Weather("one")


def test_missing_stale_and_null_are_three_things() -> None:
    block = FeatureBlock(
        values=[[1.0, 2.0, 3.0, 4], [None, None, 3.0, 4], [None, None, 3.0, 4], [1.0, None, None, None]],
        ages_us=[[5, 6], [None, 6], [None, 6], [5, 6]],
        stale_us={2: {"weather": 99}},
    )
    told = [Scored(RELEASE, block, [0.5] * 4).without(index) for index in range(4)]
    assert told == [
        ([], {}, []),
        (["weather"], {}, []),
        (["weather"], {"weather": 99}, []),
        ([], {}, ["weather.wind", "delays.mean_3h", "request.hour"]),
    ]


class Slow(Adder):
    """Scores when it is let."""

    def __init__(self, digest: str) -> None:
        super().__init__(digest)
        self.let = threading.Event()
        self.threads: list[str] = []

    def score(self, block: FeatureBlock) -> list[float]:
        self.threads.append(threading.current_thread().name)
        assert self.let.wait(10.0)
        return super().score(block)


ROWS: list[JsonMap] = [{"row": "a", "x": 1.0}]


def test_a_slow_canary_is_not_waited_for_and_is_told_of() -> None:
    told: list[tuple[str, int]] = []
    scoring, champion, canary = Scoring(lambda *one: told.append(one)), Adder("one"), Slow("two")
    for _ in range(3):  # the second and third time it still scores the first request
        began_s = time.monotonic()
        scored = scoring.score([champion, canary], ROWS, [0])
        assert time.monotonic() - began_s < 5.0  # it would be let after ten
        assert list(scored) == ["one"]
    assert told == [("two", 1)] * 3
    assert len(canary.threads) == 1
    canary.let.set()
    deadline_s = time.monotonic() + 10.0
    while "two" not in scoring.score([champion, canary], ROWS, [0]):
        assert time.monotonic() < deadline_s


def test_a_replay_waits_for_all_that_score() -> None:
    told: list[tuple[str, int]] = []
    scoring, shadow = Scoring(lambda *one: told.append(one), patient=True), Slow("two")
    threading.Timer(0.2, shadow.let.set).start()
    assert list(scoring.score([Adder("one"), shadow], ROWS, [0])) == ["one", "two"]
    assert told == []


def test_a_quick_release_scores_in_the_same_thread_unless_rows_are_many() -> None:
    scoring, canary = Scoring(lambda *_: None, patient=True), Slow("two")
    canary.let.set()
    for rows in (ROWS, ROWS, ROWS, ROWS * 100, ROWS):
        scoring.score([Adder("one"), canary], rows, [0] * len(rows))
    main = threading.current_thread().name
    assert [name == main for name in canary.threads] == [False, True, True, False, True]


def test_threads_of_releases_that_are_gone_are_forgotten() -> None:
    scoring, shadow = Scoring(lambda *_: None, patient=True), Slow("two")
    shadow.let.set()
    scoring.score([Adder("one"), shadow], ROWS, [0])
    scoring.keep([Adder("one")])
    scoring.score([Adder("one"), shadow], ROWS, [0])
    assert threading.current_thread().name not in shadow.threads


def test_an_answer_says_only_what_there_is_to_say() -> None:
    whole = msgspec.json.decode(msgspec.json.encode(Answered("i", "k", "r", 0.5, [])))
    assert whole == {"id": "i", "key": "k", "release": "r", "score": 0.5, "missing": []}
    poor = msgspec.json.decode(msgspec.json.encode(Answered("i", "k", "r", 0.5, ["v"], {"v": 7}, ["w.x"])))
    assert (poor["missing"], poor["stale"], poor["null"]) == (["v"], {"v": 7}, ["w.x"])
