"""Scoring rows by every release of a route: one answers, the others are compared with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from trimtab.kernel.canonical import JsonMap
from trimtab.ports.feature_reader import FeatureBlock
from trimtab.ports.served_release import ServedRelease


@dataclass(frozen=True)
class Scored:
    """What one release says to some rows."""

    release: ServedRelease
    block: FeatureBlock
    scores: list[float]


def score(
    releases: Sequence[ServedRelease],
    rows: Sequence[JsonMap],
    at_us: Sequence[int],
    *,
    failed: Callable[[str, int], None],
) -> dict[str, Scored]:
    """What each release says, by digest, the champion first.

    Releases with the same features share one look-up. A canary or shadow that cannot score a request is left out,
    told to `failed` within the handler of its exception, and costs nobody an answer.

    Raises:
        Exception: whatever the champion, the first of `releases`, raises.
        ValueError: the champion has not scored each row.
    """
    blocks: dict[str, FeatureBlock] = {}
    scored: dict[str, Scored] = {}
    for release in releases:
        try:
            block = blocks.get(release.definition)
            if block is None:
                block = blocks[release.definition] = release.look_up(rows, at_us)
            scores = release.score(block)
            if not len(scores) == len(block.values) == len(rows):
                raise ValueError(f"{len(rows)} rows, {len(block.values)} looked up, {len(scores)} scores")
            scored[release.digest] = Scored(release, block, scores)
        except Exception:
            if release is releases[0]:
                raise
            failed(release.digest, len(rows))
    return scored


def without(
    release: ServedRelease, block: FeatureBlock, index: int
) -> tuple[list[str], Mapping[str, int], list[str]]:
    """What a row was scored without: missing views, those of them that were stale, features without a value.

    Features of missing views are not named one by one.
    """
    ages_us, values = block.ages_us[index], block.values[index]
    missing: list[str] = []
    if None in ages_us:
        missing = [view for view, age in zip(release.view_names, ages_us, strict=True) if age is None]
    empty: list[str] = []
    if None in values:
        named = zip(release.feature_names, values, strict=True)
        empty = [name for name, value in named if value is None and name.partition(".")[0] not in missing]
    return missing, block.stale_us.get(index, {}), empty
