"""Records of a small prediction log, in the segments of a writer that has ended, and what keeps and proves them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from tests.serving.conftest import Stores
from tests.serving.releases import SYSTEM

from trimtab.adapters.outbox_sql import SqlOutbox
from trimtab.adapters.table_eraser_delta import DeltaEraser
from trimtab.kernel.canonical import Json
from trimtab.kernel.moment import to_us
from trimtab.kernel.prediction import Prediction
from trimtab.kernel.route import Route
from trimtab.ports.journal import Journal
from trimtab.ports.table_eraser import TableEraser
from trimtab.serving.compactor import Compactor
from trimtab.serving.expiry import Expire
from trimtab.serving.log_writer import LogPolicy, LogWriter
from trimtab.serving.moved_routes import MovedRoutes
from trimtab.serving.pairing import Paired, Pairing, as_they_are
from trimtab.serving.proving import Proved, prove
from trimtab.serving.record import Record
from trimtab.serving.retention import KEEP_EVERYTHING, Retention
from trimtab.serving.sampling import Sampling

NOW = datetime(2013, 5, 1, tzinfo=UTC)
SINCE = datetime(2013, 4, 1, 23, 59, tzinfo=UTC)


def record(
    number: int,
    *,
    at: datetime = SINCE,
    system: str = SYSTEM,
    generation: int = 2,
    key: str = "",
    release: str = "r",
    others: Sequence[tuple[str, float]] = (),
    features: Sequence[Json] = (0.5, None, "JFK", True),
    fallback: str = "",
) -> Record:
    """One a second from `at` on."""
    at_us = to_us(at) + number * 1_000_000
    request: dict[str, Json] = {"n": number, "s": f"secret-{number}-ü"}
    plain: Record = (
        system,
        release,
        generation,
        key or f"k{number}",
        at_us,
        request,
        features,
        [None, 5],
        number / 7,
        list(others),
        12,
    )
    return (*plain[:11], fallback, "the model: ValueError") if fallback else plain


def log(stores: Stores, records: Sequence[Record], *, system: str = SYSTEM, worker: int = 1) -> list[str]:
    """Log them, some to a segment; their ids."""

    async def run() -> list[str]:
        policy = LogPolicy(segment_bytes=900)
        writer = LogWriter(stores.segments, system=system, worker=worker, policy=policy, report=lambda _: None)
        ids = []
        for one in records:
            some, done = writer.stage([one])
            await done
            ids += some
        await writer.close()
        return ids

    return asyncio.run(run())


def compactor(
    stores: Stores,
    policy: Retention = KEEP_EVERYTHING,
    *,
    compared: Callable[[int], bool] = lambda _: False,
    batch_bytes: int = 4000,
    system: str = SYSTEM,
    journal: Journal | None = None,
    pair: Callable[[Sequence[Prediction]], Paired] = as_they_are,
) -> Compactor:
    """Of these stores."""
    return Compactor(
        stores.segments,
        system=system,
        tables=stores.tables,
        journal=journal or stores.journal,
        history=stores.history,
        batch_bytes=batch_bytes,
        sampling=Sampling(policy, lambda: compared),
        pair=pair,
    )


class Thirds:
    """Implements RecordedScorer: says of each row a third of its first feature, with a release's own summand."""

    def definition(self, release: str) -> str:  # noqa: ARG002 - all are alike
        """The same of all."""
        return "shared"

    def score(self, release: str, rows: Sequence[Sequence[Json]]) -> list[float]:
        """Row by row."""
        return [float(str(row[0])) / 3 + len(release) for row in rows]


def paired(stores: Stores, system: str = SYSTEM) -> Pairing:
    """Under the routes that the ledger of these stores tells of."""
    return Pairing(Thirds(), MovedRoutes(stores.history, system))


def move(stores: Stores, *routes: Route, system: str = SYSTEM) -> None:
    """Each put in force, as the ledger tells it."""
    for one in routes:
        body = {name: value for name, value in one.body().items() if name not in ("schema", "generation")}
        with stores.journal.begin(at=NOW, actor="test") as unit:
            unit.append("route.moved", system, {**body, "because": "for the test"})


def expire(
    stores: Stores,
    policy: Retention,
    *,
    system: str = SYSTEM,
    journal: Journal | None = None,
    eraser: TableEraser | None = None,
) -> Expire:
    """Of these stores."""
    return Expire(
        stores.segments,
        system=system,
        policy=policy,
        tables=stores.tables,
        writer=stores.tables,
        eraser=eraser or DeltaEraser(stores.folder / "tables"),
        journal=journal or stores.journal,
        history=stores.history,
        outbox=SqlOutbox(stores.journal._database),
    )


def proved(stores: Stores, system: str = SYSTEM) -> Proved:
    """What the audit says."""
    return prove(system, journal=stores.history, tables=stores.tables, proofs=stores.segments.proofs)
