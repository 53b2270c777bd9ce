"""Dataset versions: records of older releases are read, new ones come back as they were written."""

from __future__ import annotations

import json

from trimtab.kernel.canonical import canonical
from trimtab.kernel.dataset_version import DatasetVersion, dataset_version_from

OLD = {
    "source": "weather",
    "number": 3,
    "digest": "ab" * 32,
    "rows": 5,
    "quarantined": 1,
    "known_from_us": 1,
    "known_until_us": 2,
    "files": [["a.parquet", "cd" * 32]],
    "schema": [["temp_f", "Float64"]],
    "refused": [],
    "seen": 6,
    "backfilled": 0,
    "blocked_since_us": 0,
}


def test_a_record_of_old_is_read() -> None:
    version = dataset_version_from(OLD)  # type: ignore[arg-type]
    assert (version.profile, version.warned, version.released, version.releases) == ("", (), 0, 0)
    assert version.files == (("a.parquet", "cd" * 32),)


def test_a_record_comes_back_as_it_was_written() -> None:
    version = DatasetVersion(
        "s", 1, "d", 2, 0, 1, 2, (), (), profile="p", warned=(("x: y", 3),), released=1, releases=2
    )
    assert dataset_version_from(json.loads(canonical(version.body()))) == version
