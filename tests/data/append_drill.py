"""A process that appends until it is killed: `append_drill.py FOLDER NAME`.

Each request has a key. What was acknowledged is written down; the next process of the same name sends the first
request again that was not.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.data.streams import click, open_streams

from trimtab.adapters.clock_system import SystemClock
from trimtab.ports.streams import Accepted, Append


def ids(name: str, number: int) -> list[str]:
    """Of the rows of one request."""
    return [f"{name}-{number}-{row}" for row in range(1 + number % 3)]


def main(folder: str, name: str) -> None:
    """Append until the end."""
    streams = open_streams(Path(folder), SystemClock())
    log = os.open(Path(folder) / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    number = len((Path(folder) / f"{name}.log").read_text().split())
    print("ready", flush=True)
    while True:
        rows = [click(id) for id in ids(name, number)]
        body = json.dumps({"rows": rows}).encode()
        [found] = streams.append([Append("clicks", body, f"{name}-{number}")])
        assert isinstance(found, Accepted), found
        assert found.rows == len(rows)
        os.write(log, f"{number}\n".encode())
        streams.tidy()
        number += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
