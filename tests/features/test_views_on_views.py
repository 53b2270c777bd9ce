"""Views on views: the same as both functions written as one, offline, online, in versions and in provenance."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from tests.features import world
from tests.features.test_parity import Bench, Question, assert_parity, worlds
from tests.features.world import QUARTER_US, SOURCE, HeldVersions, Row

from trimtab.adapters.online_lmdb import LmdbWriter
from trimtab.features.aggregation import aggregate
from trimtab.features.check import check_features
from trimtab.features.code import code_digest
from trimtab.features.feature_set import Declared, FeatureSet
from trimtab.features.offline import offline_features
from trimtab.features.on_request import request_features
from trimtab.features.provenance import provenance
from trimtab.features.reach import reaching
from trimtab.features.view import FeatureView, FrameFunction, feature_view
from trimtab.kernel.canonical import canonical, digest
from trimtab.kernel.errors import TrimtabError, UnknownName

SOURCES = {SOURCE.name: SOURCE}
HOUR = timedelta(hours=1)
KEYS = ("a", "event", "known")
fresh = count()


def cleaned(facts: pl.LazyFrame) -> pl.LazyFrame:
    """Leaves rows out, changes a column, adds one."""
    return facts.filter(pl.col("flag") | pl.col("flag").is_null()).select(
        *KEYS, "b", x=pl.col("x") * 2, tenth=pl.col("x") * 0.1
    )


def pushed(facts: pl.LazyFrame) -> pl.LazyFrame:
    """What a job writes in place of `cleaned`, and gets it wrong."""
    return cleaned(facts).with_columns(pl.col("tenth") * 1000)


def ratio(cleaned: pl.LazyFrame) -> pl.LazyFrame:
    """Features of features."""
    return cleaned.select(*KEYS, ratio=pl.col("x") / pl.col("tenth"), more=pl.col("x") + 1)


def rounded(ratio: pl.LazyFrame) -> pl.LazyFrame:
    """The third floor."""
    return ratio.select(*KEYS, rounded=pl.col("more").round(0))


def as_one(facts: pl.LazyFrame) -> pl.LazyFrame:
    """`ratio` of `cleaned`, by hand."""
    kept = facts.filter(pl.col("flag") | pl.col("flag").is_null())
    x, tenth = pl.col("x") * 2, pl.col("x") * 0.1
    return kept.select(*KEYS, ratio=x / tenth, more=x + 1)


def view(function: FrameFunction, source: str, **named: Any) -> FeatureView:
    made = FeatureView(function.__name__, function, source, ("a",), 8 * HOUR, "", "here:1")
    return replace(made, **named)


def bench(store: LmdbWriter, versions: HeldVersions, *declared: Declared) -> Bench:
    return Bench(FeatureSet(declared, SOURCES), store, versions, 8 * HOUR)


def own(one: FeatureView) -> FeatureView:
    """Under a name that no other example has."""
    return replace(one, name=f"{one.name}{next(fresh)}")


@settings(max_examples=60, deadline=None)
@given(made=worlds)
def test_it_is_both_functions_written_as_one(
    stores: tuple[LmdbWriter, LmdbWriter], made: tuple[list[Row], list[float], list[Question]]
) -> None:
    rows, cuts, backwards = made
    versions = HeldVersions(rows, cuts)
    newest = versions.newest
    # The parent is declared last, of another entity, and far stricter about age.
    parent = own(view(cleaned, SOURCE.name, entity=("a", "b"), max_age=timedelta(microseconds=QUARTER_US)))
    child, one = own(view(ratio, parent.name)), own(view(as_one, SOURCE.name))
    stacked = own(view(rounded, child.name))
    built = bench(stores[0], versions, stacked, child, parent)
    plain = bench(stores[1], versions, one)
    for number in range(1, newest + 1):
        versions.newest = number
        assert set(built.materialise()) >= {stacked.name, child.name}
        plain.materialise()
        until = (versions.known_until_us(SOURCE.name, number) - world.START_US) / QUARTER_US
        questions = [(a, b, until - min(back, 8)) for a, b, back in backwards]
        above = assert_parity(built, questions)
        below = assert_parity(plain, questions)
        assert canonical([row[1:3] for row in above.values]) == canonical(below.values)
        assert [ages[:2] for ages in above.ages_us] == [[*ages, *ages] for ages in below.ages_us]
        for row in above.values:
            assert row[0] == (None if row[2] is None else round(row[2], 0))  # type: ignore[arg-type]


def test_what_is_pushed_below_is_what_is_made_from_online(tmp_path: Path) -> None:
    rows = [Row("JFK", 1, 4, 4, 2.0, True, None)]
    store = LmdbWriter(tmp_path)
    parent = view(cleaned, SOURCE.name, push=pushed)
    asked: list[Question] = [("JFK", 1, 5)]
    for child, online in (
        (view(ratio, "cleaned"), [4.0 / 200, 5.0]),
        (view(ratio, "cleaned", push=lambda cleaned: cleaned.select(*KEYS, ratio="tenth", more="x")), [200.0, 4.0]),
    ):
        both = bench(store, HeldVersions(rows, [9]), child, parent)
        both.materialise()
        assert both.online(asked).values == [[*online, 1, 4.0, 200.0]]
        assert both.offline(asked).row(0) == (20.0, 5.0, 1, 4.0, 0.2)
    store.close()


def test_provenance_names_the_rows_of_the_source() -> None:
    rows = [Row("JFK", 1, at, at, x, True, None, id) for id, (at, x) in enumerate([(2, 1.0), (4, 2.0), (6, 3.0)])]
    versions = HeldVersions(rows, [3, 5, 9])
    features = FeatureSet((view(ratio, "cleaned"), view(cleaned, SOURCE.name)), SOURCES)
    asked = world.asked([("JFK", 1, 5)])
    found = provenance(features, asked.drop("at"), asked["at"][0], versions.frame)
    for one in found:
        assert (one.source, one.rows, one.versions) == (SOURCE.name, 1, (2,))
        assert one.shown[0]["id"] == 1


def test_digests_of_views_without_a_parent_are_as_they_were() -> None:
    alone = view(cleaned, SOURCE.name, push=pushed)
    times = [SOURCE.event_time, SOURCE.known]
    code = [code_digest(cleaned), code_digest(pushed)]
    expected = digest(["view", "cleaned", SOURCE.name, *times, ["a"], 8 * 3_600_000_000, *code])
    assert FeatureSet((alone,), SOURCES).versions == (("cleaned", expected),)
    assert dict(FeatureSet((view(ratio, "cleaned"), alone), SOURCES).versions)["cleaned"] == expected


def version(child: FeatureView, *parents: FeatureView) -> str:
    return FeatureSet((child, *parents), SOURCES).versions[0][1]


def test_what_changes_the_version_below_changes_the_one_above() -> None:
    parent, child, top = view(cleaned, SOURCE.name), view(ratio, "cleaned"), view(rounded, "ratio")
    assert version(child, parent) == version(child, view(cleaned, SOURCE.name)) != version(parent)
    other = view(pushed, SOURCE.name, name="cleaned")
    assert version(child, other) != version(child, parent)
    assert version(top, child, other) != version(top, child, parent)
    assert version(top, replace(child, max_age=HOUR), parent) != version(top, child, parent)
    assert version(child, parent, view(rounded, "ratio")) == version(child, parent)


def test_its_source_is_the_one_at_the_bottom() -> None:
    top = view(rounded, "ratio")
    features = FeatureSet((top, view(ratio, "cleaned"), view(cleaned, SOURCE.name)), SOURCES)
    found = features.declared[0]
    assert isinstance(found, FeatureView)
    assert features.source_of(found) is SOURCE
    assert [one.name for one in found.chain] == ["cleaned", "ratio", "rounded"]
    # A part of the features still knows what it stands on.
    part = FeatureSet((found,), SOURCES)
    assert part.source_of(found) is SOURCE and part.versions == features.versions[:1]
    with pytest.raises(UnknownName, match="unknown source 'cleaned'"):
        FeatureSet((view(ratio, "cleaned"),), SOURCES).versions  # noqa: B018


def test_the_age_of_the_view_below_does_not_hide_rows_that_are_needed() -> None:
    rows = [Row("JFK", 1, 0, 0, 2.0, True, None)]
    versions, asked = HeldVersions(rows, [0, 40]), world.asked([("JFK", 1, 28)])
    parent = view(cleaned, SOURCE.name, max_age=timedelta(microseconds=QUARTER_US))
    features = FeatureSet((view(ratio, "cleaned"), parent), SOURCES)
    near = reaching(features, versions.frame, asked["at"][0])
    assert offline_features(features, asked, "at", near).row(0) == (20.0, 5.0, None, None, None)


def problems(*declared: Declared) -> list[TrimtabError]:
    request = pl.Schema({"a": pl.String(), "b": pl.Int64()})
    return list(check_features(FeatureSet(declared, SOURCES), request, {SOURCE.name: world.ROW}))


def test_a_sound_tower_has_no_problem() -> None:
    assert problems(view(rounded, "ratio"), view(ratio, "cleaned"), view(cleaned, SOURCE.name)) == []


def test_an_unknown_name_is_told_with_sources_and_views() -> None:
    [problem] = problems(view(rounded, "ratio"), view(ratio, "clean"), view(cleaned, SOURCE.name))
    assert problem.what == (
        "feature view 'ratio': must take one source, or one feature view, as its one parameter, by its name"
    )
    assert problem.allowed == "sources: facts; feature views: cleaned, rounded"
    assert problem.got == "parameter 'clean'"


@pytest.mark.parametrize("kind", ["an aggregation", "features of the request"])
def test_only_feature_views_can_be_stood_on(kind: str) -> None:
    def asked(request: pl.LazyFrame) -> pl.LazyFrame:
        return request.select(twice=pl.col("b") * 2)

    sums = aggregate(SOURCE, by="a", of="x", windows=["1h"], how=["sum"], name="other")
    other = sums if kind == "an aggregation" else replace(request_features(asked), name="other")
    [problem] = problems(view(ratio, "other"), other)
    assert problem.got == f"parameter 'other', which is {kind}"


def test_views_that_stand_on_each_other_are_refused_once_with_the_chain() -> None:
    ring = [view(cleaned, "rounded"), view(ratio, "cleaned"), view(rounded, "ratio")]
    [problem] = problems(view(as_one, "ratio"), *ring)
    assert problem.what == "feature view 'cleaned': stands on a view that stands on it"
    assert problem.got == "cleaned → rounded → ratio → cleaned"
    [problem] = problems(view(ratio, "ratio"))
    assert (problem.what, problem.got) == ("feature view 'ratio': stands on itself", "ratio → ratio")


def test_a_name_means_a_source_or_a_view() -> None:
    [problem] = problems(view(cleaned, SOURCE.name, name=SOURCE.name))
    assert problem.what == "feature view 'facts': has the name of a source"


def test_columns_that_the_view_below_does_not_give_are_named() -> None:
    def needs(cleaned: pl.LazyFrame) -> pl.LazyFrame:
        return cleaned.with_columns(pl.col("word").str.len_chars())

    def narrow(facts: pl.LazyFrame) -> pl.LazyFrame:
        return facts.select("b", "event", "known", "x")

    def plain(narrow: pl.LazyFrame) -> pl.LazyFrame:
        return narrow

    [problem] = problems(view(needs, "cleaned"), view(cleaned, SOURCE.name))
    assert problem.what == "feature view 'needs': its function fails on an empty frame of the declared columns"
    assert problem.allowed == "columns a, b, event, known, tenth, x" and "word" in problem.got
    [problem] = problems(view(plain, "narrow"), view(narrow, SOURCE.name, entity=("b",)))
    assert problem.what == "feature view 'plain': lost columns that every view keeps"
    assert problem.do == "let the function return a as well; 'narrow', on which it stands, has no a either"


def test_what_is_wrong_below_is_said_below_alone() -> None:
    def fails(facts: pl.LazyFrame) -> pl.LazyFrame:
        return facts.with_columns(pl.col("wind") * 2)

    [problem] = problems(view(ratio, "fails"), view(fails, SOURCE.name))
    assert problem.what.startswith("feature view 'fails': its function fails")


def test_declared_by_the_parameters_name() -> None:
    parent = feature_view(entity="a")(cleaned)
    child = feature_view(entity="a", max_age="2h")(ratio)
    features = FeatureSet((child, parent), SOURCES)
    assert features.declared[0].on.name == "cleaned"  # type: ignore[union-attr]
    assert features.declared[1] is parent


def test_two_definitions_of_a_view_are_served_at_once_with_all_that_stands_on_them(tmp_path: Path) -> None:
    """A release with an edited definition takes a share of the answers while the champion answers with the old."""
    rows = [Row("JFK", 1, at, at, at / 4, True, None) for at in range(1, 21)]
    versions = HeldVersions(rows, [10, 20])
    store = LmdbWriter(tmp_path)

    def edited(facts: pl.LazyFrame) -> pl.LazyFrame:
        return cleaned(facts).with_columns(pl.col("x") + 100)

    child = view(ratio, "cleaned")
    champion = bench(store, versions, child, view(cleaned, SOURCE.name))
    canary = bench(store, versions, child, view(edited, SOURCE.name, name="cleaned"))
    for newest in (1, 2):
        versions.newest = newest
        asked: list[Question] = [("JFK", 1, 10 * newest)]
        for one in (champion, canary):
            assert one.materialise() == ["ratio", "cleaned"]
        x = 10 * newest / 2
        assert assert_parity(champion, asked).values[0][1:4] == [x + 1, 1, x]
        assert assert_parity(canary, asked).values[0][1:4] == [x + 101, 1, x + 100]
    store.close()
