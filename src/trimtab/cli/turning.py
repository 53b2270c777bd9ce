"""The turns of the loop while the server runs, each in a thread: all that is due; what was appended to streams."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from trimtab import loop
from trimtab.cli.failure import unforeseen
from trimtab.cli.screen import Screen
from trimtab.cli.session import Session
from trimtab.data.streams import inbox_of
from trimtab.kernel.errors import Busy, TrimtabError
from trimtab.kernel.happening import Happening
from trimtab.wiring.serving import open_keys
from trimtab.wiring.stores import system_clock


@contextmanager
def turning(open_: Session, screen: Screen, *, every_s: float, streams_every_s: float) -> Iterator[None]:
    """Turn for as long as the block runs; a turn that is under way at its end is waited for."""
    stopped = threading.Event()
    threads = [
        threading.Thread(target=_turn, args=(open_, screen, stopped, every_s), name="loop"),
        threading.Thread(target=_follow, args=(open_, screen, stopped, streams_every_s), name="streams"),
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def _turn(open_: Session, screen: Screen, stopped: threading.Event, every_s: float) -> None:
    """An error of one turn is said, and the next turn tries again: serving does not depend on it."""
    while True:
        now = system_clock().now()
        try:
            open_keys(open_.stores).publish()  # a command may have been killed before that, or run elsewhere
            for one in loop.tick(open_.house, now):
                screen.told(now, one)
        except Exception as error:  # e.g. of a full disk: a loop that has ended is missed by nobody for weeks
            screen.told(now, Happening("serving", _told(error), "bad"))
        if stopped.wait(every_s):
            return


def _follow(open_: Session, screen: Screen, stopped: threading.Event, every_s: float) -> None:
    """Appended rows become features between the turns, and during one that trains for long."""
    sources, folder = open_.house.system.sources, open_.stores.project.folder
    streams = {one.name: inbox for one in sources if (inbox := inbox_of(one, folder)) is not None}
    seen = dict.fromkeys(streams, 0)
    while streams and not stopped.wait(every_s):
        now = system_clock().now()
        try:
            counts = {name: inbox.appended() for name, inbox in streams.items()}
            fresh = [one for one in sources if counts.get(one.name, 0) != seen.get(one.name, 0)]
            if not fresh:
                continue
            seen = counts
            for one in loop.take(open_.house, now, fresh):
                if one.mark != "routine":  # a line every other second would hide the rest
                    screen.told(now, one)
        except Busy:
            seen = dict.fromkeys(streams, 0)  # again, soon
        except Exception as error:
            screen.told(now, Happening("data", _told(error), "bad"))


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, TrimtabError) else unforeseen(error)
