"""`trimtab features ls | show | stats | lineage`: what somebody asks who did not write the features."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.cli.calls import call, parts

from trimtab.cli.session import session
from trimtab.house.feature_stats import numbers
from trimtab.house.house import House
from trimtab.kernel.moment import to_us
from trimtab.kernel.prediction import Prediction
from trimtab.serving.log_reader import TABLE, frame_of_predictions
from trimtab.stats.psi import psi

EDITS = {
    'key="order_id", contract=OrderContract)': (
        'key="order_id", contract=OrderContract, owner="shop", personal="customer")'
    ),
    '    known_time="settled_at",\n': '    known_time="settled_at",\n    personal=("customer",),\n',
    "product_returns = tt.aggregate(": '''\
@tt.feature_view(entity="product", owner="pricing", units={"dear": "log €"})
def scale(product: pl.LazyFrame) -> pl.LazyFrame:
    """How dear it is."""
    return product.select("product", "listed_at", "category", dear=pl.col("list_price_eur").log())


product_returns = tt.aggregate(''',
    "features=[order, product, ": "features=[order, product, scale, ",
}
UNTIL = datetime(2030, 3, 1, tzinfo=UTC)
ANSWERS = 600
NAMES = ("mean_30d", "count_30d", "mean_90d", "count_90d")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Deployed, with answers; then a definition in the working tree is edited."""
    folder = tmp_path_factory.mktemp("features")
    assert call(folder, "init", "shop")[0] == 0
    shop = folder / "shop"
    declared = (shop / "system.py").read_text()
    for old, new in EDITS.items():
        assert declared.count(old) == 1, old
        declared = declared.replace(old, new)
    (shop / "system.py").write_text(declared)
    for command in ("train", "release", "deploy"):
        status, shown, error = call(shop, command)
        assert status == 0, error + shown
    answer(shop)
    (shop / "system.py").write_text(declared.replace('pl.col("list_price_eur").log()', 'pl.col("list_price_eur")'))
    yield shop
    sys.modules.pop("system", None)


def answer(shop: Path) -> None:
    """Answers in the table of predictions: an hour apart, the last at UNTIL; the last week's prices are tenfold."""
    with session(folder=shop) as open_:
        house = open_.house
        route = house.act.route(house.name)
        assert route is not None
        names = [one.name for one in house.releases.get(route.champion).features]
        rows = training_set(house).tail(ANSWERS).select(names)
        records = []
        for place, row in enumerate(rows.iter_rows(named=True)):
            at = UNTIL - timedelta(hours=ANSWERS - 1 - place)
            late = at > UNTIL - timedelta(days=7)
            values = {**row, "order.price_eur": row["order.price_eur"] * (10 if late else 1)}
            ages = (7_200_000_000, None, 1, 1)
            told: tuple[Any, ...] = (
                house.name,
                route.champion,
                1,
                f"k{place}",
                to_us(at),
                {},
                tuple(values.values()),
                ages,
                0.5,
                (),
                9,
            )
            records.append(("segment", Prediction(f"id{place}", *told)))
        open_.stores.tables.append(
            TABLE, frame_of_predictions(records), writer="test", number=1, note={}, partition_by=("date",)
        )


def trained(shop: Path) -> pl.DataFrame:
    with session(folder=shop, checked=False) as open_:
        return training_set(open_.house)


def training_set(house: House) -> pl.DataFrame:
    [(_, body)] = house.reader.records("run")
    result: Any = body["result"]
    return pl.read_ipc(house.blobs.get(str(result["training_set"])))


def body(shop: Path, *arguments: str) -> Any:
    status, shown, error = call(shop, "features", *arguments, "--json")
    assert status == 0, error
    return json.loads(shown)


def screen(shop: Path, *arguments: str) -> str:
    status, shown, error = call(shop, "features", *arguments)
    assert status == 0, error
    return shown


def test_each_command_is_found_from_help(tmp_path: Path) -> None:
    assert re.search(r"^  features +Features: what there is", call(tmp_path, "--help")[1], re.MULTILINE)
    shown = call(tmp_path, "features", "--help")[1]
    for name in ("ls", "show", "stats", "lineage", "verify", "rebuild"):
        line = next(line for line in shown.splitlines() if line.split()[:1] == [name])
        assert not line.endswith("...")


