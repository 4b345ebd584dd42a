"""What `procession.ports.Journal` promises of events that instances wait for, on every store."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from store_world import ANNA, LATER, NOW, START, claim, do, end, new_engine, running, start, states, wait_of

from procession.ports import ANY_KEY, Correlation, Event, Instance, Sought, Store
from procession.records import Ref

ANN_KEY, BEA_KEY = "record.contact=contact:1", "record.contact=contact:2"
ADDED = Sought("activity.added", ANN_KEY)
PAID = Sought("message paid", "record=activity:5")


def waiting(store: Store, *sought: Sought, key: str = "17", **named: Any) -> Instance:
    one = running(store, replace(START, key=key))
    end(store, one, "waiting", wait_of(one.id, **{"due": None, "kind": "event", "sought": sought, **named}))
    return one


def told(
    store: Store, name: str = "paid", ref: Ref | None = None, kind: Any = "message", **named: Any
) -> int:
    (number,) = do(store, "append", [Event(0, NOW, kind, ref, name=name, **named)])
    return int(number)


def taken_up(store: Store) -> list[Event]:
    """By a planner, in a unit of its own."""
    engine = new_engine(store)
    with store.unit() as unit:
        unit.journal.bury({row.id: row.beat for row in unit.journal.engines() if row.id != engine})
        epoch = unit.journal.lead(engine)
        unit.commit()
    with store.unit() as unit:
        assert epoch
        assert unit.journal.leads(engine, epoch)
        events = unit.journal.take_up(100)
        unit.commit()
    return events


def dispatched(store: Store) -> None:
    do(store, "dispatched", [event.id for event in taken_up(store)], NOW)


def correlation(event: Event, kind: str = "message paid", *keys: str, **named: Any) -> Correlation:
    return Correlation(event, frozenset({kind}), frozenset(keys or (PAID.key, ANY_KEY)), **named)


def arrived(store: Store, *instances: Instance) -> dict[tuple[int, int], Sequence[int]]:
    found = do(store, "arrived", [one.id for one in instances])
    return {key: [event.id for event in events] for key, events in found.items()}


# --- what is kept


def test_what_a_wait_is_for_comes_back_as_it_was_given(store: Store) -> None:
    sought = (Sought("activity.added", ANN_KEY, since=NOW), Sought("message paid", ANY_KEY, since_began=True))
    one = waiting(store, *sought, expires=NOW + timedelta(days=2))

    (wait,) = do(store, "waits", [one.id])[one.id]

    assert (wait.sought, wait.expires) == (sought, NOW + timedelta(days=2))
    assert do(store, "glance", NOW).live is True
    assert do(store, "glance", NOW).new is True


def test_it_is_said_which_events_are_waited_for(store: Store) -> None:
    one = waiting(store, ADDED, PAID)

    assert do(store, "awaited", ["activity.added", "activity.modified", "message paid"]) == {
        "activity.added",
        "message paid",
    }
    do(store, "ask_to_stop", [one.id], "by anna", NOW)
    assert do(store, "awaited", ["activity.added", "message paid"]) == set()


def test_a_named_event_comes_back_as_it_was_given(store: Store) -> None:
    told(store, "order paid", Ref("activity", 5), payload={"n": 1})

    (event,) = do(store, "pending", 10)

    assert (event.type, event.name, event.ref, event.payload) == (
        "message",
        "order paid",
        Ref("activity", 5),
        {"n": 1},
    )


# --- handed to those that wait


def test_an_event_comes_to_the_waits_that_seek_it(store: Store) -> None:
    mine, others = (
        waiting(store, PAID, key="1"),
        waiting(store, replace(PAID, key="record=activity:6"), key="2"),
    )
    other_kind = waiting(store, replace(PAID, kind="signal paid"), key="3")
    number = told(store)
    (event,) = taken_up(store)

    assert do(store, "correlate", [correlation(event)], NOW, 10) == set()

    assert states(store) == {mine.id: "ready", others.id: "waiting", other_kind.id: "waiting"}
    assert arrived(store, mine, others) == {(mine.id, 1): [number]}


def test_a_wait_for_any_event_of_its_kind_gets_each(store: Store) -> None:
    one = waiting(store, Sought("message paid", ANY_KEY))
    numbers = [told(store), told(store)]
    events = taken_up(store)

    do(store, "correlate", [correlation(event, "message paid", ANY_KEY) for event in events], NOW, 10)

    assert arrived(store, one) == {(one.id, 1): numbers}


def test_what_comes_to_one_that_runs_already_is_there_when_it_is_looked_for(store: Store) -> None:
    one = waiting(store, PAID)
    told(store)
    (first,) = taken_up(store)
    do(store, "correlate", [correlation(first)], NOW, 10)
    do(store, "dispatched", [first.id], NOW)
    (mine,) = claim(store, new_engine(store))
    told(store)
    (second,) = taken_up(store)

    do(store, "correlate", [correlation(second)], NOW, 10)

    assert arrived(store, one) == {(one.id, 1): [first.id, second.id]}
    end(store, mine, "waiting", wait_of(mine.id, None, kind="event", sought=(PAID,), judged=(first.id,)))
    assert arrived(store, one) == {(one.id, 1): [second.id]}
    assert states(store) == {one.id: "ready"}


def test_a_wait_that_goes_on_gets_the_rest_of_what_many_wait_for(store: Store) -> None:
    """It stays what it is, though its step looked at it meanwhile."""
    first, second = waiting(store, PAID, key="1"), waiting(store, PAID, key="2")
    told(store), told(store)
    one, other = (correlation(event) for event in taken_up(store))
    assert do(store, "correlate", [one, other], NOW, 3) == {other.event.id}
    claimed = {each.id: each for each in claim(store, new_engine(store))}
    for each in (first, second):
        judged = tuple(arrived(store, each)[each.id, 1])
        wait = wait_of(each.id, None, kind="event", sought=(PAID,), judged=judged, as_of=do(store, "units"))
        end(store, claimed[each.id], "waiting", wait)
    assert states(store) == {first.id: "waiting", second.id: "waiting"}

    assert do(store, "correlate", [one, other], NOW, 3) == set()
    do(store, "look_back", NOW, 10)

    assert arrived(store, first, second) == {(second.id, 1): [other.event.id]}


def test_one_that_seeks_something_else_is_looked_back_from_again(store: Store) -> None:
    one = waiting(store, PAID)
    do(store, "look_back", NOW, 10)
    number = told(store, "sent", ref=Ref("activity", 5))
    dispatched(store)
    do(store, "wake", one.id, "invite", "", NOW)
    (mine,) = claim(store, new_engine(store))
    other = replace(PAID, kind="message sent", since_began=True)

    end(
        store,
        mine,
        "waiting",
        wait_of(mine.id, None, kind="event", sought=(other,), as_of=do(store, "units")),
    )
    assert do(store, "look_back", NOW, 10) == 1

    assert arrived(store, one) == {(one.id, 1): [number]}


def test_events_that_many_wait_for_are_handed_out_in_portions(store: Store) -> None:
    """Each wait gets each event once, though it seeks it in two ways."""
    both = (PAID, Sought("message paid", ANY_KEY))
    all_ = [waiting(store, *both, key=str(number)) for number in range(7)]
    told(store), told(store)
    first, second = (correlation(event) for event in taken_up(store))
    left, calls = {first.event.id, second.event.id}, 0

    while left:
        left, calls = do(store, "correlate", [first, second], NOW, 3), calls + 1

    assert calls == 5
    assert arrived(store, *all_) == {(one.id, 1): [first.event.id, second.event.id] for one in all_}
    assert set(states(store).values()) == {"ready"}


def test_what_is_left_of_a_portion_is_said(store: Store) -> None:
    all_ = [waiting(store, PAID, key=str(number)) for number in range(3)]
    told(store), told(store)
    first, second = (correlation(event) for event in taken_up(store))

    assert do(store, "correlate", [first, second], NOW, 4) == {second.event.id}
    assert do(store, "correlate", [first, second], NOW, 4) == set()
    assert arrived(store, *all_) == {(one.id, 1): [first.event.id, second.event.id] for one in all_}


def test_what_an_instance_took_is_not_handed_to_it_again(store: Store) -> None:
    one = waiting(store, PAID)
    number = told(store)
    (event,) = taken_up(store)
    do(store, "consume", [(one.id, number)])

    do(store, "correlate", [correlation(event)], NOW, 10)

    assert arrived(store, one) == {}


def test_one_that_waits_anew_since_an_event_was_taken_up_does_not_get_it_again(store: Store) -> None:
    told(store)
    (event,) = taken_up(store)
    one = waiting(store, PAID, as_of=event.dispatch)

    do(store, "correlate", [correlation(event)], NOW, 10)

    assert states(store) == {one.id: "waiting"}


def test_a_start_that_replaces_an_instance_takes_its_event_away(store: Store) -> None:
    mine, other = waiting(store, PAID, key="17"), waiting(store, PAID, key="18")
    told(store)
    (event,) = taken_up(store)

    do(store, "correlate", [correlation(event, superseding=frozenset({(START.process, "17")}))], NOW, 10)

    assert arrived(store, mine, other) == {(other.id, 1): [event.id]}


# --- looked back for


@pytest.mark.parametrize(
    "sought", [PAID, replace(PAID, key=ANY_KEY), replace(PAID, key='event.data.order="A-17"')]
)
def test_a_message_that_came_since_it_began_is_found(store: Store, sought: Sought) -> None:
    one = running(store)
    number = told(store, ref=Ref("activity", 5), payload={"order": "A-17"})
    told(store, ref=Ref("activity", 6), payload={"order": "B-1"}) if sought.key != ANY_KEY else None
    told(store, "other", ref=Ref("activity", 5), payload={"order": "A-17"})
    dispatched(store)
    units = do(store, "units")
    end(
        store,
        one,
        "waiting",
        wait_of(one.id, None, kind="event", sought=(replace(sought, since_began=True),), as_of=units),
    )

    assert do(store, "look_back", NOW, 10) == 1

    assert arrived(store, one) == {(one.id, 1): [number]}
    assert states(store) == {one.id: "ready"}
    assert do(store, "look_back", NOW, 10) == 0


def contacts(store: Store) -> list[Ref]:
    with store.unit() as unit:
        refs = unit.records.create("contact", [{"name": "Ann"}, {"name": "Bea"}], ANNA)
        unit.commit()
    dispatched(store)
    return refs


def mail_from(store: Store, contact: Ref | None) -> Ref:
    with store.unit() as unit:
        (ref,) = unit.records.create(
            "activity", [{"type": "email", "subject": "Hi", "contact": contact, "incoming": True}], ANNA
        )
        unit.commit()
    return ref


def test_a_record_is_found_by_what_it_refers_to(store: Store) -> None:
    ann, bea = contacts(store)
    one = running(store)
    mail_from(store, bea)
    mail_from(store, None)
    mine = mail_from(store, ann)
    dispatched(store)
    sought = Sought("activity.added", f"record.contact={ann}", since_began=True)
    end(
        store, one, "waiting", wait_of(one.id, None, kind="event", sought=(sought,), as_of=do(store, "units"))
    )

    do(store, "look_back", NOW, 10)

    (events,) = do(store, "arrived", [one.id]).values()
    assert [(event.type, event.ref) for event in events] == [("added", mine)]


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("activity.added", 1),
        ("activity.modified", 2),
        ("activity.modified.subject", 2),
        ("activity.modified.start", 0),
        ("activity.deleted", 0),
    ],
)
@pytest.mark.parametrize("by", ["record", "any"])
def test_a_record_is_found_by_itself_or_by_its_kind(store: Store, kind: str, found: int, by: str) -> None:
    one = running(store)
    ref = mail_from(store, None)
    for subject in ("A", "B"):
        with store.unit() as unit:
            unit.records.update([(ref, {"subject": subject})], ANNA)
            unit.commit()
    dispatched(store)
    sought = Sought(kind, f"record={ref}" if by == "record" else ANY_KEY, since_began=True)
    end(
        store, one, "waiting", wait_of(one.id, None, kind="event", sought=(sought,), as_of=do(store, "units"))
    )

    do(store, "look_back", NOW, 10)

    assert len(arrived(store, one).get((one.id, 1), [])) == found


def test_what_came_before_it_began_is_not_found(store: Store) -> None:
    told(store, ref=Ref("activity", 5))
    dispatched(store)
    (event,) = do(store, "append", [Event(0, NOW, "manual", process="p")])
    do(store, "dispatched", [event], NOW)
    (number,) = start(store, replace(START, event_id=event))
    (one,) = claim(store, new_engine(store), number)
    end(
        store,
        one,
        "waiting",
        wait_of(
            one.id, None, kind="event", sought=(replace(PAID, since_began=True),), as_of=do(store, "units")
        ),
    )

    do(store, "look_back", NOW, 10)

    assert arrived(store, one) == {}


@pytest.mark.parametrize(
    ("since", "is_found"),
    [(NOW - timedelta(minutes=1), True), (NOW + timedelta(minutes=1), False), (None, False)],
)
def test_a_moment_says_how_far_back_is_looked(store: Store, since: Any, is_found: bool) -> None:
    number = told(store, ref=Ref("activity", 5))
    dispatched(store)
    one = waiting(store, replace(PAID, since=since), as_of=do(store, "units"))

    do(store, "look_back", NOW, 10)

    assert arrived(store, one) == ({(one.id, 1): [number]} if is_found else {})


def test_what_was_dispatched_since_the_records_were_read_is_found(store: Store) -> None:
    units = do(store, "units")
    number = told(store, ref=Ref("activity", 5))
    dispatched(store)
    one = waiting(store, PAID, as_of=units)

    do(store, "look_back", NOW, 10)

    assert arrived(store, one) == {(one.id, 1): [number]}


def test_what_is_not_dispatched_yet_is_left_to_that(store: Store) -> None:
    told(store, ref=Ref("activity", 5))
    one = waiting(store, replace(PAID, since_began=True))

    do(store, "look_back", NOW, 10)

    assert arrived(store, one) == {}


def test_what_an_instance_took_comes_to_it_no_more(store: Store) -> None:
    one, other = running(store), running(store, replace(START, key="18"))
    number = told(store, ref=Ref("activity", 5))
    dispatched(store)
    do(store, "consume", [(one.id, number)])
    do(store, "consume", [(one.id, number)])
    do(store, "consume", [])
    sought = (replace(PAID, since_began=True),)
    for each in (one, other):
        end(
            store,
            each,
            "waiting",
            wait_of(each.id, None, kind="event", sought=sought, as_of=do(store, "units")),
        )

    do(store, "look_back", NOW, 10)

    assert arrived(store, one, other) == {(other.id, 1): [number]}


def test_what_was_committed_later_under_a_smaller_number_counts(store: Store) -> None:
    """Numbers are drawn before they are committed: what counts is when it was taken up."""
    reply = told(store, ref=Ref("activity", 5))
    (begins,) = do(store, "append", [Event(0, NOW, "manual", process="p")])
    do(store, "dispatched", [begins], NOW)
    (number,) = start(store, replace(START, event_id=begins))
    (one,) = claim(store, new_engine(store), number)
    dispatched(store)
    end(
        store,
        one,
        "waiting",
        wait_of(
            one.id, None, kind="event", sought=(replace(PAID, since_began=True),), as_of=do(store, "units")
        ),
    )

    do(store, "look_back", NOW, 10)

    assert arrived(store, one) == {(one.id, 1): [reply]}


@pytest.mark.parametrize(
    "key", ["record=", "record.contact=", 'record.contact="abc"', "record.contact=7", "record=contact:1"]
)
def test_a_key_that_names_no_record_finds_nothing(store: Store, key: str) -> None:
    one = running(store)
    mail_from(store, None)
    dispatched(store)
    sought = (Sought("activity.added", key, since_began=True),)
    end(store, one, "waiting", wait_of(one.id, None, kind="event", sought=sought, as_of=do(store, "units")))

    assert do(store, "look_back", NOW, 10) == 1

    assert arrived(store, one) == {}


def test_a_wait_that_cannot_be_looked_back_from_is_an_incident(store: Store) -> None:
    bad, good = waiting(store, PAID, key="1"), waiting(store, PAID, key="2")

    do(store, "give_up_looking_back", {"message": "no"})

    assert states(store) == {bad.id: "incident", good.id: "waiting"}
    assert do(store, "look_back", NOW, 10) == 1


def test_who_waits_for_events_until_a_moment_is_not_woken_before_what_happened_by_then(store: Store) -> None:
    one = waiting(store, PAID, due=LATER)
    assert do(store, "wake_due", LATER, 10) == 0, "it is new"
    do(store, "look_back", NOW, 10)
    assert do(store, "oldest_pending") is None
    told(store)
    assert do(store, "oldest_pending") == NOW

    assert do(store, "wake_due", LATER, 10, unseen=NOW) == 0
    assert do(store, "wake_due", LATER, 10, unseen=LATER + timedelta(seconds=1)) == 1
    assert states(store) == {one.id: "ready"}


def test_one_that_was_not_looked_back_from_yet_stays_new_whatever_wakes_it(store: Store) -> None:
    one = waiting(store, replace(PAID, since_began=True))
    do(store, "wake", one.id, "invite", "", NOW)
    (mine,) = claim(store, new_engine(store))

    end(store, mine, "waiting", wait_of(mine.id, None, kind="event", sought=(PAID,)))

    assert do(store, "glance", NOW).new is True
    assert do(store, "look_back", NOW, 10) == 1
    assert do(store, "glance", NOW).new is False


def test_what_was_judged_by_an_old_key_comes_again_under_a_new_one(store: Store) -> None:
    one = waiting(store, PAID)
    do(store, "look_back", NOW, 10)
    number = told(store, ref=Ref("activity", 5), payload={"order": "A"})
    (event,) = taken_up(store)
    do(store, "correlate", [correlation(event)], NOW, 10)
    (mine,) = claim(store, new_engine(store))
    other = Sought("message paid", 'event.data.order="A"', since_began=True)
    wait = wait_of(mine.id, None, kind="event", sought=(other,), judged=(number,), as_of=do(store, "units"))
    end(store, mine, "waiting", wait)

    do(store, "look_back", NOW, 10)

    assert arrived(store, one) == {(one.id, 1): [number]}
