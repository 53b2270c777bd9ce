"""A release that is tried on two of four shops: a batch says what the server says, and commands say the segment."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.e2e.batch_drill import LATER, questions, score
from tests.e2e.command import said
from tests.e2e.test_batch import as_asked, ask, recorded, same_record
from tests.e2e.test_canary_segment import scoring
from tests.e2e.tiny_life import START, TINY
from tests.house.answering import of_other_file

from trimtab import loop
from trimtab.cli.session import session
from trimtab.house.batch import Asked
from trimtab.house.explanation import audience_of, explain_prediction
from trimtab.simulation.serving import replay_server
from trimtab.wiring.house import open_house


@pytest.fixture(scope="module")
def under_way(served_tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A canary for two shops, and a shadow."""
    folder = Path(shutil.copytree(served_tiny, tmp_path_factory.mktemp("under_way") / "tiny"))
    shutil.copyfile(TINY / "segment.py", folder / "segment.py")
    at = START + timedelta(hours=12)
    with session(folder=folder) as open_:
        route = open_.house.act.route("tiny")
        assert route is not None
        shadow = of_other_file(open_.stores, "canary.py", route.champion, at)
        loop.shadow(open_.house, shadow, at, "test")
        challenger = of_other_file(open_.stores, "segment.py", route.champion, at)
        project = open_.stores.project
        trying = open_house(
            open_.stores, project=replace(project, settings={**project.settings, "system": "segment.py"})
        )
        done = loop.deploy(trying, challenger, at, "test")
    assert "answers at most 40 % of the rows of tiny with shop ams or cph as a canary" in done
    return folder


def test_batch_and_server_agree_row_by_row(under_way: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(under_way, tmp_path / "tiny"))
    asked = questions(500)
    asked.write_parquet(tmp_path / "rows.parquet")
    online: dict[str, dict[str, Any]] = {}
    with session(folder=folder) as open_, replay_server(open_.stores, "tiny", print) as port:
        route = open_.house.act.route("tiny")
        rows = as_asked(asked)
        for start in range(0, len(rows), 50):
            online.update({one["key"]: one for one in ask(port, rows[start : start + 50])})
    before = recorded(folder)
    score(folder, Asked(tmp_path / "rows.parquet", tmp_path / "a.parquet"), LATER + timedelta(hours=1))
    after = recorded(folder)
    assert route is not None and route.canary is not None
    answered = {True: 0, False: 0}
    for row in pl.read_parquet(tmp_path / "a.parquet").to_dicts():
        told = online[row["key"]]
        assert (row["score"].hex(), row["release"]) == (told["score"].hex(), told["release"])
        [mine] = [one for one in after[row["key"]] if one.id == row["id"]]
        same_record(mine, before[row["key"]][0])
        assert mine.release == route.answering(mine.key, mine.request)
        assert {mine.release, *dict(mine.others)} == scoring(route, dict(mine.request))
        answered[mine.release == route.canary.release] += 1
    assert min(answered.values()) > 20


def test_commands_say_the_segment(under_way: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(under_way, tmp_path / "tiny"))
    asked = questions(40)
    asked.drop("as_of").write_parquet(tmp_path / "rows.parquet")
    batch = said(folder, "predict", "--batch", str(tmp_path / "rows.parquet"), "--out", str(tmp_path / "a.parquet"))
    assert "of rows with shop ams or cph" in batch.out, batch
    assert "at most 40 % of the traffic with shop ams or cph" in said(folder, "status").out
    assert "of shop ams or cph" in said(folder, "history").out
    with session(folder=folder) as open_:
        route = open_.house.act.route("tiny")
    assert route is not None and route.canary is not None
    answers = pl.read_parquet(tmp_path / "a.parquet")
    ids = {
        digest: answers.filter(pl.col("release") == digest)["id"][0]
        for digest in (route.champion, route.canary.release)
    }
    assert "segment shop ams or cph the canary answers a share of these rows" in _flat(
        said(folder, "explain", ids[route.canary.release]).out
    )
    with session(folder=folder) as open_:
        by_champion = explain_prediction(open_.house, ids[route.champion])
    assert audience_of(by_champion) is None


def _flat(text: str) -> str:
    return " ".join(text.split())