def test_every_feature_with_its_tags_and_who_uses_it(shop: Path) -> None:
    found = {one["feature"]: one for one in body(shop, "ls")}
    told = {
        name: (one["type"], one["unit"], one["owner"], one["personal"], one["source"])
        for name, one in found.items()
    }
    assert told == {
        "order.price_eur": ("Float64", "€", "shop", "no", "orders"),
        "order.paid_by": ("String", "", "shop", "no", "orders"),
        "product.category": ("String", "", "", "not declared", "products"),
        "product.list_price_eur": ("Float64", "€", "", "not declared", "products"),
        "scale.category": ("String", "", "pricing", "not declared", "products"),
        "scale.dear": ("Float64", "log €", "pricing", "not declared", "products"),
        "product_returns.mean_30d": ("Float64", "", "", "no", "outcomes"),
        "product_returns.count_30d": ("Float64", "rows", "", "no", "outcomes"),
        **{
            f"customer_returns.{how}_{window}": ("Float64", unit, "", "yes", "outcomes")
            for window in ("30d", "90d")
            for how, unit in (("mean", ""), ("count", "rows"))
        },
    }
    [release] = found["product.category"]["used_by"]
    assert release["roles"] == ["champion"] and release["as_in_working_tree"]
    assert [one["as_in_working_tree"] for one in found["scale.dear"]["used_by"]] == [False]
    shown = screen(shop, "ls")
    assert re.search(r"^  scale +pricing +products +champion\*, 1 release$", shown, re.MULTILINE)
    assert re.search(r"^    dear +Float64 +log € +\?$", shown, re.MULTILINE)
    assert re.search(r"^    mean_90d +Float64 +personal$", shown, re.MULTILINE)
    assert max(map(len, shown.splitlines())) <= 100


def test_what_is_served_and_no_longer_declared_is_told_all_the_same(shop: Path) -> None:
    declared = (shop / "system.py").read_text()
    without = declared.replace(", customer_returns]", "]").replace(
        'windows=["30d"], how=["mean", "count"]', 'windows=["30d"], how=["mean"]'
    )
    assert without != declared
    (shop / "system.py").write_text(without)
    try:
        found = {one["feature"]: one for one in body(shop, "ls")}
        shown = screen(shop, "ls")
    finally:
        (shop / "system.py").write_text(declared)
    gone = {name for name, one in found.items() if not one["declared"]}
    assert gone == {"product_returns.count_30d", *(f"customer_returns.{one}" for one in NAMES)}
    assert found["customer_returns.mean_90d"]["personal"] == "yes"
    assert found["customer_returns.mean_90d"]["used_by"][0]["roles"] == ["champion"]
    assert re.search(r"^  customer_returns +outcomes +champion, no longer declared$", shown, re.MULTILINE)
    assert re.search(r"^    count_30d +Float64 +rows +no +no longer declared$", shown, re.MULTILINE)


def test_filters(shop: Path) -> None:
    assert {one["view"] for one in body(shop, "ls", "--personal")} == {"customer_returns"}
    assert {one["view"] for one in body(shop, "ls", "--unowned")} == {
        "product",
        "product_returns",
        "customer_returns",
    }
    assert {one["view"] for one in body(shop, "ls", "--unowned", "--personal")} == {"customer_returns"}
    assert "Features  order-returns, 4 features in 1 view" in screen(shop, "ls", "--personal")


def test_a_view_in_full(shop: Path) -> None:
    found = body(shop, "show", "scale")
    assert found["description"] == "How dear it is." and found["source"] == "products"
    assert found["entity"] == ["product"] and found["max_age_s"] is None and found["stands_on"] == ["product"]
    assert "def scale(product: pl.LazyFrame)" in found["definition"] and ".log()" not in found["definition"]
    [use] = found["used_by"]
    assert use["version"] != found["version"]
    shown = screen(shop, "show", "scale")
    assert re.search(r"^  stands on +product → scale$", shown, re.MULTILINE)
    assert f"champion  {use['version'][:12]}         another definition" in shown
    assert "  def scale(product: pl.LazyFrame) -> pl.LazyFrame:" in shown


def test_a_window_in_full(shop: Path) -> None:
    found = body(shop, "show", "customer_returns.count_90d")
    assert [one["column"] for one in found["features"]] == ["count_90d"]
    assert found["windows_s"] == [30 * 86400, 90 * 86400] and found["by"] == ["customer"]
    shown = screen(shop, "show", "customer_returns.count_90d")
    assert "  mean, count of returned" in shown and "  over 30d, 90d before the question, by known time" in shown
    assert "customer is personal in outcomes" in shown


def test_names_that_do_not_exist_are_told_with_those_that_do(shop: Path) -> None:
    status, _, error = call(shop, "features", "show", "prize")
    assert status == 1
    assert parts(error)["allowed"] == "customer_returns, order, product, product_returns, scale"
    status, _, error = call(shop, "features", "show", "scale.cheap")
    assert parts(error)["allowed"] == "category, dear"
    status, _, error = call(shop, "features", "stats", "scale.cheap")
    assert status == 1 and "there is no feature of release" in error
    status, _, error = call(shop, "features", "lineage", "nowhere")
    assert parts(error)["what"] == "unknown view, source or release 'nowhere'"


