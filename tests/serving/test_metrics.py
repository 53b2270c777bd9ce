"""/metrics as Prometheus reads it: one answer for all workers, which never goes backwards."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from tests.serving.client import Client, ServerProcess, until
from tests.serving.load import Load

from trimtab.serving.answer import Answered
from trimtab.serving.counts import Counts, Snapshot, listed_series
from trimtab.serving.counts_folder import CountsFile, CountsFolder
from trimtab.serving.exposition import text_of
from trimtab.serving.metric_families import FAMILIES
from trimtab.serving.metrics import Metrics

ROW = {"instances": [{"row": "a", "x": 1}]}
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> Samples:
    """Every sample, as Prometheus' own parser reads them; each family says what it is."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        name = family.name + "_total" * (family.type == "counter")
        assert (FAMILIES[name].kind, FAMILIES[name].help) == (family.type, family.documentation)
        for one in family.samples:
            key = (one.name, frozenset(one.labels.items()))
            assert key not in found
            found[key] = one.value
    return found


def value(found: Samples, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


async def scraped(client: Client) -> Samples:
    status, headers, body = await client.get("/metrics")
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return parsed(body.decode())


def never_backwards(before: Samples, after: Samples) -> None:
    for key, number in before.items():
        name = key[0].removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
        if name in FAMILIES and FAMILIES[name].kind != "gauge":
            assert after.get(key, -1.0) >= number, key


async def each_worker(server: ServerProcess, wanted: int) -> list[Client]:
    """Connections that different workers answer: each worker's own metrics say how many it holds."""
    clients: list[Client] = []
    async with asyncio.timeout(10):
        while True:
            clients.append(Client(server.port))
            await clients[-1].get("/healthz")
            await asyncio.sleep(0.3)  # until each worker has published
            found = await scraped(clients[0])
            held = [value(found, "trimtab_connections", worker=str(slot)) for slot in range(wanted)]
            if min(held) >= 1:
                return clients


def test_any_worker_answers_for_all(server: ServerProcess) -> None:
    server.ready("one")

    async def ask() -> None:
        clients = await each_worker(server, 2)
        for number in range(40):
            content = {"instances": [{"row": f"{number}", "x": 1}] * (1 + number % 3)}
            assert (await clients[number % len(clients)].post(content))[0] == 200
        assert (await clients[0].post({}))[0] == 400
        await asyncio.sleep(1.1)  # segments are counted once a second
        found = [await scraped(one) for one in clients]
        for one in found:
            assert value(one, "trimtab_requests_total", status="200") == 40
            assert value(one, "trimtab_requests_total", status="400") == 1
            assert value(one, "trimtab_request_errors_total") == 1
            assert value(one, "trimtab_rows_total", release="one") == 79
            assert value(one, "trimtab_release_requests_total", release="one", status="200") == 40
            assert value(one, "trimtab_release_latency_seconds_count", release="one") == 40
            assert value(one, "trimtab_latency_seconds_bucket", le="+Inf") == 40
            assert value(one, "trimtab_request_rows_sum") == 79
            assert value(one, "trimtab_request_rows_bucket", le="1") == 14
            assert value(one, "trimtab_request_rows_bucket", le="2") == 27
            assert value(one, "trimtab_batch_rows_sum") == 79
            assert value(one, "trimtab_feature_missing_total", view="never_seen") == 79
            assert value(one, "trimtab_feature_age_seconds_count", view="seen") > 0
            assert value(one, "trimtab_workers") == 2
            assert value(one, "trimtab_worker_restarts_total", worker="1") == 0
            assert value(one, "trimtab_log_segments", state="live") >= 1
            assert value(one, "trimtab_log_uncompacted_bytes") > 79 * 50
            for slot in "01":
                assert value(one, "trimtab_route_generation", worker=slot) == 1
                assert value(one, "trimtab_in_flight_requests", worker=slot) == 0
                assert value(one, "trimtab_waiting_commits", worker=slot) == 0
        assert {name for name, _ in found[0]} >= {"trimtab_build_info", "trimtab_start_time_seconds"}
        for one_client in clients:
            one_client.close()

    asyncio.run(ask())


def test_counters_go_on_when_workers_are_killed(server: ServerProcess) -> None:
    server.ready("one")
    load = Load(server.port)

    async def run() -> None:
        running = asyncio.create_task(load.run(4))
        last: Samples = {}
        try:
            for _ in range(2):
                await asyncio.sleep(0.6)
                killed = server.board.workers()[0]
                os.kill(killed, signal.SIGKILL)
                for _ in range(30):
                    client = Client(server.port)
                    try:
                        found = await scraped(client)
                    except (OSError, EOFError):  # it was the killed one's
                        continue
                    never_backwards(last, found)
                    last = found
                    client.close()
                    await asyncio.sleep(0.02)
        finally:
            load.stop()
            await running
        await asyncio.sleep(0.4)
        client = Client(server.port)
        await until(lambda: len(server.board.workers()) == 2)
        found = await scraped(client)
        never_backwards(last, found)
        counted = value(found, "trimtab_requests_total", status="200")
        # What a killed worker had counted in its last quarter of a second is lost, and no more than that.
        assert 0.5 * len(load.answers) < counted <= len(load.answers) + load.broken
        restarts = [value(found, "trimtab_worker_restarts_total", worker=slot) for slot in "01"]
        assert sum(restarts) == 2
        assert value(found, "trimtab_workers") == 2
        client.close()

    asyncio.run(run())
    assert len(list((server.folder / "metrics").glob("*-*.counts"))) == 2


def test_a_release_that_is_retired_is_shown_no_more(server: ServerProcess) -> None:
    server.ready("one", "two")

    async def ask() -> None:
        client = Client(server.port)
        assert (await client.post(ROW))[0] == 200
        for generation, champion in ((2, "two"), (3, "left")):
            assert server.publish(champion) == generation
            assert await asyncio.to_thread(server.board.silent, generation, within_s=5) == []
            assert (await client.post(ROW))[0] == 200
        await asyncio.sleep(0.4)
        found = await scraped(client)
        shown = {dict(labels)["release"] for _, labels in found if "release" in dict(labels)}
        assert shown == {"left"}
        assert value(found, "trimtab_requests_total", status="200") == 3
        assert value(found, "trimtab_latency_seconds_count") == 3
        client.close()

    asyncio.run(ask())


def row(release: str, *missing: str, stale: dict[str, int] | None = None) -> Answered:
    return Answered("id", "key", release, 0.5, list(missing), stale or {})


def test_a_request_that_several_releases_answer_counts_once_in_the_totals() -> None:
    metrics = Metrics()
    metrics.answered([row("a", "v"), row("b"), row("a", "v", "w", stale={"w": 9}), row("c", "v")], 0.0007)
    metrics.answered([row("a")], 0.0007)
    metrics.refused(500, "a")

    def checked(requests: float) -> Counts:
        counts = metrics.counts()
        assert counts["trimtab_requests_total"] == {("200",): [requests], ("500",): [1]}
        *buckets, total = counts["trimtab_latency_seconds"][()]
        assert (sum(buckets), min(buckets)) == (requests, 0)
        assert total == pytest.approx(0.0007 * requests)
        return counts

    counts = checked(2)
    assert counts["trimtab_rows_total"] == {("a",): [3], ("b",): [1], ("c",): [1]}
    requests = counts["trimtab_release_requests_total"]
    assert requests == {("a", "200"): [2], ("b", "200"): [1], ("c", "200"): [1], ("a", "500"): [1]}
    assert counts["trimtab_feature_missing_total"] == {("v",): [3], ("w",): [1]}
    assert counts["trimtab_feature_stale_total"] == {("w",): [1]}
    metrics.forget(but=["b"])
    counts = checked(2)
    assert counts["trimtab_rows_total"] == {("b",): [1]}
    assert counts["trimtab_release_requests_total"] == {("b", "200"): [1]}
    metrics.answered([row("b")], 0.0007)
    checked(3)


WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=8)


