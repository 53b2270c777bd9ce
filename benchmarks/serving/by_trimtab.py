"""Trimtab's workers with everything on: route with a canary, record, metrics.

FOLDER PORT MODEL fields|views write|fsync WORKERS: the model is one of `kept.FILES`, and answers by its fast path,
of which the release holds the proof; `fields` takes the features from the request, `views` reads them.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from benchmarks.serving.kept import FILES, FORMATS, MODELS, NAMES

from trimtab.adapters.clock_system import SystemClock
from trimtab.adapters.online_lmdb import LmdbReader, LmdbWriter
from trimtab.adapters.route_board_mmap import MmapRouteBoard
from trimtab.features import online_codec as codec
from trimtab.features.feature_set import FeatureSet
from trimtab.features.on_request import request_features
from trimtab.features.online_features import OnlineFeatures
from trimtab.features.view import feature_view
from trimtab.house.served import LoadedRelease
from trimtab.kernel.canonical import JsonMap
from trimtab.kernel.feature_schema import Feature
from trimtab.kernel.release import Release
from trimtab.kernel.route import Canary, Route
from trimtab.kernel.source import Source
from trimtab.serving.log_writer import LogPolicy
from trimtab.serving.seat import Seat
from trimtab.serving.server import ServerSettings, serve_worker

HOUR_US = 3_600_000_000


@request_features
def row(request: pl.LazyFrame) -> pl.LazyFrame:
    return request.select(NAMES)


@feature_view(entity="key")
def first(one: pl.LazyFrame) -> pl.LazyFrame:
    return one


@feature_view(entity="key")
def second(two: pl.LazyFrame) -> pl.LazyFrame:
    return two


SOURCES = {
    name: Source(name, f"{name}.parquet", event_time="event", known_time="known", key=("key", "event"))
    for name in ("one", "two")
}
FIELDS = FeatureSet((row,), {})
VIEWS = FeatureSet((first, second), SOURCES)


def project(folder: Path, bodies: Path) -> None:
    """Facts of each key in the online store: the values that the other servers get in the request."""
    rows = [json.loads(line)["instances"][0] for line in bodies.read_text().splitlines()]
    writer = LmdbWriter(folder)
    now_us = 1_700_000_000_000_000
    for place, view in enumerate((first, second)):
        version = VIEWS.version_of(view)
        names = NAMES[10 * place : 10 * place + 10]
        writer.put({codec.projected_key(version): codec.encode_projected(codec.Projected(1, now_us, 0, names))})
        writer.put(
            {
                codec.key(version, [one["key"]]): codec.encode_facts(
                    [codec.Fact(now_us, now_us, now_us, [one[name] for name in names])]
                )
                for one in rows
            }
        )
    writer.close()


def releases(folder: Path, model: str, kind: str) -> tuple[Release, Release]:
    proof = json.loads((folder / f"proof_{model}.json").read_text())
    return release(model, proof, kind, "a"), release(model, proof, kind, "b")


def release(model: str, proof: JsonMap, kind: str, code: str) -> Release:
    views = kind == "views"
    names = [
        f"{'first' if number < 10 else 'second'}.f{number}" if views else f"row.f{number}" for number in range(20)
    ]
    fields = [("key", "String")] + ([] if views else [(name, "Float64") for name in NAMES])
    return Release(
        system="bench",
        model="m",
        model_format=FORMATS[model].name,
        code=code,
        features=tuple(Feature(name) for name in names),
        views=(),
        request=tuple(fields),
        key="key",
        label={},
        training={},
        verdicts=(),
        environment={},
        predictor=proof,
    )


def serve(folder: Path, mine: Path, model: str, kind: str, mode: str, seat: Seat) -> None:
    champion, canary = releases(folder, model, kind)
    store = LmdbReader(mine / "online")

    def load(digest: str) -> LoadedRelease:
        found = next(one for one in (champion, canary) if one.digest == digest)
        names = [one.name for one in found.features]
        features = OnlineFeatures(VIEWS if kind == "views" else FIELDS, names, found.request, store)
        opened = MODELS.open(found, (folder / FILES[model]).read_bytes(), ())
        assert opened.fast, opened.because
        return LoadedRelease(found, features, opened.predictor)

    settings = ServerSettings(system="bench", log_folder=mine / "wal", log=LogPolicy(mode=mode))  # type: ignore[arg-type]
    place = MmapRouteBoard(mine / "board").follower(seat.slot)
    serve_worker(seat, settings, place=place, loader=load, clock=SystemClock())


def main(folder: Path, port: int, model: str, kind: str, mode: str, workers: int) -> None:
    with TemporaryDirectory(dir=folder) as name:
        mine = Path(name)
        if kind == "views":
            project(mine / "online", folder / "rows_1.jsonl")
        champion, canary = releases(folder, model, kind)
        route = Route("bench", champion.digest, (), 1, Canary(canary.digest, 1_000, "salt"))
        MmapRouteBoard(mine / "board").publish(route)
        listening = socket.create_server(("127.0.0.1", port), backlog=2048)
        lifeline, _held = os.pipe()
        fds = (listening.fileno(), lifeline)
        seats = [Seat(slot, *fds).arguments() for slot in range(workers)]
        command = [sys.executable, "-m", "benchmarks.serving.by_trimtab", str(folder), name, model, kind, mode]
        children = [subprocess.Popen([*command, *seat], pass_fds=fds) for seat in seats]

        def stop(*_: object) -> None:
            for child in children:
                child.terminate()

        signal.signal(signal.SIGTERM, stop)
        for child in children:
            child.wait()


if __name__ == "__main__":
    given = sys.argv[1:]
    if len(given) == 6:
        main(Path(given[0]), int(given[1]), given[2], given[3], given[4], int(given[5]))
    else:
        serve(Path(given[0]), Path(given[1]), given[2], given[3], given[4], Seat.parse(given[5:]))
