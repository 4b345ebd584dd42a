"""What `procession.ports.Journal` promises of bursts of saves, on every store."""

from dataclasses import replace
from datetime import timedelta

from store_world import LATER, NOW, do

from procession.ports import Burst, Store
from procession.records import Ref

ANN = Burst(
    "p",
    "saved",
    Ref("contact", 1),
    7,
    NOW,
    LATER,
    was_added=True,
    bulk=True,
    changed=("phone", "name"),
    payload={"name": "Ann"},
)
BEA = Burst("p", "saved", Ref("contact", 2), 8, NOW, LATER + timedelta(seconds=1), is_deleted=True)
OTHER = replace(ANN, trigger="other", due=NOW)


def test_a_burst_comes_back_as_it_was_given(store: Store) -> None:
    do(store, "save_bursts", [ANN, BEA])

    assert do(store, "bursts", [ANN.key, BEA.key, OTHER.key]) == {ANN.key: ANN, BEA.key: BEA}
    assert do(store, "bursts", []) == {}
    do(store, "save_bursts", [])


def test_what_is_known_of_a_burst_is_replaced(store: Store) -> None:
    do(store, "save_bursts", [ANN])
    longer = replace(ANN, event=9, due=LATER + timedelta(minutes=1), changed=("phone",), payload={})

    do(store, "save_bursts", [longer])

    assert do(store, "bursts", [ANN.key]) == {ANN.key: longer}


def test_those_that_nothing_followed_come_the_first_to_fall_due_first(store: Store) -> None:
    do(store, "save_bursts", [ANN, BEA, OTHER])

    assert do(store, "due_bursts", LATER, 10) == [OTHER, ANN]
    assert do(store, "due_bursts", LATER, 1) == [OTHER]
    assert do(store, "glance", NOW - timedelta(seconds=1)).bursts is False
    assert do(store, "glance", NOW).bursts is True


def test_one_that_is_over_is_dropped(store: Store) -> None:
    do(store, "save_bursts", [ANN, BEA])

    do(store, "drop_bursts", [ANN.key, OTHER.key])

    assert do(store, "bursts", [ANN.key, BEA.key]) == {BEA.key: BEA}
    do(store, "drop_bursts", [])
