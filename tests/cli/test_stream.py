"""The starter with a stream: a row is appended to the running server, and the next answer knows it."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.cli.calls import call, call_process
from tests.cli.test_starter import up

import trimtab as tt
from trimtab.kernel.errors import RowsRefused, UnknownName

SOON_S = 10.0
DECLARED = """
INSTANT = pl.Datetime("us", "UTC")
clicks = tt.Source(
    "clicks",
    tt.stream(
        {
            "click_id": pl.String,
            "customer": pl.String,
            "seconds": pl.Float64,
            "clicked_at": INSTANT,
            "received_at": INSTANT,
        }
    ),
    event_time="clicked_at",
    known_time="received_at",
    key="click_id",
)
customer_clicks = tt.aggregate(
    clicks, name="customer_clicks", by="customer", of="seconds", windows=["1h"], how=["count"]
)


@tt.request_features
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter with one more source and one more view, in production."""
    folder = tmp_path_factory.mktemp("stream")
    assert call_process(folder, "init", "shop")[0] == 0
    system = folder / "shop" / "system.py"
    text = system.read_text()
    for old, new in (
        ("\n@tt.request_features\n", DECLARED),
        ("outcomes, products]", "outcomes, products, clicks]"),
        ("customer_returns]", "customer_returns, customer_clicks]"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    system.write_text(text)
    settings = folder / "shop" / "trimtab.toml"
    settings.write_text(settings.read_text().replace("workers = 2", "workers = 1"))
    for command in ("train", "release", "deploy"):
        status, _, error = call_process(folder / "shop", command)
        assert status == 0, error
    return folder / "shop"


def asked(address: str, path: str, content: Any) -> dict[str, Any]:
    with urllib.request.urlopen(address + path, json.dumps(content).encode(), timeout=20) as answer:
        told: dict[str, Any] = json.load(answer)
        return told


def prediction(address: str, customer: str) -> dict[str, Any]:
    row = {"order_id": "mine", "customer": customer, "product": "P05", "price_eur": 49.9, "paid_by": "invoice"}
    [answer] = asked(address, "/v1/systems/order-returns/predict", {"instances": [row]})["predictions"]
    return dict(answer)


def answer_that_knows(address: str, customer: str) -> dict[str, Any]:
    """The first answer that knows the customer's clicks."""
    until_s = time.monotonic() + SOON_S
    while "customer_clicks" in (answer := prediction(address, customer))["missing"]:
        assert time.monotonic() < until_s, "an appended row never became a feature"
        time.sleep(0.02)
    return answer


def click(customer: str, number: int = 0) -> dict[str, Any]:
    named = {"click_id": f"{customer}-{number}", "customer": customer, "seconds": 2.5}
    return {**named, "clicked_at": datetime.now(UTC).isoformat()}


def test_a_row_is_in_an_answer_soon_after_it_was_appended(shop: Path) -> None:
    with up(shop) as address:
        assert "customer_clicks" in prediction(address, "new-1")["missing"]
        told = asked(address, "/v1/sources/clicks/rows", {"rows": [click("new-1"), click("new-1", 1)]})
        assert (told["source"], told["accepted"]) == ("clicks", 2)
        answer = answer_that_knows(address, "new-1")
        # Beside the server, by the package.
        known_at = tt.append_rows("clicks", [click("new-2")], folder=shop)
        assert known_at > datetime.fromisoformat(told["known_at"])
        other = answer_that_knows(address, "new-2")
    for id, clicks in ((answer["id"], "2 rows"), (other["id"], "1 row")):
        status, shown, error = call(shop, "explain", id)
        assert status == 0, error
        assert re.search(rf"customer_clicks +clicks@\d+ · {clicks} · 0 min old\n +count_1h {clicks[0]}", shown), (
            shown
        )


def test_rows_in_python_are_held_to_the_declaration(shop: Path) -> None:
    with pytest.raises(RowsRefused, match="unknown column"):
        tt.append_rows("clicks", [click("new-3") | {"pag": 1}], folder=shop)
    with pytest.raises(UnknownName, match="unknown stream 'clikcs'") as unknown:
        tt.append_rows("clikcs", [click("new-3")], folder=shop)
    assert unknown.value.allowed == "clicks"
    first = tt.append_rows(
        "clicks", [click("new-4") | {"clicked_at": "2026-01-01T00:00:00Z"}], key="k", folder=shop
    )
    again = tt.append_rows(
        "clicks", [click("new-4") | {"clicked_at": "2026-01-01T00:00:00Z"}], key="k", folder=shop
    )
    assert first == again
