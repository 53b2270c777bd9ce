"""A process that does units of work: `journal_drill.py URL HEADS ACTOR COUNT`. Prints a line when it begins."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from trimtab.adapters.database import Database
from trimtab.adapters.heads_log import HeadsLog
from trimtab.adapters.journal_sql import SqlJournal

START = datetime(2013, 4, 1, tzinfo=UTC)


def main(url: str, heads: str, actor: str, count: int) -> None:
    """Do `count` units, each with one of everything."""
    database = Database(url)
    journal = SqlJournal(database, HeadsLog(Path(heads)))
    print("ready", flush=True)
    for number in range(count):
        with journal.begin(at=START + timedelta(seconds=number), actor=actor) as unit:
            entry = unit.append("drill.done", actor, {"n": number})
            unit.put("drill", str(entry.seq), {"actor": actor})
            unit.point("drill", str(entry.seq))
            unit.send("drill", {"seq": entry.seq})
    database.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
