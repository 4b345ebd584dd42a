"""What `procession.ports.Journal` promises of what instances wait for, on every store."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from store_world import (
    ANNA,
    LATER,
    NOW,
    START,
    claim,
    do,
    end,
    fence,
    instance,
    mail_of_step,
    mail_state,
    new_engine,
    of_outbox,
    queue,
    running,
    started,
    states,
    tokens,
    wait_of,
)

from procession.ports import End, Event, Instance, Store
from procession.records import Ref

MEETING, OTHER = Ref("activity", 17), Ref("activity", 18)


def waiting(store: Store, *, key: str = "17", **named: Any) -> Instance:
    """An instance that waits."""
    one = running(store, replace(START, key=key))
    end(store, one, "waiting", wait_of(one.id, **named))
    return one


def saved(ref: Ref, *changed: str, kind: Any = "modified") -> Event:
    return Event(1, NOW, kind, ref, changed)


# --- what is kept of them


def test_waits_come_back_as_they_were_given(store: Store) -> None:
    one = running(store)
    waits = (
        wait_of(one.id, None, 1, path="remind", round="2", kind="timer", reads=((MEETING, ""), (MEETING, "start"))),
        wait_of(one.id, LATER, 2, kind="mail"),
    )  # fmt: skip

    end(store, one, "waiting", *waits)

    assert do(store, "waits", [one.id, 999]) == {one.id: waits}
    assert do(store, "waits", []) == {}


def test_a_token_waits_for_one_thing_the_last_that_was_said(store: Store) -> None:
    one = waiting(store, kind="timer", reads=((MEETING, "start"),))
    again = wait_of(one.id, LATER + timedelta(hours=1), kind="timer", reads=((MEETING, "end"),))
    do(store, "wake_due", LATER, 10)
    (mine,) = claim(store, new_engine(store))

    end(store, mine, "waiting", again)

    assert do(store, "waits", [one.id]) == {one.id: (again,)}
    assert do(store, "wake_by", [saved(MEETING, "start")], NOW, 10) == 0
    assert do(store, "wake_by", [saved(MEETING, "end")], NOW, 10) == 1


def test_a_wait_is_dropped_by_its_token(store: Store) -> None:
    one = running(store)
    end(store, one, "waiting", wait_of(one.id, scope=1), wait_of(one.id, scope=2))

    do(store, "drop_waits", [(one.id, 1), (one.id, 7)])

    assert [wait.scope for wait in do(store, "waits", [one.id])[one.id]] == [2]
    assert do(store, "drop_waits", []) is None


@pytest.mark.parametrize("how", ["cancelled", "superseded", "ended"])
def test_who_is_over_waits_for_nothing(store: Store, how: str) -> None:
    one = waiting(store)
    if how == "cancelled":
        do(store, "ask_to_stop", [one.id], "by anna", NOW)
    elif how == "superseded":
        started(store, replace(START, mode="restart"))
    else:
        do(store, "wake_due", LATER, 10)
        end(store, *claim(store, new_engine(store)), "completed")
        do(store, "forget_positions", [one.id])

    assert do(store, "waits", [one.id]) == {}
    assert do(store, "glance", LATER).due is False


# --- woken


def test_what_falls_due_is_woken_the_oldest_first_so_many_at_a_time(store: Store) -> None:
    late = waiting(store, key="1", due=LATER)
    soon = waiting(store, key="2", due=NOW)
    never = waiting(store, key="3", due=None)
    after = waiting(store, key="4", due=LATER + timedelta(minutes=1))

    assert do(store, "wake_due", NOW - timedelta(minutes=1), 10) == 0
    assert do(store, "wake_due", LATER, 1) == 1
    assert states(store) == {late.id: "waiting", soon.id: "ready", never.id: "waiting", after.id: "waiting"}
    assert do(store, "wake_due", LATER, 10) == 1
    assert do(store, "wake_due", LATER, 10) == 0
    assert states(store) == {late.id: "ready", soon.id: "ready", never.id: "waiting", after.id: "waiting"}
    assert do(store, "waits", [soon.id])[soon.id][0].woken_at == LATER


def test_what_was_woken_first_comes_first(store: Store) -> None:
    one = running(store)
    end(store, one, "waiting", wait_of(one.id, NOW + timedelta(minutes=2), 1), wait_of(one.id, LATER, 2))
    do(store, "wake_due", LATER, 10)
    do(store, "wake_due", NOW + timedelta(minutes=2), 10)

    assert [wait.scope for wait in do(store, "waits", [one.id])[one.id]] == [2, 1]


@pytest.mark.parametrize(
    ("event", "is_woken"),
    [
        (saved(MEETING, "start", "subject"), True),
        (saved(MEETING, "subject"), False),
        (saved(MEETING, kind="deleted"), True),
        (saved(MEETING, kind="added"), False),
        (saved(OTHER, "start"), False),
        (saved(Ref("contact", 17), "start"), False),
        (Event(1, NOW, "schedule"), False),
    ],
)
def test_a_wait_is_woken_by_what_it_was_computed_from(store: Store, event: Event, is_woken: bool) -> None:
    one = waiting(store, kind="timer", reads=((MEETING, ""), (MEETING, "start")))
    assert do(store, "glance", NOW).live is True

    assert do(store, "wake_by", [event], NOW, 10) == is_woken
    assert states(store) == {one.id: "ready" if is_woken else "waiting"}


def test_one_that_was_woken_is_not_woken_again(store: Store) -> None:
    one = waiting(store, kind="timer", reads=((MEETING, "start"),))
    do(store, "wake_by", [saved(MEETING, "start")], NOW, 10)

    assert do(store, "wake_by", [saved(MEETING, "start")], LATER, 10) == 0
    assert do(store, "wake_due", LATER, 10) == 0
    assert do(store, "waits", [one.id])[one.id][0].woken_at == NOW


def test_a_person_wakes_what_waits_at_a_step(store: Store) -> None:
    one = waiting(store, due=LATER, path="invite", round="1")

    assert do(store, "wake", one.id, "invite", "", NOW) is False
    assert do(store, "wake", one.id, "invite", "1", NOW) is True
    assert do(store, "wake", one.id, "invite", "1", NOW) is False
    assert states(store) == {one.id: "ready"}


def test_one_that_is_woken_while_it_runs_is_ready_when_its_segment_ends(store: Store) -> None:
    """Or nobody would wake it any more: its wait is over."""
    one = running(store)
    end(store, one, "waiting", wait_of(one.id, NOW, 1), wait_of(one.id, LATER, 2))
    do(store, "wake_due", NOW, 10)
    (mine,) = claim(store, new_engine(store))
    do(store, "wake_due", LATER, 10)
    assert instance(store, one.id).state == "running"

    with store.unit() as unit:
        unit.journal.fence(tokens(mine))
        unit.journal.drop_waits([(one.id, 1)])
        unit.journal.end([End(one.id, "waiting")], NOW)
        unit.commit()

    assert instance(store, one.id).state == "ready"
    assert [wait.scope for wait in do(store, "waits", [one.id])[one.id]] == [2]


def test_who_is_held_or_over_is_not_made_ready_by_a_wait(store: Store) -> None:
    one = running(store)
    end(store, one, "incident", error={"message": "no"})
    do(store, "save_waits", [wait_of(one.id)])

    do(store, "wake_due", LATER, 10)

    assert instance(store, one.id).state == "incident"


def test_what_was_given_back_is_woken_still(store: Store) -> None:
    one = waiting(store)
    do(store, "wake_due", LATER, 10)
    (mine,) = claim(store, new_engine(store))

    do(store, "give_back", tokens(mine))

    assert instance(store, one.id).state == "ready"
    assert do(store, "waits", [one.id])[one.id][0].woken_at == LATER
    assert fence(store, mine) == set()


# --- mails that their steps hold back


def held(store: Store, one: Instance, **named: Any) -> int:
    mail = mail_of_step(one.id, state="held", **named)
    (envelope,) = queue(store, replace(mail, mail=replace(mail.mail, not_before=LATER)))
    return envelope.id


def test_a_held_mail_is_sent_by_nobody_but_its_step(store: Store) -> None:
    one = running(store)
    number = held(store, one)

    assert of_outbox(store, "due", LATER, 10) == []
    assert of_outbox(store, "claim", [number], 1, LATER) == []
    assert mail_state(store, number) == "held"


def test_a_held_mail_is_written_anew_by_its_step(store: Store) -> None:
    one = running(store)
    number = held(store, one)
    again = mail_of_step(one.id)

    (envelope,) = queue(store, replace(again, mail=replace(again.mail, subject="Now"), mime=b"now"))

    assert (envelope.id, envelope.state, envelope.mime, envelope.fresh) == (number, "queued", b"now", False)
    assert of_outbox(store, "claim", [number], 1, NOW) == [number]


def test_a_held_mail_that_somebody_cancelled_stays_cancelled(store: Store) -> None:
    one = running(store)
    number = held(store, one)
    of_outbox(store, "settle", number, "cancelled", NOW, detail="by anna")

    (envelope,) = queue(store, mail_of_step(one.id))

    assert (envelope.id, envelope.state, envelope.error) == (number, "cancelled", "by anna")


@pytest.mark.parametrize(
    ("state", "then"), [("held", "withdrawn"), ("queued", "withdrawn"), ("draft", "draft")]
)
def test_a_mail_for_which_its_step_has_no_more_use_is_withdrawn(store: Store, state: Any, then: str) -> None:
    one, other = running(store), running(store, replace(START, key="18"))
    (mine,) = queue(store, mail_of_step(one.id, state=state))
    (others,) = queue(store, mail_of_step(other.id, state=state))

    of_outbox(store, "withdraw", [(one.id, "invite", ""), (one.id, "invite", "1"), (999, "invite", "")])

    assert (mail_state(store, mine.id), mail_state(store, others.id)) == (then, state)
    of_outbox(store, "withdraw", [])


def test_a_mail_that_a_person_sends_just_now_is_not_withdrawn(store: Store) -> None:
    one = running(store)
    (mail,) = queue(store, mail_of_step(one.id))
    of_outbox(store, "settle", mail.id, "queued", NOW, not_before=NOW)

    of_outbox(store, "withdraw", [(one.id, "invite", "")])

    assert mail_state(store, mail.id) == "queued"


def test_a_mail_that_waits_for_its_next_try_can_be_held_back(store: Store) -> None:
    one = running(store)
    (mail,) = queue(store, mail_of_step(one.id))

    (again,) = queue(store, mail_of_step(one.id, state="held"))

    assert (again.id, again.state, again.released) == (mail.id, "held", False)


@pytest.mark.parametrize("state", ["waiting", "cancelled"])
def test_who_ends_cancelled_sends_nothing_more(store: Store, state: str) -> None:
    one = running(store)
    (mail,) = queue(store, mail_of_step(one.id))

    end(store, one, state)

    assert mail_state(store, mail.id) == ("cancelled" if state == "cancelled" else "queued")


# --- looking back


def planned(store: Store, *events: Event) -> int:
    """The planner dispatches these; returns how many units it has begun by then."""
    engine = new_engine(store)
    with store.unit() as unit:
        for row in unit.journal.engines():
            if row.id != engine:
                unit.journal.bury({row.id: row.beat})
        epoch = unit.journal.lead(engine)
        unit.commit()
    with store.unit() as unit:
        assert epoch
        assert unit.journal.leads(engine, epoch)
        pending = unit.journal.pending(100)
        unit.journal.dispatched([event.id for event in pending], NOW)
        unit.commit()
    del events
    units: int = do(store, "units")
    return units


def change_of_a_meeting(store: Store) -> tuple[Ref, Callable[..., None]]:
    with store.unit() as unit:
        (ref,) = unit.records.create("activity", [{"type": "task", "subject": "Talk"}], ANNA)
        unit.commit()
    planned(store)

    def change(**values: Any) -> None:
        with store.unit() as unit:
            unit.records.update([(ref, values)], ANNA)
            unit.commit()

    return ref, change


@pytest.mark.parametrize(
    ("field", "value", "is_woken"), [("subject", "New", True), ("body", "New", False), ("*", "New", True)]
)
def test_what_was_dispatched_before_a_wait_was_kept_wakes_it_afterwards(
    store: Store, field: str, value: str, is_woken: bool
) -> None:
    ref, change = change_of_a_meeting(store)
    as_of = do(store, "units")
    change(subject=value)
    planned(store)
    one = waiting(store, kind="timer", reads=((ref, field),), as_of=as_of)
    assert do(store, "glance", NOW).new is True

    assert do(store, "look_back", NOW, 10) == 1

    assert states(store)[one.id] == ("ready" if is_woken else "waiting")
    assert do(store, "glance", NOW).new is False
    assert do(store, "look_back", NOW, 10) == 0


def test_what_was_dispatched_before_the_records_were_read_wakes_nobody(store: Store) -> None:
    ref, change = change_of_a_meeting(store)
    change(subject="New")
    planned(store)
    one = waiting(store, kind="timer", reads=((ref, "subject"),), as_of=do(store, "units"))

    do(store, "look_back", NOW, 10)

    assert states(store)[one.id] == "waiting"


def test_each_unit_of_the_planner_has_a_higher_number(store: Store) -> None:
    numbers = [planned(store) for _ in range(3)]

    assert numbers == sorted(set(numbers))


def test_a_mail_is_held_on_when_its_step_waits_anew(store: Store) -> None:
    one = running(store)
    number = held(store, one)
    end(store, one, "waiting", wait_of(one.id, kind="mail"))
    do(store, "wake_due", LATER, 10)
    (mine,) = claim(store, new_engine(store))

    end(store, mine, "waiting", wait_of(one.id, LATER + timedelta(hours=1), kind="mail"))

    assert mail_state(store, number) == "held"


@pytest.mark.parametrize("how", ["cancelled", "superseded"])
def test_the_held_mail_of_a_cancelled_instance_is_cancelled(store: Store, how: str) -> None:
    one = running(store)
    number = held(store, one)
    end(store, one, "waiting", wait_of(one.id, kind="mail"))

    if how == "cancelled":
        do(store, "ask_to_stop", [one.id], f"by {ANNA.name}", NOW)
    else:
        started(store, replace(START, mode="restart"))

    assert mail_state(store, number) == "cancelled"


def test_one_change_wakes_so_many_at_a_time_until_all_are_woken(store: Store) -> None:
    waits = [
        waiting(store, key=str(n), kind="timer", reads=((MEETING, ""), (MEETING, "start"))) for n in range(5)
    ]
    event = saved(MEETING, "start")

    assert [do(store, "wake_by", [event], NOW, 2) for _ in range(4)] == [2, 2, 1, 0]
    assert set(states(store).values()) == {"ready"}
    assert do(store, "glance", NOW).live is False
    assert all(do(store, "waits", [one.id])[one.id][0].woken_at == NOW for one in waits)


# --- what is seen of them


def test_what_waits_longest_is_known(store: Store) -> None:
    waits = [waiting(store, key=str(n), since=NOW - timedelta(minutes=n)) for n in range(3)]
    woken = waiting(store, key="woken", since=NOW - timedelta(days=1))
    do(store, "wake", woken.id, "invite", "", NOW)

    assert [wait.instance for wait in do(store, "longest_waits", 2)] == [waits[2].id, waits[1].id]


def test_live_instances_are_told_by_process_and_state(store: Store) -> None:
    waiting(store, key="1")
    waiting(store, key="2")
    running(store, replace(START, key="3"))
    end(store, running(store, replace(START, process="other")), "incident")
    end(store, running(store, replace(START, process="over")), "completed")

    assert do(store, "tally") == {"notify": {"waiting": 2, "running": 1}, "other": {"incident": 1}}
    assert do(store, "live") == {"notify": 3, "other": 1}
