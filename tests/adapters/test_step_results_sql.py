"""Step results: the first one stays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from trimtab.adapters.database import Database
from trimtab.adapters.step_results_sql import SqlStepResults


def test_the_first_result_stays(database: Database) -> None:
    results = SqlStepResults(database)
    assert results.get("key") is None
    results.put("key", {"value": [1, 2.5, None, "ü"]})
    results.put("key", {"value": "later"})
    assert results.get("key") == {"value": [1, 2.5, None, "ü"]}


def test_threads_that_finish_the_same_step_agree(database: Database) -> None:
    results = SqlStepResults(database)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: results.put("key", {"n": number}), range(16)))
        seen = set(pool.map(lambda _: str(results.get("key")), range(16)))
    assert len(seen) == 1
