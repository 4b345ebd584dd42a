"""What `procession.ports` promises of what comes many at a time, on every store: others go first, and no event before an older
one of its record."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event as database_event
from sqlalchemy import insert, text, update
from store_world import (
    ANNA,
    EVENT,
    LATER,
    NOW,
    START,
    SetClock,
    claim,
    do,
    end,
    instance,
    mail_of_step,
    new_engine,
    of_outbox,
    queue,
    running,
    started,
    wait_of,
)

from crm import journal
from crm.events import row_of
from crm.starting import row_of as row_of_start
from procession.effects import Recipient, SendMail
from procession.errors import StoreError
from procession.ports import MOST_BULK, Actor, Event, Import, QueuedMail, Start, Store
from procession.records import Ref

PARALLEL = replace(START, mode="parallel", key="")
BULK = replace(PARALLEL, bulk=True)
FIRST = Import("account", 2, "of two")


def save(store: Store, *counts: int, by: Actor = ANNA, slice_: Import | None = None, last: bool = False) -> list[Ref]:  # fmt: skip
    """New accounts in one unit, so many at each call."""
    refs: list[Ref] = []
    with store.unit() as unit:
        if slice_:
            unit.journal.import_slice(slice_, last=last)
        for count in counts:
            refs += unit.records.create("account", [{"name": "Acme"}] * count, by)
        unit.commit()
    return refs


def change(store: Store, *refs: Ref, to: str = "Tools", by: Actor = ANNA) -> None:
    with store.unit() as unit:
        unit.records.update([(ref, {"industry": to}) for ref in refs], by)
        unit.commit()


def pending(store: Store, limit: int = 1000) -> list[Event]:
    events: list[Event] = do(store, "pending", limit)
    return events


def numbers(events: Sequence[Event]) -> list[int]:
    return [event.id for event in events]


def bulk(events: Sequence[Event]) -> list[bool]:
    return [event.bulk for event in events]


# --- what is bulk


def test_a_unit_that_tells_of_more_than_twenty_tells_in_bulk_also_of_the_first(store: Store) -> None:
    save(store, 15, 5)
    save(store, 15, 5, 1)

    assert bulk(pending(store)) == [False] * 20 + [True] * 21


def test_what_one_saves_beyond_a_hundred_a_minute_is_bulk(store: Store, clock: SetClock) -> None:
    for _ in range(101):
        save(store, 1)
    save(store, 1, by=Actor("user", "bob"))
    clock.forward(timedelta(minutes=1))
    save(store, 1)

    found = {event.id: event.bulk for event in pending(store)}
    assert [number for number, is_bulk in found.items() if is_bulk] == [101]
    assert len(found) == 103


def test_moments_and_what_people_start_are_never_bulk(store: Store) -> None:
    do(store, "append", [replace(EVENT, dedupe_key=str(number)) for number in range(200)])

    assert not any(bulk(pending(store)))


# --- the order of events


def test_what_is_bulk_comes_after_what_is_not_and_few_at_once(store: Store) -> None:
    save(store, 300)
    save(store, 1)

    assert numbers(pending(store)) == [*range(1, MOST_BULK + 1), 301]
    assert numbers(pending(store, 10)) == [*range(1, 10), 301]
    assert numbers(pending(store, 1)) == [301]


def test_an_event_takes_all_older_ones_of_its_record_with_it_and_they_hurry_too(store: Store) -> None:
    refs = save(store, 300)
    change(store, *refs[250:290])
    change(store, refs[260], to="Pumps")

    found = pending(store)

    assert numbers(found)[-3:] == [261, 311, 341]
    assert bulk(found) == [True] * (len(found) - 3) + [False] * 3
    assert numbers(pending(store, 1)) == [261]
    assert numbers(pending(store, 2)) == [261, 311]


def test_those_up_to_a_number_are_found_whatever_they_are(store: Store) -> None:
    save(store, 30)
    save(store, 2)

    assert numbers(do(store, "pending", 100, up_to=31)) == [*range(1, 32)]
    assert do(store, "pending", 100, up_to=0) == []


def test_what_is_taken_up_is_pending_still_with_its_unit(store: Store) -> None:
    save(store, 300)
    engine = new_engine(store)
    epoch = do(store, "lead", engine)
    with store.unit() as unit:
        assert unit.journal.leads(engine, epoch)
        taken = unit.journal.take_up(50)
        unit.commit()

    assert [event.dispatch for event in pending(store, 51)] == [1] * 50 + [0]
    assert numbers(taken) == [*range(1, 51)]


# --- instances


def test_urgent_instances_are_claimed_first_and_bulk_ones_by_themselves(store: Store) -> None:
    me = new_engine(store)
    in_bulk = [started(store, BULK) for _ in range(3)]
    urgent = [started(store, PARALLEL) for _ in range(3)]

    claimed = [[one.id for one in do(store, "claim", me, NOW, 2)] for _ in range(5)]

    assert claimed == [urgent[:2], urgent[2:], in_bulk[:2], in_bulk[2:], []]


def test_no_more_bulk_instances_are_claimed_at_once_than_one_can_wait_for(store: Store) -> None:
    me = new_engine(store)
    do(store, "start", [BULK] * (MOST_BULK + 5), NOW)

    assert do(store, "claim", me, NOW, 1000, bulk=False) == []
    assert len(do(store, "claim", me, NOW, 1000)) == MOST_BULK
    assert len(do(store, "claim", me, NOW, 1000)) == 5


def test_what_is_asked_for_by_its_number_is_claimed_be_it_bulk_or_not(store: Store) -> None:
    first, second = started(store, BULK), started(store, PARALLEL)

    assert [one.id for one in claim(store, new_engine(store), first, second)] == [first, second]


def test_an_instance_stays_bulk_when_it_waits_and_is_woken(store: Store) -> None:
    number = started(store, BULK)
    (claimed,) = claim(store, new_engine(store), number)
    end(store, claimed, "waiting", wait_of(number))

    do(store, "wake_due", LATER, 10)

    assert (instance(store, number).state, instance(store, number).bulk) == ("ready", True)


def test_one_that_a_person_resumes_is_bulk_no_more(store: Store) -> None:
    claimed = running(store, BULK)
    end(store, claimed, "incident")

    do(store, "resume", claimed.id, NOW)

    assert instance(store, claimed.id).bulk is False


def test_what_was_started_of_a_record_hurries_when_somebody_saves_it(store: Store) -> None:
    one, other, *_ = save(store, 30)
    waiting = [started(store, about(event)) for event in pending(store)[:2]]
    at_work = running(store, about(pending(store)[2]))

    do(store, "hurry", [one, Ref("account", 3), Ref("contact", 2)])
    do(store, "hurry", [])

    assert other.id == 2
    assert [instance(store, number).bulk for number in [*waiting, at_work.id]] == [False, True, True]


def about(event: Event) -> Start:
    return replace(BULK, event_id=event.id, trigger={"id": "saved"})


# --- mails that no step looks after


def test_urgent_mails_are_due_first_and_bulk_ones_few_at_once(store: Store) -> None:
    def mail(number: int, **named: Any) -> QueuedMail:
        message = SendMail(f"<{number}@us.example>", Recipient("us@us.example"), (Recipient("a@b.example"),), "Hi", "text",
                           not_before=NOW)  # fmt: skip
        return QueuedMail(message, b"mime", ANNA, **named)

    queue(store, *(mail(number, bulk=True) for number in range(30)))
    (urgent,) = queue(store, mail(99))

    assert do(store, "glance", LATER).mail is True
    assert [one.id for one in of_outbox(store, "due", LATER, 100)] == [urgent.id]
    of_outbox(store, "settle", urgent.id, "cancelled", NOW)
    assert len(of_outbox(store, "due", LATER, 100)) == 20
    assert do(store, "glance", LATER).mail is True


def test_the_mail_of_a_step_is_as_its_instance_is(store: Store) -> None:
    number = started(store, BULK)

    (envelope,) = queue(store, mail_of_step(number, bulk=True))

    assert envelope.state == "queued"


# --- imports that are written in slices


def test_events_of_an_import_wait_until_its_last_slice_is_in(store: Store) -> None:
    save(store, 2, slice_=FIRST)
    (begun,) = do(store, "imports")

    assert (begun.saved, begun.before, begun.digest) == (2, 2, "of two")
    assert pending(store) == []
    assert do(store, "glance", NOW).pending is do(store, "glance", NOW).released is False

    save(store, 1, slice_=replace(begun, saved=3, digest="of three"), last=True)

    assert do(store, "imports") == pending(store) == []
    assert do(store, "glance", NOW).released is True
    assert [do(store, "let_in", 2), do(store, "let_in", 2), do(store, "let_in", 2)] == [2, 1, 0]
    assert do(store, "glance", NOW).released is False
    assert bulk(pending(store)) == [True] * 3


def test_an_import_that_was_killed_leaves_nothing_that_starts_something(store: Store) -> None:
    save(store, 2, slice_=FIRST)

    assert do(store, "let_in", 100) == 0
    assert pending(store) == do(store, "take_up", 100) == []


def test_a_slice_that_is_not_committed_counts_for_nothing(store: Store) -> None:
    with store.unit() as unit:
        unit.journal.import_slice(FIRST)

    assert do(store, "imports") == []
    save(store, 1)
    assert bulk(pending(store)) == [False]


def test_two_cannot_go_on_with_one_import(store: Store) -> None:
    save(store, 2, slice_=FIRST)
    (begun,) = do(store, "imports")
    further = replace(begun, saved=3)
    do(store, "import_slice", further)

    with pytest.raises(StoreError, match="Somebody else imports the same file just now"):
        do(store, "import_slice", further)
    do(store, "import_slice", replace(further, before=3, saved=4), last=True)
    with pytest.raises(StoreError, match="Somebody else imports the same file just now"):
        do(store, "import_slice", replace(further, before=4, saved=5))


def test_who_saves_a_record_of_an_import_takes_what_it_told_of_it_along(store: Store) -> None:
    (one, _) = save(store, 2, slice_=FIRST)

    change(store, one)

    found = pending(store)
    assert [(event.id, event.type, event.bulk) for event in found] == [
        (1, "added", False), (3, "modified", False),
    ]  # fmt: skip
    do(store, "dispatched", numbers(found), NOW)
    do(store, "import_slice", replace(FIRST, id=1, before=2), last=True)
    assert do(store, "let_in", 10) == 1
    assert numbers(pending(store)) == [2]


# --- how the database looks


@pytest.mark.about("statements")
def test_what_is_asked_in_each_tick_goes_by_an_index_with_many_pending(store: Any) -> None:
    """Most events and instances are over, as in a database that has been in use for a while."""
    engine = new_engine(store)
    events = [row_of(Event(0, NOW, "added", Ref("account", number), bulk=True)) for number in range(20_000)]
    starts = [row_of_start(replace(BULK, event_id=number), number, NOW) for number in range(1, 20_001)]
    with store._engine.begin() as connection:
        connection.execute(insert(journal.event), events)
        connection.execute(insert(journal.instance), starts)
        connection.execute(
            update(journal.event).where(journal.event.c.id <= 19_500).values(dispatched_at=NOW)
        )
        connection.execute(
            update(journal.instance).where(journal.instance.c.id <= 19_500).values(state="completed")
        )
        connection.execute(text("ANALYZE" if store._engine.dialect.name == "postgresql" else "SELECT 1"))
    said: list[tuple[str, Any]] = []
    database_event.listen(store._engine, "before_cursor_execute", lambda *args: said.append(args[2:4]))

    with store.unit() as unit:
        unit.journal.glance(NOW)
        unit.journal.take_up(MOST_BULK)
        unit.journal.claim(engine, NOW, MOST_BULK)
        unit.journal.claim(engine, NOW, MOST_BULK, bulk=False)
        unit.journal.hurry([Ref("account", 1)])

    explain = "EXPLAIN" if store._engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    plans: list[str] = []
    with store._engine.connect() as connection:
        for statement, values in said[:]:
            if statement.startswith(("SELECT", "WITH")):
                rows = connection.exec_driver_sql(f"{explain} {statement}", values)
                plans += [str(row[-1]).strip() for row in rows]
    looks = [line for line in plans if " event" in line or "ix_instance" in line]
    assert sum("ix_event_undispatched" in line for line in looks) == 2
    assert sum("ix_instance_ready" in line for line in looks) == 5
    assert [line for line in looks if "Seq Scan" in line or ("SCAN" in line and "USING" not in line)] == []
