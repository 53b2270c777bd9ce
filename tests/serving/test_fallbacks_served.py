"""Answers of fallbacks as clients, Prometheus and the log's readers see them, of real workers and real tables."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from tests.serving.client import Client, ServerProcess
from tests.serving.conftest import Stores
from tests.serving.releases import SYSTEM
from tests.serving.test_metrics import Samples, scraped, value

from trimtab.kernel.prediction import Prediction
from trimtab.monitoring.scores import by_models
from trimtab.serving.compactor import Compactor
from trimtab.serving.frames import frame
from trimtab.serving.log_reader import FRAME_SCHEMA, TABLE, frame_of_predictions, prediction_of_row
from trimtab.serving.record import encode_record
from trimtab.serving.segment import Header, footer, parse_segment
from trimtab.stats.merkle import merkle_root

NOW = datetime(2026, 3, 1, tzinfo=UTC)
COUNTER = "trimtab_fallback_answers_total"


async def ask(client: Client, *xs: float) -> list[dict[str, Any]]:
    rows = [{"row": f"r{number}", "x": x} for number, x in enumerate(xs)]
    status, answer = await client.post({"instances": rows})
    assert status == 200, answer
    predictions: list[dict[str, Any]] = answer["predictions"]
    return predictions


async def previous_loaded(client: Client) -> None:
    """Warm releases are loaded after the others have taken over."""
    async with asyncio.timeout(10):
        while (await ask(client, 14.0))[0]["fallback"] != "previous_release":
            await asyncio.sleep(0.02)


def test_every_protocol_says_so_and_the_counter_goes_with_the_release(server: ServerProcess) -> None:
    server.ready("guarded", "fragile", previous="fragile")

    async def drive() -> None:
        client = Client(server.port)
        await previous_loaded(client)
        by_itself, by_previous, by_constant = [(await ask(client, x))[0] for x in (1.0, 14.0, 13.0)]
        assert "fallback" not in by_itself and by_itself["score"] == 10.0
        told = [(one["release"], one["score"], one["fallback"]) for one in (by_previous, by_constant)]
        assert told == [("fragile", 18.0, "previous_release"), ("guarded", 0.25, "constant")]
        await other_protocols(client)
        await counted(client)
        status, _, body = await client.get("/openapi.json")
        assert status == 200 and json.dumps(json.loads(body)).count('"fallback"') == 2
        server.ready("one")
        await asyncio.sleep(0.3)  # until each worker has published
        assert not any(name == COUNTER for name, _ in await scraped(client))
        client.close()

    asyncio.run(drive())
    said = server.said()
    assert "release guarded cannot answer (model: ValueError): answers come from its fallbacks" in said


async def other_protocols(client: Client) -> None:
    frame_ = {"dataframe_records": [{"row": "a", "x": 13.0}, {"row": "b", "x": 13.0}]}
    status, answer = await client.post(frame_, "/invocations", content_type="application/json")
    assert (status, answer["predictions"]) == (200, [0.25, 0.25])
    assert [one["fallback"] for one in answer["metadata"]["rows"]] == ["constant"] * 2
    columns = [
        {"name": "row", "shape": [1], "datatype": "BYTES", "data": ["a"]},
        {"name": "x", "shape": [1], "datatype": "FP64", "data": [13.0]},
    ]
    status, answer = await client.post({"inputs": columns}, f"/v2/models/{SYSTEM}/infer")
    [details] = [one["data"] for one in answer["outputs"] if one["name"] == "details"]
    assert status == 200 and json.loads(details[0])["fallback"] == "constant"


async def counted(client: Client) -> None:
    async with asyncio.timeout(10):
        found: Samples = {}
        while found.get((COUNTER, frozenset({"release": "guarded", "kind": "constant"}.items()))) is None:
            await asyncio.sleep(0.1)
            found = await scraped(client)
    before = value(found, COUNTER, release="guarded", kind="constant")
    await ask(client, 13.0, 13.0)
    async with asyncio.timeout(10):
        while value(await scraped(client), COUNTER, release="guarded", kind="constant") != before + 2:
            await asyncio.sleep(0.1)


def test_records_keep_it_on_their_way_into_the_table(server: ServerProcess, stores: Stores) -> None:
    server.ready("guarded", "fragile", previous="fragile")

    async def drive() -> list[dict[str, Any]]:
        client = Client(server.port)
        await previous_loaded(client)
        told = [(await ask(client, x))[0] for x in (1.0, 14.0, 13.0)]
        client.close()
        return told

    told = asyncio.run(drive())
    server.stop()
    marks = [("", ""), ("previous_release", "model: ValueError"), ("constant", "model: ValueError")]
    log = stores.log()
    assert server.wal == stores.segments.path
    before = [log.find(one["id"]) for one in told]
    assert [(one.fallback, one.cause) for one in before] == marks
    compact(stores)
    assert [log.find(one["id"]) for one in told] == before
    rows = stores.tables.scan(TABLE).filter(pl.col("id").is_in([one["id"] for one in told])).collect()
    assert set(rows.select("fallback", "cause").iter_rows()) == {(None, None), *marks[1:]}
    assert by_models(rows.lazy()).collect()["id"].to_list() == [told[0]["id"]]


def test_tables_and_segments_of_before_are_still_read(stores: Stores) -> None:
    """A table that lacks the columns, and segments of format 1, which a worker of before has sealed."""
    old = [prediction(number) for number in range(3)]
    narrow = frame_of_predictions([("before", one) for one in old]).drop("fallback", "cause")
    stores.tables.append(TABLE, narrow, writer="before", number=1, note={}, partition_by=("date",))
    assert by_models(stores.tables.scan(TABLE)).collect().height == 3
    stores.segments.path.mkdir(parents=True, exist_ok=True)
    header = Header(0, 1, SYSTEM)
    path = stores.segments.path / f"{header.name}.sealed"
    path.write_bytes(sealed(header, [prediction(3)], version=1))
    assert [one.fallback for one in stores.log().recent()] == [""]
    marked = Header(0, 2, SYSTEM)
    records = [prediction(4), prediction(5, "constant", "features: OnlineStoreUnavailable")]
    (stores.segments.path / f"{marked.name}.sealed").write_bytes(sealed(marked, records, version=2))
    compact(stores)
    table = stores.tables.scan(TABLE).collect()
    assert dict(table.schema) == dict(FRAME_SCHEMA)
    found = {one.key: one for one in map(prediction_of_row, table.to_dicts())}
    assert [found[f"k{number}"].fallback for number in range(6)] == [*[""] * 5, "constant"]
    assert [found[f"k{number}"] for number in range(3)] == old
    assert by_models(stores.tables.scan(TABLE)).collect().height == 5


def compact(stores: Stores) -> None:
    compactor = Compactor(
        stores.segments, system=SYSTEM, tables=stores.tables, journal=stores.journal, history=stores.history
    )
    assert compactor.compact(at=NOW, actor="test").corrupt == ()


def prediction(number: int, fallback: str = "", cause: str = "") -> Prediction:
    at_us = int((NOW + timedelta(days=number)).timestamp() * 1e6)
    return Prediction(
        f"id{number}",
        SYSTEM,
        "one",
        1,
        f"k{number}",
        at_us,
        {"x": number},
        (1.0,),
        (5,),
        0.5,
        (),
        9,
        fallback,
        cause,
    )


def sealed(header: Header, predictions: list[Prediction], *, version: int) -> bytes:
    """A segment of that format."""
    payloads = []
    for one in predictions:
        plain = (one.system, one.release, one.generation, one.key, one.at_us, one.request, one.features)
        rest = (one.ages_us, one.score, one.others, one.latency_us)
        marked = (one.fallback, one.cause) if one.fallback else ()
        payloads.append(encode_record((*plain, *rest, *marked)))
    data = replace(header, format=version).encode() + b"".join(map(frame, payloads))
    whole = data + footer(len(payloads), merkle_root(payloads))
    assert parse_segment(whole, "here", sealed=True) is not None
    return whole
