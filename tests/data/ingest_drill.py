"""A process that looks at a feed hour by hour, with no lock: `ingest_drill.py FOLDER HOURS`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.data.room import open_room
from tests.data.test_ingest import hour

from trimtab.kernel.errors import TrimtabError
from trimtab.kernel.source import Source


def main(folder: Path, hours: int) -> None:
    """Each look may lose against that of another process, and is made again then."""
    room = open_room(folder)
    source = Source("weather", "feed.parquet", event_time="event", known_time="known", key="id")
    print("ready", flush=True)
    sys.stdin.readline()
    for now in range(1, hours + 1):
        for _ in range(20):
            try:
                list(room.ingest(source, hour(now)))
                break
            except TrimtabError as error:
                print(error.what, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
