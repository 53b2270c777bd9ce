"""Labels that come by feedback count like those of the label's source: newest known first, as of any instant."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.e2e.command import said
from tests.e2e.tiny_life import START
from tests.house.answering import begun, edited, made, take

import trimtab as tt
from trimtab import loop
from trimtab.cli.session import Session, session
from trimtab.house.explanation import explain_prediction
from trimtab.house.feedback import given
from trimtab.house.labelled_questions import labelled_questions
from trimtab.house.rebuilding import rebuild
from trimtab.kernel.errors import DeclarationInvalid, RequestInvalid, RowsRefused, UnknownName
from trimtab.kernel.moment import to_us
from trimtab.simulation.serving import replay_server
from trimtab.training.pipeline import KEY, LABEL

FIRST = START - timedelta(days=9)
UNKNOWN = "7" + "0" * 25


def declared(folder: Path) -> Path:
    """The small system, whose label may come by feedback too."""
    made(folder)
    edited(folder, "shops = tt.Source(", "feedback = tt.feedback()\nshops = tt.Source(")
    edited(folder, "sources=[orders, returns, shops]", "sources=[orders, returns, shops, feedback]")
    edited(folder, 'kind="binary")', 'kind="binary", feedback=feedback)')
    return folder


@dataclass(frozen=True)
class Asked:
    """Answers of a real server: id and key of each."""

    folder: Path
    ids: dict[str, str]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    folder = declared(tmp_path_factory.mktemp("feedback") / "tiny")
    truth = pl.read_parquet(folder / "data" / "returns.parquet").filter(pl.col("known_at") < FIRST)
    # History that is taken at its word: known before anything was looked at.
    wrong = truth.head(3).select(pl.col("order_id").alias("key"), ~pl.col("returned").alias("label"))
    tt.append_rows("feedback", wrong.with_columns(known_at=pl.lit(FIRST)), folder=folder)
    with session(folder=folder) as open_:
        begun(open_)
        orders = pl.read_parquet(folder / "data" / "orders.parquet").filter(pl.col("asked_at") > START).head(8)
        rows = [
            {"order_id": key, "shop": shop, "price": price, "as_of": to_us(START)}
            for key, shop, price in orders.select("order_id", "shop", "price").iter_rows()
        ]
        with replay_server(open_.stores, open_.house.name, print) as port:
            body = json.dumps({"instances": rows}).encode()
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/systems/tiny/predict", body) as answer:
                answers = json.load(answer)["predictions"]
    return Asked(folder, {str(one["key"]): str(one["id"]) for one in answers})


@pytest.fixture
def living(asked: Asked, tmp_path: Path) -> Iterator[Session]:
    folder = Path(shutil.copytree(asked.folder, tmp_path / "tiny"))
    with session(folder=folder) as open_:
        yield open_


def give(living: Session, *items: dict[str, Any]) -> datetime:
    return tt.give_feedback(items, folder=living.house.project.folder)


def now() -> datetime:
    return datetime.now(UTC)


def known(living: Session, at: datetime) -> dict[str, bool]:
    """What monitors see at an instant."""
    rows = living.house.measure.labelled(living.house.name, living.house.system.label, at)
    return dict(zip(rows["key"], rows["label"], strict=True))


def learned(living: Session, at: datetime) -> dict[str, bool]:
    """What a training at an instant would learn from."""
    rows = labelled_questions(living.house.system, at, living.house.versions.frame)
    return dict(zip(rows[KEY], rows[LABEL], strict=True))


def truths(living: Session) -> dict[str, bool]:
    rows = pl.read_parquet(living.house.project.folder / "data" / "returns.parquet")
    return dict(zip(rows["order_id"], rows["returned"], strict=True))


def test_a_label_by_id_or_by_key_counts_from_when_it_is_known(living: Session, asked: Asked) -> None:
    (one, id), (two, _), *_ = asked.ids.items()
    true = truths(living)
    before = now()
    known_at = give(living, {"id": id, "label": not true[one]}, {"key": two, "label": not true[two]})
    take(living, now())  # while the answers stand in segments: they need not be compacted first
    list(loop.compact(living.house, now()))
    for seen in (known(living, before), learned(living, before)):
        assert {key: seen[key] for key in asked.ids} == {key: true[key] for key in asked.ids}
    for seen in (known(living, known_at), learned(living, known_at)):
        wrong = {key for key in asked.ids if seen[key] != true[key]}
        assert wrong == {one, two}
    corrected_at = give(living, {"key": one, "label": true[one]})
    take(living, now())
    for look in (known, learned):
        assert look(living, corrected_at)[one] == true[one]
        assert look(living, known_at)[one] != true[one]  # an analysis of before does not see the correction
        assert look(living, corrected_at)[two] != true[two]


def test_a_label_may_come_by_feedback_alone(living: Session, asked: Asked) -> None:
    folder = living.house.project.folder
    rows = pl.read_parquet(folder / "data" / "returns.parquet")
    one, id = next(iter(asked.ids.items()))
    rows.filter(pl.col("order_id") != one).write_parquet(folder / "data" / "returns.parquet")
    take(living, now())
    list(loop.compact(living.house, now()))
    assert one not in known(living, now())
    give(living, {"id": id, "label": True})
    take(living, now())
    assert known(living, now())[one] is True
    assert learned(living, now())[one] is True


def test_training_learns_from_it_and_is_rebuilt_byte_for_byte(living: Session, asked: Asked) -> None:
    true = truths(living)
    seen = learned(living, START)
    assert [key for key in seen if seen[key] != true[key]] == list(true)[:3]
    made_again = rebuild(living.house, "", lambda *_: None)
    assert made_again.same
    assert "feedback@000002" in made_again.sources
    give(living, {"key": next(iter(seen)), "label": True})
    take(living, now())
    assert rebuild(living.house, "", lambda *_: None).same


def test_what_an_id_named_stays_when_the_answer_is_gone(living: Session, asked: Asked) -> None:
    one, id = next(iter(asked.ids.items()))
    flipped = not truths(living)[one]
    give(living, {"id": id, "label": flipped})
    take(living, now())
    shutil.rmtree(living.stores.segments.path)
    living.stores.segments.path.mkdir()
    give(living, {"id": id, "label": flipped}, {"id": asked.ids[list(asked.ids)[1]], "label": True})
    take(living, now())
    assert learned(living, now())[one] == flipped
    assert living.house.versions.frame("feedback").select(pl.col("key").null_count()).collect().item() == 1


def test_a_look_at_all_of_it_again_finds_nothing_new(living: Session, asked: Asked) -> None:
    """A look that missed rows has all of them compared: what was completed must be equal again."""
    ids = list(asked.ids.values())
    give(living, {"id": ids[0], "label": True}, {"id": UNKNOWN, "label": True}, {"key": "k", "value": 1.0})
    take(living, now())
    held = living.house.versions.frame("feedback").collect().height
    give(living, {"id": UNKNOWN, "label": False}, {"id": ids[0], "label": False})
    ingest = living.house.ingest
    ingest._surplus["feedback"] = 1  # as if the feed had offered one less than was taken
    take(living, now())
    rows = living.house.versions.frame("feedback").collect()
    assert rows.height == held + 2
    version = living.house.versions.version("feedback", 4)
    assert (version.rows, version.backfilled, version.quarantined) == (2, 0, 0)


def test_what_belongs_to_no_answer_is_told(living: Session, asked: Asked) -> None:
    ids = list(asked.ids.values())
    give(living, {"id": UNKNOWN, "label": True}, {"id": ids[0], "comment": "late"}, {"key": "never", "value": 0.0})
    told = [one.text for one in loop.take(living.house, now())]
    assert "feedback@000003: ids of no answer (1 row; let in, the check only warns)" in told
    list(loop.compact(living.house, now()))
    found = given(living.house)
    assert found is not None
    # Three keys of history were answered before anything was served.
    assert (found.rows, found.labels, found.unknown, found.unasked) == (6, 4, 1, 4)
    done = said(living.house.project.folder, "status")
    assert done.status == 0, done.err
    [line] = [one for one in done.out.splitlines() if one.strip().startswith("feedback  ") and "label" in one]
    for part in ("6 rows", "4 labels", "1 row with an id of no answer", "4 keys of no compacted answer"):
        assert part in line


def test_explain_shows_it(living: Session, asked: Asked) -> None:
    one, id = next(iter(asked.ids.items()))
    flipped = not truths(living)[one]
    at = "2024-03-31T00:00:00+00:00"
    give(living, {"id": id, "label": flipped, "at": at}, {"key": one, "comment": "a tale", "name": "support"})
    take(living, now())
    list(loop.compact(living.house, now()))
    found = explain_prediction(living.house, id)
    assert found.label is not None
    assert (found.label["value"], found.label["dataset_version"]) == (flipped, "feedback@000003")
    assert [(said["name"], said["label"], said["comment"]) for said in found.feedback] == [
        ("label", flipped, None),
        ("support", None, "a tale"),
    ]
    assert [said["at"] for said in found.feedback] == [
        datetime.fromisoformat(at),
        found.feedback[1]["known_at"],  # nothing was said of when
    ]
    folder = living.house.project.folder
    shown = said(folder, "explain", id)
    assert f"label: {flipped}" in shown.out and "support: a tale" in shown.out
    assert len(json.loads(said(folder, "explain", id, "--json").out)["feedback"]) == 2


def test_wrong_feedback_in_python_is_refused_by_its_place(living: Session) -> None:
    for error, item, place in (
        (RequestInvalid, {"id": "no-id", "label": True}, "feedback[1].id"),
        (RequestInvalid, {"label": True}, "feedback[1]"),
        (RowsRefused, {"key": "k", "label": "yes"}, "feedback[1].label"),
    ):
        with pytest.raises(error) as refused:
            give(living, {"key": "k", "label": True}, item)
        assert refused.value.where == place


def test_a_system_without_it_says_so(tmp_path: Path) -> None:
    folder = made(tmp_path / "tiny")
    with pytest.raises(UnknownName) as refused:
        tt.give_feedback([{"key": "k", "label": True}], folder=folder)
    assert "trimtab.feedback()" in refused.value.do


def test_a_declaration_that_cannot_work_is_refused(tmp_path: Path) -> None:
    folder = declared(tmp_path / "tiny")
    edited(folder, "tt.feedback()", "tt.feedback(label=pl.Int64)")
    with (
        pytest.raises(DeclarationInvalid, match=r"declare trimtab.feedback\(label=pl.Boolean\)"),
        session(folder=folder),
    ):
        pass
    edited(folder, "feedback=feedback)", "feedback=shops)")
    with pytest.raises(DeclarationInvalid, match="has a feedback that is none"), session(folder=folder):
        pass
    edited(folder, "feedback=shops)", "feedback=feedback)")
    edited(folder, "shops, feedback]", "shops]")
    with pytest.raises(DeclarationInvalid, match="does not list"), session(folder=folder):
        pass
