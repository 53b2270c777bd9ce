"""The releases a worker holds, and which of them answers: the worker's side of the route."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from trimtab.kernel.errors import TrimtabError
from trimtab.kernel.route import Route
from trimtab.ports.route_board import RouteFollower
from trimtab.ports.served_release import ReleaseLoader, ServedRelease

_RETRY_S = 1.0
_LONGEST_RETRY_S = 30.0


@dataclass
class Serving:
    """The route in force in this worker, and the releases that score under it."""

    route: Route
    releases: tuple[ServedRelease, ...]  # those that score every row, the champion first
    open: int = 0  # requests answered by it whose records are not committed yet
    loaded: Mapping[str, ServedRelease] = field(default_factory=dict)  # by digest; warm ones come later than others

    @property
    def answering(self) -> tuple[ServedRelease, ...]:
        """The champion, and the canary if there is one."""
        return self.releases[: self._answering()]

    @property
    def shadows(self) -> tuple[ServedRelease, ...]:
        """Those that score, and answer nobody."""
        return self.releases[self._answering() :]

    @property
    def divides(self) -> bool:
        """Whether each row is scored by the one that answers it: what the other one would have said follows from
        the features that are recorded with it. They must be the other one's, too, and a shadow scores every row.
        """
        route, releases = self.route, self.answering
        return (
            len(releases) > 1
            and releases[1].digest not in route.shadows
            and releases[1].definition == releases[0].definition
        )

    def _answering(self) -> int:
        canary = self.route.canary
        return 1 if canary is None or canary.release == self.route.champion else 2

    @property
    def previous(self) -> ServedRelease | None:
        """What may answer in the champion's place; None if nothing may, or it is not loaded yet."""
        return self.loaded.get(self.route.previous)


@dataclass(frozen=True)
class _Failure:
    """A release that could not be loaded, and when that is tried again."""

    reason: str
    wait_s: float
    again_s: float  # monotonic


class Released:
    """Follows the board. A route whose releases are loaded takes over at once; others are loaded in a thread first.

    A generation is acknowledged once no answer of an earlier one can still leave. A release that cannot be loaded
    changes nothing: the last route stays in force, the reason is reported, nothing is acknowledged. Warm releases
    are loaded after the others have taken over, and never stand in their way.
    """

    def __init__(
        self, system: str, *, follower: RouteFollower, loader: ReleaseLoader, report: Callable[[str], None]
    ) -> None:
        self._system = system
        self._follower = follower
        self._loader = loader
        self._report = report
        self._loaded: dict[str, ServedRelease] = {}
        self._failures: dict[str, _Failure] = {}
        self._serving: Serving | None = None
        self._draining: list[Serving] = []
        self._wanted: Route | None = None  # in force on the board, not all that scores loaded here
        self._loading: asyncio.Task[None] | None = None

    @property
    def serving(self) -> Serving | None:
        """What answers now; None until a release is loaded."""
        return self._serving

    @property
    def open(self) -> int:
        """Requests that are being answered, under this route or an earlier one."""
        return sum(one.open for one in (self._serving, *self._draining) if one is not None)

    def enter(self) -> Serving | None:
        """Begin to answer a request under the newest route that this worker can follow; `leave` must come after."""
        if self._wanted is None and self._follower.changed():
            self._follow()
        serving = self._serving
        if serving is not None:
            serving.open += 1
        return serving

    def leave(self, serving: Serving) -> None:
        """The request's record is committed, or the request was refused."""
        serving.open -= 1
        if self._draining:
            self._acknowledge()

    async def start(self, *, within_s: float) -> None:
        """Before the worker takes requests: wait until it follows the board, at most `within_s`."""
        until_s = time.monotonic() + within_s
        while time.monotonic() < until_s:
            self.poll()
            if not self._follower.changed() or (self._wanted is None and self._serving is None):
                break
            await asyncio.sleep(0.005)
        if self._serving is None:
            self._follower.acknowledge(0)

    def poll(self) -> None:
        """Called every few hundredths of a second: follow the board without a request, load what is missing."""
        if self._follower.changed():
            self._follow()
        if self._loading is None:
            missing = self._missing()
            if missing is not None:
                self._loading = asyncio.create_task(self._load(missing))

    def _follow(self) -> None:
        try:
            route = self._follower.current()
        except (TrimtabError, OSError) as error:
            self._fail("route", str(error))
            return
        if route is None or (self._serving is not None and route.generation == self._serving.route.generation):
            self._wanted = None
        elif route.system != self._system:
            self._fail("route", f"the board shows a route of system '{route.system}', not of '{self._system}'")
        elif not set(route.scoring()) <= self._loaded.keys():
            self._wanted = route
        else:
            self._switch(route)

    def _switch(self, route: Route) -> None:
        if self._serving is not None:
            self._draining.append(self._serving)
        self._loaded = {one: self._loaded[one] for one in route.releases() if one in self._loaded}
        self._serving = Serving(route, tuple(self._loaded[one] for one in route.scoring()), loaded=self._loaded)
        self._wanted = None
        self._failures = {one: failure for one, failure in self._failures.items() if one in route.releases()}
        self._acknowledge()

    def _acknowledge(self) -> None:
        self._draining = [one for one in self._draining if one.open > 0]
        if not self._draining and self._serving is not None:
            self._follower.acknowledge(self._serving.route.generation)

    def _missing(self) -> str | None:
        """The next release to load: those that are waited for, then the warm ones."""
        wanted = () if self._wanted is None else self._wanted.scoring()
        warm = () if self._serving is None else self._serving.route.releases()
        now_s = time.monotonic()
        for one in (*wanted, *warm):
            failure = self._failures.get(one)
            if one not in self._loaded and (failure is None or failure.again_s <= now_s):
                return one
        return None

    async def _load(self, digest: str) -> None:
        try:
            self._loaded[digest] = await asyncio.to_thread(self._loader, digest)
            self._failures.pop(digest, None)
        except Exception as error:  # a loader runs foreign code: whatever it raises, the champion keeps answering
            self._fail(digest, str(error) or type(error).__name__)
        finally:
            self._loading = None
        # What a model is made of lives as long as the release: no collection need look at it again.
        gc.collect()
        gc.freeze()
        self.poll()

    def _fail(self, name: str, reason: str) -> None:
        before = self._failures.get(name)
        if before is None or before.reason != reason:
            self._report(f"{name} cannot be followed, the last route stays in force: {reason}")
        wait_s = _RETRY_S if before is None else min(2 * before.wait_s, _LONGEST_RETRY_S)
        self._failures[name] = _Failure(reason, wait_s, time.monotonic() + wait_s)