def test_as_trained_beside_as_served(shop: Path) -> None:
    found = body(shop, "stats", "order")
    before = trained(shop)
    answers = 7 * 24
    assert (found["trained_rows"], found["answers"], found["looked_at"]) == (before.height, answers, answers)
    assert found["until"] == str(UNTIL) and found["ages"] == []
    price, paid_by = found["features"]
    old = before["order.price_eur"]
    now = before.tail(answers)["order.price_eur"] * 10
    for side, column in (("training", old), ("served", now)):
        told = price[side]
        assert told["rows"] == column.len() and told["missing"] == 0
        for name, value in (("mean", column.mean()), ("std", column.std()), ("p50", column.median())):
            assert told[name] == pytest.approx(value)
        assert (told["min"], told["max"]) == (column.min(), pytest.approx(column.max()))
    assert price["psi"] == pytest.approx(psi(old.to_numpy(), now.to_numpy())) and price["psi"] > 1
    kinds = before["order.paid_by"].value_counts(sort=True)
    assert paid_by["training"]["categories"] == kinds.height == 3
    assert paid_by["training"]["top"][0] == [
        kinds["order.paid_by"][0],
        pytest.approx(kinds["count"][0] / old.len()),
    ]
    shown = screen(shop, "stats", "order")
    assert re.search(r"^ +served +0 .* ✗$", shown, re.MULTILINE) and "168 answers" in shown
    assert "of fewer than 400 answers" in shown


def test_a_longer_look_one_column_and_ages(shop: Path) -> None:
    whole = body(shop, "stats", "order.price_eur", "--last", "100d")
    assert whole["answers"] == ANSWERS and [one["name"] for one in whole["features"]] == ["order.price_eur"]
    assert body(shop, "stats", "product")["ages"] == [
        {"view": "product", "median_us": 7_200_000_000, "oldest_us": 7_200_000_000, "without": 0.0}
    ]
    assert body(shop, "stats", "scale")["ages"][0]["without"] == 1.0
    assert "no answer had a fact" in screen(shop, "stats", "scale")


def test_before_anything_answers(tmp_path: Path) -> None:
    assert call(tmp_path, "init", "shop")[0] == 0
    shop = tmp_path / "shop"
    sys.modules.pop("system", None)
    assert [one["used_by"] for one in body(shop, "ls") if one["feature"] == "order.paid_by"] == [[]]
    assert "nobody" in screen(shop, "ls") and "by no release" in screen(shop, "show", "product")
    assert "nothing ingested yet" in screen(shop, "lineage", "products")
    status, _, error = call(shop, "features", "stats", "order")
    assert status == 1 and parts(error)["what"] == "there is no champion 'order-returns'"
    broken = (shop / "system.py").read_text().replace('entity="product"', 'entity="produce"')
    (shop / "system.py").write_text(broken)
    status, _, error = call(shop, "features", "ls")
    assert status == 1 and "feature view 'product': entity names a column that does not exist" in error
    sys.modules.pop("system", None)


def test_lineage_downstream(shop: Path) -> None:
    tree = body(shop, "lineage", "products")
    assert tree["id"] == "products@000001"
    product, scale, before = tree["children"]
    [run] = product["children"]
    [release] = run["children"]
    assert release["id"] == body(shop, "ls")[0]["used_by"][0]["release"]
    assert [one["id"] for one in release["children"]] == ["champion"]
    assert scale["said"] == "as in the working tree, in no run yet, stands on product" and scale["children"] == []
    assert before["said"] == "another definition" and before["children"] == product["children"]
    shown = screen(shop, "lineage", "scale.dear")
    assert re.search(
        r"└─ run \w{12} .*, products@1 → release \w{12} → champion since \d{4}-\d\d-\d\d$", shown, re.MULTILINE
    )
    assert max(map(len, shown.splitlines())) <= 100


def test_lineage_upstream(shop: Path) -> None:
    [used] = body(shop, "ls")[0]["used_by"]
    tree = body(shop, "lineage", used["release"][:6])
    route, run = tree["children"]
    assert (tree["kind"], route["id"], run["kind"]) == ("release", "champion", "run")
    told = {one["id"]: [view["id"].partition("@")[0] for view in one["children"]] for one in run["children"]}
    assert told == {
        "orders@000001": ["order"],
        "outcomes@000001": ["product_returns", "customer_returns"],
        "products@000001": ["product", "scale"],
    }
    assert "price_eur, paid_by" in screen(shop, "lineage", used["release"][:6])


def test_numbers_of_what_is_missing_and_of_truth() -> None:
    found = numbers(pl.Series([1.0, None, np.nan, 3.0]))
    assert (found.rows, found.missing, found.mean, found.max) == (4, 0.5, 2.0, 3.0)
    assert numbers(pl.Series([True, False, None, True])).mean == pytest.approx(2 / 3)
    assert numbers(pl.Series("c", [None, None], pl.String)).missing == 1.0
    assert numbers(pl.Series("c", ["b", "a", "a", None])).top == (("a", 0.5), ("b", 0.25))
