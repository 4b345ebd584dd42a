"""What `procession.ports.Journal` promises of keys that several want: who stands in line, who is next, who is refused."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from store_world import (
    EVENT,
    LATER,
    NOW,
    START,
    bury,
    claim,
    die,
    do,
    end,
    fence,
    instance,
    mail_of_step,
    mail_state,
    new_engine,
    queue,
    release,
    running,
    start,
    started,
    states,
    tokens,
    wait_until_somebody_waits,
)

from crm.store import CrmStore, open_store
from procession.ports import End, Instance, Store

QUEUED = replace(START, mode="queued")
RESTART = replace(START, mode="restart")


def in_line(store: Store, *events: int) -> list[int]:
    """One for each event, or three without."""
    wishes = [replace(QUEUED, event_id=event) for event in events] or [QUEUED] * 3
    return [number or 0 for number in start(store, *wishes)]


def events(store: Store, count: int) -> list[int]:
    numbers: list[int] = do(store, "append", [EVENT] * count)
    return numbers


def lines(store: Store, *numbers: int) -> dict[int, tuple[int, ...]]:
    found: dict[int, tuple[int, ...]] = do(store, "lines", numbers)
    return found


# --- standing in line


def test_a_start_stands_in_line_while_one_with_its_key_lives(store: Store) -> None:
    first = started(store, QUEUED)

    second = started(store, QUEUED)
    other = started(store, replace(QUEUED, key="18"))

    assert states(store) == {first: "ready", second: "queued", other: "ready"}
    assert instance(store, second) == replace(instance(store, first), id=second, state="queued")


def test_of_equal_starts_in_one_call_all_but_the_first_stand_in_line(store: Store) -> None:
    first, second, third = in_line(store)

    assert states(store) == {first: "ready", second: "queued", third: "queued"}
    assert lines(store, first, second, 999) == dict.fromkeys((first, second), (first, second, third))


def test_who_stands_in_line_is_not_claimed_and_is_no_work_to_do(store: Store) -> None:
    first, second, _ = in_line(store)
    (claimed,) = claim(store, new_engine(store))

    assert claimed.id == first
    assert claim(store, new_engine(store), second) == []
    glance = do(store, "glance", NOW)
    assert (glance.ready, glance.suspect) == (False, False)


def test_who_stands_in_line_is_counted_and_listed(store: Store) -> None:
    first, second, third = in_line(store)

    assert do(store, "tally") == {"notify": {"ready": 1, "queued": 2}}
    assert do(store, "live") == {"notify": 3}
    assert [one.id for one in do(store, "instances", states=["queued"])] == [third, second]
    assert [one.id for one in do(store, "instances", states=["queued", "ready"])] == [third, second, first]


def test_nobody_stands_in_line_where_nobody_waits(store: Store) -> None:
    one, other = started(store, QUEUED), started(store, replace(START, key="18", mode="parallel"))

    assert lines(store, one, other) == {}
    assert lines(store) == {}


def test_an_event_that_is_dispatched_again_stands_in_line_once(store: Store) -> None:
    (event,) = events(store, 1)
    first, second = in_line(store, event)[0], started(store, QUEUED)
    end(store, claim(store, new_engine(store), first)[0], "completed")

    assert start(store, replace(QUEUED, event_id=event), QUEUED)[0] is None
    assert states(store)[second] == "ready"


def test_what_an_event_made_already_holds_nobody_up(store: Store) -> None:
    """Nothing else of the call stands in line behind what is not made again."""
    (event,) = events(store, 1)
    first = in_line(store, event)[0]
    end(store, claim(store, new_engine(store), first)[0], "completed")

    again, other = start(store, replace(QUEUED, event_id=event), QUEUED)

    assert again is None
    assert states(store)[other or 0] == "ready"


# --- the next one


def ended(state: Any) -> Callable[[Store, Instance], object]:
    return lambda store, holder: end(store, holder, state)


def asked_to_stop(store: Store, holder: Instance) -> None:
    assert do(store, "ask_to_stop", [holder.id], "by anna", LATER) == 1


def at_its_next_step(store: Store, holder: Instance) -> None:
    asked_to_stop(store, holder)
    assert claim(store, new_engine(store)) == []
    assert fence(store, holder) == set()


def given_back(store: Store, holder: Instance) -> None:
    asked_to_stop(store, holder)
    assert do(store, "give_back", tokens(holder)) == 0


def while_it_waits(store: Store, holder: Instance) -> None:
    end(store, holder, "waiting")
    asked_to_stop(store, holder)


def while_it_is_held(store: Store, holder: Instance) -> None:
    end(store, holder, "incident")
    asked_to_stop(store, holder)


def before_it_is_claimed(store: Store, holder: Instance) -> None:
    do(store, "give_back", tokens(holder))
    asked_to_stop(store, holder)


def with_its_engine(store: Store, holder: Instance) -> None:
    asked_to_stop(store, holder)
    die(store, 1)


ENDS = {
    "completed": ended("completed"), "stopped": ended("stopped"), "failed": ended("failed"), "cancelled": ended("cancelled"),
    "asked to stop, at its next step": at_its_next_step, "asked to stop, given back": given_back,
    "asked to stop while it waits": while_it_waits, "asked to stop while it is held": while_it_is_held,
    "asked to stop before it is claimed": before_it_is_claimed, "asked to stop, its engine died": with_its_engine,
}  # fmt: skip


@pytest.mark.parametrize("how", ENDS)
def test_however_one_ends_the_next_in_line_has_its_key(store: Store, how: str) -> None:
    holder = running(store, QUEUED)
    second, third = in_line(store)[:2]

    ENDS[how](store, holder)

    assert states(store)[second] == "ready"
    assert states(store)[third] == "queued"
    assert lines(store, third)[third][:2] == (second, third)
    assert start(store, START) == [None]
    assert [one.id for one in claim(store, new_engine(store))] == [second]


@pytest.mark.parametrize("state", ["incident", "waiting"])
def test_an_incident_and_one_that_waits_hold_up_their_line(store: Store, state: str) -> None:
    holder = running(store, QUEUED)
    second = started(store, QUEUED)

    end(store, holder, state)

    assert states(store)[second] == "queued"
    if state == "incident":
        assert do(store, "resume", holder.id, LATER)
        end(store, claim(store, new_engine(store), holder.id)[0], "completed")
        assert states(store)[second] == "ready"


def test_the_line_goes_by_events_and_then_by_numbers(store: Store) -> None:
    early, late = events(store, 2)
    holder = running(store, QUEUED)
    second, third = in_line(store, late, early)
    fourth = started(store, replace(QUEUED, event_id=late, trigger={"id": "other"}))

    assert lines(store, fourth)[fourth] == (holder.id, third, second, fourth)

    end(store, holder, "completed")
    assert states(store)[third] == "ready"
    end(store, claim(store, new_engine(store), third)[0], "completed")
    assert states(store)[second] == "ready"


def test_many_that_end_at_once_pass_each_their_key_on(store: Store) -> None:
    keys = "abc"
    holders = start(store, *[replace(QUEUED, key=key) for key in keys])
    behind = start(store, *[replace(QUEUED, key=key) for key in keys])
    claimed = claim(store, new_engine(store))

    with store.unit() as unit:
        unit.journal.fence(tokens(*claimed))
        ends = [End(claimed[0].id, "completed"), End(claimed[1].id, "failed"), End(claimed[2].id, "incident")]
        unit.journal.end(ends, NOW)
        unit.commit()

    assert [states(store)[number or 0] for number in (*holders, *behind)] == [
        "completed", "failed", "incident", "ready", "ready", "queued",
    ]  # fmt: skip


# --- cancelled in line


def test_who_stands_in_line_is_cancelled_at_once(store: Store) -> None:
    first, second, third = in_line(store)

    assert do(store, "ask_to_stop", [second], "by anna", LATER) == 1

    old = instance(store, second)
    assert (old.state, old.result, old.ended_at) == ("cancelled", "by anna", LATER)
    assert lines(store, first, second) == {first: (first, third)}
    assert do(store, "unseen_in_prefect", 10) == [old]


def test_a_line_that_is_cancelled_as_a_whole_passes_nothing_on(store: Store) -> None:
    numbers = in_line(store)

    assert do(store, "ask_to_stop", numbers, "by anna", LATER) == 3

    assert set(states(store).values()) == {"cancelled"}
    new = started(store, QUEUED)
    assert states(store)[new] == "ready"


def test_a_mail_of_the_next_in_line_is_not_cancelled_with_the_one_before(store: Store) -> None:
    first, second, _ = in_line(store)
    ours, theirs = queue(store, mail_of_step(first), mail_of_step(second, "<2@us.example>"))

    asked_to_stop(store, instance(store, first))

    assert (mail_state(store, ours.id), mail_state(store, theirs.id)) == ("cancelled", "queued")


# --- beside other modes


def test_a_restart_has_the_key_before_those_in_line(store: Store) -> None:
    first = running(store, QUEUED)
    second = started(store, QUEUED)

    third = started(store, RESTART)
    assert states(store) == {first.id: "running", second: "queued", third: "ready"}

    assert fence(store, first) == set()
    assert states(store)[second] == "queued"
    end(store, claim(store, new_engine(store), third)[0], "completed")
    assert states(store)[second] == "ready"


def test_the_line_of_a_restart_that_was_cancelled_stands_behind_the_one_that_runs(store: Store) -> None:
    first = running(store, QUEUED)
    second, third = started(store, RESTART), started(store, QUEUED)

    do(store, "ask_to_stop", [second], "by anna", LATER)
    assert states(store) == {first.id: "running", second: "cancelled", third: "queued"}
    assert lines(store, third) == {third: (first.id, third)}

    assert fence(store, first) == set()
    assert states(store)[third] == "ready"


def test_the_line_of_a_restart_that_was_cancelled_later_goes_on(store: Store) -> None:
    first = running(store, QUEUED)
    second, third = started(store, RESTART), started(store, QUEUED)
    fence(store, first)

    do(store, "ask_to_stop", [second], "by anna", LATER)

    assert states(store)[third] == "ready"


# --- refused


def refused(store: Store, number: int) -> int:
    count: int = instance(store, number).refused
    return count


def test_starts_that_are_refused_are_counted_on_who_has_the_key(store: Store) -> None:
    first, other = started(store), started(store, replace(START, key="18"))

    start(store, START, START, replace(START, key="18"))
    start(store, START, replace(START, mode="parallel"))

    assert (refused(store, first), refused(store, other)) == (3, 1)


def test_starts_that_are_refused_in_one_call_are_counted_on_its_first(store: Store) -> None:
    first, *_ = start(store, START, START, START)

    assert refused(store, first or 0) == 2


def test_an_event_that_is_dispatched_again_is_not_refused(store: Store) -> None:
    (event,) = events(store, 1)
    wish = replace(START, event_id=event)
    first = started(store, wish)

    assert start(store, wish, wish) == [None, None]
    assert refused(store, first) == 0


def test_starts_that_stand_in_line_or_supersede_are_not_refused(store: Store) -> None:
    first, second, _ = in_line(store)
    third = started(store, RESTART)

    assert [refused(store, number) for number in (first, second, third)] == [0, 0, 0]


# --- side by side, on PostgreSQL


@pytest.fixture
def on_postgresql(postgresql_url: str) -> Iterator[CrmStore]:
    store = open_store(postgresql_url)
    yield store
    store.close()


def start_all(store: Store, *wishes: Any) -> Sequence[int | None]:
    return start(store, *wishes)


@pytest.mark.external_service
@pytest.mark.parametrize("state", ["completed", "incident"])
def test_a_start_beside_the_end_of_the_one_before_waits_for_it(on_postgresql: CrmStore, state: Any) -> None:
    first = running(on_postgresql, QUEUED)

    with ThreadPoolExecutor(1) as pool, on_postgresql.unit() as unit:
        unit.journal.fence(tokens(first))
        unit.journal.end([End(first.id, state)], NOW)
        second = pool.submit(started, on_postgresql, QUEUED)
        wait_until_somebody_waits(on_postgresql)
        unit.commit()

    assert states(on_postgresql)[second.result()] == ("ready" if state == "completed" else "queued")


@pytest.mark.external_service
@pytest.mark.parametrize("mode", ["queued", "restart", "single"])
def test_a_start_beside_the_end_of_the_one_before_sees_who_has_the_key_next(
    on_postgresql: CrmStore, mode: Any
) -> None:
    first = running(on_postgresql, QUEUED)
    second = started(on_postgresql, QUEUED)

    with ThreadPoolExecutor(1) as pool, on_postgresql.unit() as unit:
        unit.journal.fence(tokens(first))
        unit.journal.end([End(first.id, "completed")], NOW)
        third = pool.submit(start_all, on_postgresql, replace(QUEUED, mode=mode))
        wait_until_somebody_waits(on_postgresql)
        unit.commit()
        (number,) = third.result()

    told = states(on_postgresql)
    if mode == "single":
        assert (number, told[second], refused(on_postgresql, second)) == (None, "ready", 1)
    else:
        expected = ("ready", "queued") if mode == "queued" else ("cancelled", "ready")
        assert (told[second], told[number or 0]) == expected


@pytest.mark.external_service
def test_an_end_beside_a_start_waits_for_it_and_passes_the_key_on(on_postgresql: CrmStore) -> None:
    first = running(on_postgresql, QUEUED)

    with ThreadPoolExecutor(1) as pool, on_postgresql.unit() as unit:
        (second,) = unit.journal.start([QUEUED], NOW)
        ending = pool.submit(end, on_postgresql, first, "completed")
        wait_until_somebody_waits(on_postgresql)
        unit.commit()
        ending.result()

    assert states(on_postgresql) == {first.id: "completed", second: "ready"}


@pytest.mark.external_service
def test_who_ends_beside_the_cancelling_of_the_next_passes_its_key_to_the_one_after(
    on_postgresql: CrmStore,
) -> None:
    first = running(on_postgresql, QUEUED)
    second, third = in_line(on_postgresql)[:2]

    with ThreadPoolExecutor(1) as pool, on_postgresql.unit() as unit:
        unit.journal.ask_to_stop([second], "by anna", NOW)
        ending = pool.submit(end, on_postgresql, first, "completed")
        wait_until_somebody_waits(on_postgresql)
        unit.commit()
        ending.result()

    assert (states(on_postgresql)[second], states(on_postgresql)[third]) == ("cancelled", "ready")


@pytest.mark.external_service
def test_who_cancels_a_whole_line_waits_for_its_holder_first(on_postgresql: CrmStore) -> None:
    """Also where the holder has the higher number: the one that ends it locks the one in line after it."""
    early, late = events(on_postgresql, 2)
    engine = new_engine(on_postgresql)
    first = running(on_postgresql, QUEUED, engine)
    second, third = in_line(on_postgresql, late, early)
    end(on_postgresql, first, "completed")
    (holder,) = claim(on_postgresql, engine, third)

    with ThreadPoolExecutor(1) as pool, on_postgresql.unit() as unit:
        unit.journal.fence(tokens(holder))
        asked = pool.submit(do, on_postgresql, "ask_to_stop", [second, holder.id], "by anna", NOW)
        wait_until_somebody_waits(on_postgresql)
        unit.journal.end([End(holder.id, "completed")], NOW)
        unit.commit()
        assert asked.result() == 1

    assert states(on_postgresql)[second] == "cancelled"


@pytest.mark.external_service
def test_what_the_dead_left_is_passed_on_by_one_of_many(on_postgresql: CrmStore) -> None:
    first = running(on_postgresql, QUEUED)
    second = started(on_postgresql, QUEUED)
    do(on_postgresql, "ask_to_stop", [first.id], "by anna", NOW)
    bury(on_postgresql, 1)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _number: release(on_postgresql), range(2)))

    assert states(on_postgresql) == {first.id: "cancelled", second: "ready"}
