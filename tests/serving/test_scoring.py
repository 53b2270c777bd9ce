"""What an answer tells about what it was made without."""

from __future__ import annotations

import msgspec
from tests.serving.releases import Adder

from trimtab.ports.feature_reader import FeatureBlock
from trimtab.serving.answer import Answered
from trimtab.serving.scoring import without


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
    told = [without(RELEASE, block, index) for index in range(4)]
    assert told == [
        ([], {}, []),
        (["weather"], {}, []),
        (["weather"], {"weather": 99}, []),
        ([], {}, ["weather.wind", "delays.mean_3h", "request.hour"]),
    ]


def test_an_answer_says_only_what_there_is_to_say() -> None:
    whole = msgspec.json.decode(msgspec.json.encode(Answered("i", "k", "r", 0.5, [])))
    assert whole == {"id": "i", "key": "k", "release": "r", "score": 0.5, "missing": []}
    poor = msgspec.json.decode(msgspec.json.encode(Answered("i", "k", "r", 0.5, ["v"], {"v": 7}, ["w.x"])))
    assert (poor["missing"], poor["stale"], poor["null"]) == (["v"], {"v": 7}, ["w.x"])
