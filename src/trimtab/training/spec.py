"""What a training run is made from: all of it, so that equal specs give equal models."""

from __future__ import annotations

from dataclasses import dataclass

from trimtab.kernel.canonical import Json, JsonMap, digest


@dataclass(frozen=True)
class TrainingSpec:
    """Plain data: it names the durable run and keys its cached steps."""

    system: str
    until_us: int  # labels known up to here; nothing later is read
    holdout_us: int  # the trial is judged on questions of the last `holdout_us` before `until_us`
    sources: JsonMap  # name → [number, digest] of the dataset version that was current
    views: tuple[tuple[str, str], ...]
    code: str  # digest of the project's code: the training function and all that it calls
    champion: str  # digest of the release to be judged against; "" if there is none
    champion_until_us: int  # what the champion was trained on; 0 if there is none
    windows_us: tuple[int, ...] = (0,)  # how far back training may reach; a backtest chooses; 0 is all history

    def body(self) -> dict[str, Json]:
        """As passed to steps and stored with the run."""
        views: list[Json] = [list(one) for one in self.views]
        return {**self.__dict__, "sources": dict(self.sources), "views": views, "windows_us": list(self.windows_us)}

    @property
    def id(self) -> str:
        """The run's id: the same spec is the same run."""
        return f"train-{self.system}-{digest(self.body())[:16]}"


def spec_from(body: JsonMap) -> TrainingSpec:
    """Read back what `TrainingSpec.body` wrote."""
    views = tuple(tuple(one) for one in body["views"])  # type: ignore[union-attr,arg-type]
    return TrainingSpec(**{**body, "views": views, "windows_us": tuple(body.get("windows_us", (0,)))})  # type: ignore[arg-type]