@settings(max_examples=200, deadline=None)
@given(source=WORDS, other=WORDS, number=st.floats(0, 1e18) | st.integers(0, 2**53))
def test_whatever_a_label_holds_it_is_read_back(source: str, other: str, number: float) -> None:
    counts: Counts = {
        "trimtab_appended_rows_total": {(source,): [number]},
        "trimtab_feature_age_seconds": {
            (other,): [1.0] * len(FAMILIES["trimtab_feature_age_seconds"].bounds) + [2, 3]
        },
    }
    found = parsed(text_of(counts).decode())
    assert value(found, "trimtab_appended_rows_total", source=source) == number
    assert value(found, "trimtab_feature_age_seconds_bucket", view=other, le="1") == 1
    assert value(found, "trimtab_feature_age_seconds_count", view=other) == 13
    assert value(found, "trimtab_feature_age_seconds_sum", view=other) == 3


def snapshot(number: float) -> Snapshot:
    return Snapshot(0, os.getpid(), listed_series({"trimtab_rows_total": {("a",): [number]}}), {})


def total(folder: CountsFolder) -> float:
    return folder.read().get("trimtab_rows_total", {}).get(("a",), [0.0])[0]


def test_a_half_that_was_being_written_leaves_the_one_before(tmp_path: Path) -> None:
    folder = CountsFolder(tmp_path)
    folder.begin({})
    file = CountsFile(tmp_path, 0)
    assert total(folder) == 0
    [path] = tmp_path.glob("*-*.counts")
    for number in range(1, 6):
        assert file.publish(snapshot(number))
        assert total(folder) == number
    torn = bytearray(path.read_bytes())
    at = 0 if struct.unpack_from("<Q", torn)[0] == 5 else len(torn) // 2
    torn[at + 20] ^= 0xFF
    path.write_bytes(torn)
    assert total(folder) == 4
    large = listed_series({"trimtab_rows_total": {("a" * 100, str(n)): [1.0] for n in range(2000)}})
    assert not file.publish(Snapshot(0, 0, large, {}))


def test_what_the_dead_had_counted_is_counted_once_at_every_moment(tmp_path: Path) -> None:
    folder = CountsFolder(tmp_path)
    folder.begin({})
    file = CountsFile(tmp_path, 0)
    file.publish(snapshot(7))
    [living] = tmp_path.glob("*-*.counts")
    dead = tmp_path / "1-999999999.counts"
    dead.write_bytes(living.read_bytes())
    copy = dead.read_bytes()
    assert total(folder) == 14
    folder.bury(["a"])
    assert not dead.exists()
    assert total(folder) == 14
    dead.write_bytes(copy)  # as if the supervisor had been killed before it removed the file
    assert total(folder) == 14
    folder.bury(["a"])
    assert total(folder) == 14
    folder.bury([])
    assert total(folder) == 7  # of a release that is on the route no more
    (tmp_path / "base.counts").write_bytes(msgspec.msgpack.encode([1, 2]))
    assert total(folder) == 7
    folder.begin({})
    assert total(folder) == 0
