"""What the client alone costs: the same keys of the same server by redis-py, their bytes left as they are."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import redis
from benchmarks.online.timing import Row

from trimtab.features import online_codec as codec
from trimtab.features.feature_set import FeatureSet


def raw_reads(url: str, features: FeatureSet) -> dict[str, Callable[[list[Row]], object]]:
    """By one MGET, and by a pipeline of one HMGET for each entity, over hashes with the same bytes."""
    client = redis.Redis(port=urlsplit(url).port or 6379)
    prefixes = [codec.key_prefix(version) for _, version in features.versions]
    progress = [b"bench:" + codec.projected_key(version) for _, version in features.versions]
    fields = [b"0", b"1"]

    def keys(entity: int) -> list[bytes]:
        return [b"bench:" + prefix + codec.entity_part([entity]) for prefix in prefixes]

    with client.pipeline(transaction=False) as load:
        for number in range(2000):
            values = client.mget(keys(number))
            assert None not in values
            load.hset(b"hash:%d" % number, mapping={b"0": values[0] or b"", b"1": values[1] or b""})
        load.execute()

    def mget(rows: list[Row]) -> object:
        return client.mget([*progress, *(key for row in rows for key in keys(row["entity"]))])

    def hmget(rows: list[Row]) -> object:
        with client.pipeline(transaction=False) as pipeline:
            for row in rows:
                pipeline.hmget(b"hash:%d" % row["entity"], fields)
            return pipeline.execute()

    return {"mget": mget, "hmget": hmget}
