import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from trimtab.kernel.canonical import JsonMap
from trimtab.kernel.errors import NaiveTime
from trimtab.kernel.ledger_entry import GENESIS, LedgerEntry, entry_hash

AT = datetime(2013, 4, 1, 6, 30, tzinfo=UTC)
BODY: JsonMap = {"champion": "ab12", "verdicts": [{"gate": "floor", "value": 0.71}]}
HASH = entry_hash(1, AT, "loop", "release.created", "flight-delay", BODY, GENESIS)
ENTRY = LedgerEntry(1, AT, "loop", "release.created", "flight-delay", BODY, GENESIS, HASH)


def test_an_untouched_entry_has_the_hash_it_says() -> None:
    assert ENTRY.expected_hash() == ENTRY.hash
    assert len(ENTRY.hash) == len(GENESIS) == 64


@pytest.mark.parametrize(
    "edited",
    [
        replace(ENTRY, seq=2),
        replace(ENTRY, at=AT + timedelta(microseconds=1)),
        replace(ENTRY, actor="user:ada"),
        replace(ENTRY, kind="release.refused"),
        replace(ENTRY, subject="flight-delays"),
        replace(ENTRY, body={**BODY, "champion": "ab13"}),
        replace(ENTRY, body={**BODY, "more": None}),
        replace(ENTRY, previous="1" * 64),
    ],
    ids=["seq", "at", "actor", "kind", "subject", "body", "body grown", "previous"],
)
def test_an_edit_of_any_field_shows(edited: LedgerEntry) -> None:
    assert edited.expected_hash() != edited.hash


def test_text_moved_from_one_field_to_the_next_shows() -> None:
    one = entry_hash(1, AT, "loop", "a.b", "c", {}, GENESIS)
    assert entry_hash(1, AT, "loopa", ".b", "c", {}, GENESIS) != one


def test_the_hash_is_of_the_instant_and_not_of_its_zone_or_the_order_of_the_body() -> None:
    elsewhere = AT.astimezone(ZoneInfo("America/New_York"))
    turned = {name: BODY[name] for name in reversed(list(BODY))}
    assert entry_hash(1, elsewhere, "loop", "release.created", "flight-delay", turned, GENESIS) == HASH


def test_the_hash_is_frozen() -> None:
    """Ledgers on disk are chained by it: it must not change with a version of Python or of Trimtab."""
    text = (
        '[1,1364797800000000,"loop","release.created","flight-delay",'
        '{"champion":"ab12","verdicts":[{"gate":"floor","value":0.71}]},"' + "0" * 64 + '"]'
    )
    assert hashlib.sha256(text.encode()).hexdigest() == HASH


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(NaiveTime):
        entry_hash(1, AT.replace(tzinfo=None), "loop", "a.b", "c", {}, GENESIS)
