"""Alarms: one at a time for each subject, whoever asks and however often."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stores import START, Stores

from trimtab.monitoring.alarms import OVER, RAISED, Alarm, Alarms

SYSTEM = "flight-delay"
SOURCE, RELEASE = "source weather", "release 5b2ddebc3398"


def alarms(stores: Stores, system: str = SYSTEM) -> Alarms:
    """A process of its own: nothing is remembered but what the journal holds."""
    return Alarms(system, stores.journal, stores.reader)


def test_raised_twice_is_raised_once(stores: Stores) -> None:
    first, second = stores.minute(), stores.minute()
    assert alarms(stores).raise_(SOURCE, "no temp_f", first)
    assert not alarms(stores).raise_(SOURCE, "no temp_f, still", second)
    assert alarms(stores).all() == [Alarm(SOURCE, "no temp_f", first, None)]
    assert stores.kinds() == [RAISED]


def test_over_and_raised_anew(stores: Stores) -> None:
    ats = [stores.minute() for _ in range(3)]
    assert alarms(stores).raise_(SOURCE, "no temp_f", ats[0])
    assert alarms(stores).end(SOURCE, ats[1])
    assert not alarms(stores).end(SOURCE, ats[1])
    assert alarms(stores).raise_(SOURCE, "again", ats[2])
    assert alarms(stores).all() == [
        Alarm(SOURCE, "no temp_f", ats[0], ats[1]),
        Alarm(SOURCE, "again", ats[2], None),
    ]
    assert stores.kinds() == [RAISED, OVER, RAISED]


def test_raised_and_over_at_one_instant(stores: Stores) -> None:
    at = stores.minute()
    assert alarms(stores).raise_(RELEASE, "rolled back", at)
    assert alarms(stores).end(RELEASE, at)
    assert alarms(stores).all() == [Alarm(RELEASE, "rolled back", at, at)]


def test_nothing_is_over_that_was_never_raised(stores: Stores) -> None:
    assert not alarms(stores).end(SOURCE, stores.minute())
    assert alarms(stores).all() == []
    assert stores.kinds() == []


def test_systems_and_subjects_are_apart(stores: Stores) -> None:
    """Also where one name is the beginning of another."""
    at = stores.minute()
    for system in (SYSTEM, f"{SYSTEM}-2"):
        for subject in (SOURCE, f"{SOURCE} 2"):
            assert alarms(stores, system).raise_(subject, system, at)
    assert alarms(stores).end(SOURCE, at)
    assert [(one.subject, one.text, one.over) for one in alarms(stores).all()] == [
        (SOURCE, SYSTEM, at),
        (f"{SOURCE} 2", SYSTEM, None),
    ]
    assert all(one.over is None for one in alarms(stores, f"{SYSTEM}-2").all())


@settings(deadline=None, max_examples=15)
@given(st.lists(st.tuples(st.sampled_from([SOURCE, RELEASE]), st.booleans()), max_size=12))
def test_whatever_happens_the_list_is_in_order_and_at_most_one_is_on(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[tuple[str, bool]]
) -> None:
    stores = Stores(tmp_path_factory.mktemp("alarms"))
    expected: list[Alarm] = []
    for number, (subject, on) in enumerate(deeds):
        at = START + timedelta(hours=number)
        place = next((n for n, one in enumerate(expected) if one.subject == subject and one.over is None), None)
        if on:
            assert alarms(stores).raise_(subject, str(number), at) == (place is None)
            expected += [Alarm(subject, str(number), at, None)] if place is None else []
        else:
            assert alarms(stores).end(subject, at) == (place is not None)
            if place is not None:
                expected[place] = Alarm(subject, expected[place].text, expected[place].at, at)
    assert alarms(stores).all() == expected
    stores.close()
