"""What `procession.ports.Journal` promises, on both databases."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm.store import CrmStore
from procession.effects import Recipient, SendMail
from procession.ports import Actor, Definition, End, Event, Instance, Journal, QueuedMail, Start, StepRun
from procession.records import Ref

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
ANNA = Actor("user", "anna")
EVENT = Event(
    0, NOW, "manual", process="notify", origin="user:anna", payload={"meeting": {"$ref": "activity:1"}}
)
START = Start(
    "notify", "d1", "Notify: Talk", "17", "single", {"meeting": {"$ref": "activity:17"}}, {"id": "saved"}
)


def start(store: CrmStore, *starts: Start, now: datetime = NOW) -> list[int | None]:
    with store.unit() as unit:
        answer = unit.journal.start(starts, now)
        unit.commit()
    return answer


def started(store: CrmStore, wish: Start = START) -> int:
    (number,) = start(store, wish)
    assert number is not None
    return number


def running(store: CrmStore, wish: Start = START, owner: str = "me") -> int:
    number = started(store, wish)
    with store.unit() as unit:
        unit.journal.claim(owner, NOW, LATER, 10, [number])
        unit.commit()
    return number


def instance(store: CrmStore, number: int) -> Instance:
    with store.unit(write=False) as unit:
        (found,) = unit.journal.instances(ids=[number])
    return found


def do(store: CrmStore, call: str, *args: Any, **named: Any) -> Any:
    """One call on the journal in a unit of its own."""
    with store.unit() as unit:
        journal: Journal = unit.journal
        answer = getattr(journal, call)(*args, **named)
        unit.commit()
    return answer


def append(store: CrmStore, *events: Event) -> list[int | None]:
    answer: list[int | None] = do(store, "append", events)
    return answer


def states(store: CrmStore) -> dict[int, str]:
    with store.unit(write=False) as unit:
        return {one.id: one.state for one in unit.journal.instances()}


# --- events


def test_an_event_is_pending_until_it_is_dispatched(store: CrmStore) -> None:
    assert do(store, "any_pending") is False
    (first, second) = append(store, EVENT, replace(EVENT, trigger="daily", type="schedule"))

    assert do(store, "any_pending") is True
    pending = do(store, "pending", 10)
    assert pending == [replace(EVENT, id=first), replace(EVENT, id=second, trigger="daily", type="schedule")]

    do(store, "dispatched", [first], NOW)
    assert [event.id for event in do(store, "pending", 10)] == [second]


def test_the_oldest_events_are_pending_first(store: CrmStore) -> None:
    numbers = append(store, *[EVENT] * 5)

    assert [event.id for event in do(store, "pending", 3)] == numbers[:3]


def test_an_event_with_a_known_dedupe_key_is_dropped(store: CrmStore) -> None:
    keyed = replace(EVENT, dedupe_key="daily 2026-03-02")
    (first,) = append(store, keyed)

    answer = append(
        store, EVENT, keyed, replace(EVENT, dedupe_key="other"), replace(EVENT, dedupe_key="other")
    )

    assert [number is None for number in answer] == [False, True, False, True]
    assert answer[0] is not None
    assert first is not None
    assert answer[0] > first
    assert len(do(store, "pending", 10)) == 3


def test_nothing_is_appended_and_nothing_dispatched_without_events(store: CrmStore) -> None:
    assert append(store) == []
    assert do(store, "dispatched", [], NOW) is None


# --- definitions


def test_a_version_is_numbered_when_it_is_new(store: CrmStore) -> None:
    first = Definition("notify", "d1", files={"notify.yaml": "process: notify", "b.j2": "Grüße"})

    numbers = [do(store, "publish", one) for one in (first, replace(first, digest="d2"), first)]
    numbers.append(do(store, "publish", replace(first, process="other")))

    assert numbers == [1, 2, 1, 1]
    assert do(store, "definition", "notify", "d1") == replace(first, number=1)
    assert do(store, "definition", "notify", "d9") is None


# --- start


def test_a_new_instance_is_ready_and_due(store: CrmStore) -> None:
    (event_id,) = append(store, replace(EVENT, at=NOW - timedelta(hours=1)))

    number = started(store, replace(START, event_id=event_id))

    found = instance(store, number)
    assert found == Instance(
        number, "notify", "d1", "Notify: Talk", "17", "ready", START.inputs, START.trigger, NOW, NOW,
        event_at=NOW - timedelta(hours=1),
    )  # fmt: skip


def test_single_ignores_a_start_while_an_instance_with_its_key_lives(store: CrmStore) -> None:
    first = started(store)

    assert start(store, START, replace(START, key="18"), replace(START, process="other"))[0] is None
    assert states(store)[first] == "ready"
    assert len(states(store)) == 3


@pytest.mark.parametrize("state", ["completed", "stopped", "failed", "cancelled"])
def test_a_key_is_free_again_when_its_instance_is_over(store: CrmStore, state: Any) -> None:
    first = running(store)
    do(store, "end", [End(first, state)], "me", NOW)

    assert start(store, START) != [None]


@pytest.mark.parametrize("end", [End(0, "incident"), End(0, "ready", due=LATER)])
def test_an_incident_and_a_waiting_retry_keep_their_key(store: CrmStore, end: End) -> None:
    first = running(store)
    do(store, "end", [replace(end, instance=first)], "me", NOW)

    assert start(store, START) == [None]


def test_of_equal_single_starts_in_one_call_the_first_counts(store: CrmStore) -> None:
    answer = start(store, START, START, START)

    assert [number is None for number in answer] == [False, True, True]


def test_parallel_instances_have_no_key(store: CrmStore) -> None:
    answer = start(store, START, replace(START, mode="parallel"), replace(START, mode="parallel"))

    assert None not in answer


@pytest.mark.parametrize("end", [None, End(0, "incident"), End(0, "ready", due=LATER)])
def test_restart_cancels_the_one_that_waits(store: CrmStore, end: End | None) -> None:
    first = running(store) if end else started(store)
    if end:
        do(store, "end", [replace(end, instance=first)], "me", NOW)

    (second,) = start(store, replace(START, mode="restart"), now=LATER)

    old = instance(store, first)
    assert (old.state, old.result, old.ended_at) == ("cancelled", "superseded", LATER)
    assert second is not None
    assert instance(store, second).state == "ready"


def test_restart_asks_a_running_one_to_stop_before_its_next_step(store: CrmStore) -> None:
    first = running(store)

    second = started(store, replace(START, mode="restart"))
    assert states(store) == {first: "running", second: "ready"}

    assert do(store, "fence", {first: 1}, "me", LATER) == set()
    old = instance(store, first)
    assert (old.state, old.result, old.ended_at) == ("cancelled", "superseded", NOW)


def test_of_several_restarts_in_one_call_the_last_one_lives(store: CrmStore) -> None:
    restart = replace(START, mode="restart")

    answer = start(store, restart, replace(restart, key="18"), restart)

    assert None not in answer
    assert [instance(store, number or 0).state for number in answer] == ["cancelled", "ready", "ready"]
    assert instance(store, answer[0] or 0).result == "superseded"


def test_an_event_starts_a_process_once_by_the_same_trigger(store: CrmStore) -> None:
    (event_id,) = append(store, EVENT)
    wish = replace(START, mode="parallel", event_id=event_id)
    other_trigger = replace(wish, trigger={"id": "other"})

    first = start(store, wish, wish, other_trigger)
    again = start(store, wish, other_trigger, replace(wish, mode="restart"), replace(wish, process="other"))

    assert [number is None for number in first] == [False, True, False]
    assert [number is None for number in again] == [True, True, True, False]


def test_an_event_that_is_dispatched_again_supersedes_nothing(store: CrmStore) -> None:
    (event_id,) = append(store, EVENT)
    wish = replace(START, mode="restart", event_id=event_id)
    first = started(store, wish)

    assert start(store, wish) == [None]
    assert states(store) == {first: "ready"}


def test_a_late_event_does_not_restart_what_a_later_event_started(store: CrmStore) -> None:
    (early, late) = append(store, EVENT, EVENT)
    second = started(store, replace(START, mode="restart", event_id=late))

    assert start(store, replace(START, mode="restart", event_id=early)) == [None]
    assert states(store) == {second: "ready"}


def test_one_whose_trigger_failed_is_born_as_an_incident_and_is_in_nobody_s_way(store: CrmStore) -> None:
    error = {"message": "no such field", "class": "permanent", "hint": "", "place": "a.yaml:3:1", "step": ""}
    wish = replace(START, error=error)

    first, second, third = start(store, wish, wish, START)

    assert None not in (first, second, third)
    born = instance(store, first or 0)
    assert (born.state, born.error) == ("incident", error)
    assert instance(store, third or 0).state == "ready"


def test_the_mails_of_a_superseded_instance_that_nobody_will_send_are_cancelled(store: CrmStore) -> None:
    first = started(store)
    envelope = queue_mail(store, first)

    started(store, replace(START, mode="restart"))

    with store.unit(write=False) as unit:
        (mail,) = unit.outbox.envelopes([envelope])
    assert (mail.state, mail.error) == ("cancelled", "its process was cancelled: superseded")


def queue_mail(store: CrmStore, number: int) -> int:
    mail = SendMail(
        f"<{number}@us.example>", Recipient("us@us.example"), (Recipient("a@x.example"),), "Hi", "text"
    )
    with store.unit() as unit:
        (envelope,) = unit.outbox.queue([QueuedMail(mail, b"mime", ANNA, instance=number)], NOW)
        unit.commit()
    return envelope.id


# --- claim


def test_due_instances_are_claimed_oldest_first(store: CrmStore) -> None:
    numbers = [started(store, replace(START, key=str(key))) for key in range(3)]
    do(store, "claim", "me", NOW, LATER, 1)
    do(store, "end", [End(numbers[0], "ready", due=NOW - timedelta(hours=1))], "me", NOW)

    claimed = do(store, "claim", "me", NOW, LATER, 2)

    assert [one.id for one in claimed] == numbers[:2]
    assert {one.state for one in claimed} == {"running"}
    assert do(store, "owners") == {"me"}


def test_what_is_not_due_or_not_ready_is_not_claimed(store: CrmStore) -> None:
    first = running(store)
    assert do(store, "any_ready", NOW) is False

    do(store, "end", [End(first, "ready", due=LATER)], "me", NOW)

    assert do(store, "any_ready", NOW) is False
    assert do(store, "claim", "other", NOW, LATER, 10) == []
    assert do(store, "any_ready", LATER) is True
    assert len(do(store, "claim", "other", LATER, LATER, 10)) == 1


def test_only_those_asked_for_are_claimed(store: CrmStore) -> None:
    numbers = [started(store, replace(START, key=str(key))) for key in range(3)]

    claimed = do(store, "claim", "me", NOW, LATER, 10, numbers[1:])

    assert [one.id for one in claimed] == numbers[1:]


# --- leases


def test_the_fence_lets_the_owner_of_the_lease_through_and_renews_it(store: CrmStore) -> None:
    number = running(store)

    assert do(store, "fence", {number: 1, 999: 1}, "me", LATER + timedelta(hours=1)) == {number}
    assert do(store, "fence", {number: 1}, "other", LATER) == set()
    assert do(store, "release", [], LATER + timedelta(minutes=30)) == 0


def test_an_expired_lease_is_released_and_its_owner_is_fenced_off(store: CrmStore) -> None:
    number = running(store)

    assert do(store, "release", [], LATER - timedelta(seconds=1)) == 0
    assert do(store, "release", [], LATER) == 1

    assert instance(store, number).state == "ready"
    assert do(store, "fence", {number: 1}, "me", LATER) == set()
    assert do(store, "owners") == set()


def test_the_leases_of_the_dead_are_released_at_once(store: CrmStore) -> None:
    first, second = running(store), running(store, replace(START, key="18"), owner="other")

    assert do(store, "release", ["me"], NOW) == 1
    assert states(store) == {first: "ready", second: "running"}


def test_an_engine_renews_all_its_leases(store: CrmStore) -> None:
    running(store)
    running(store, replace(START, key="18"))
    running(store, replace(START, key="19"), owner="other")

    assert do(store, "renew", "me", LATER + timedelta(minutes=5)) == 2
    assert do(store, "release", [], LATER) == 1


def test_who_has_claimed_a_mail_counts_as_an_owner(store: CrmStore) -> None:
    number = started(store)
    envelope = queue_mail(store, number)
    with store.unit() as unit:
        unit.outbox.claim([envelope], "sender", NOW)
        unit.commit()

    assert do(store, "owners") == {"sender"}


# --- end


@pytest.mark.parametrize("state", ["completed", "stopped", "failed", "cancelled"])
def test_an_instance_that_is_over_has_an_end_and_no_lease(store: CrmStore, state: Any) -> None:
    number = running(store)
    error = {"message": "no"}

    do(store, "end", [End(number, state, result="won", error=error)], "me", LATER)

    found = instance(store, number)
    assert (found.state, found.result, found.error, found.ended_at) == (state, "won", error, LATER)
    assert do(store, "owners") == set()


def test_one_that_tries_again_later_is_ready_at_its_time(store: CrmStore) -> None:
    number = running(store)

    do(store, "end", [End(number, "ready", error={"message": "later"}, due=LATER)], "me", NOW)

    found = instance(store, number)
    assert (found.state, found.due, found.ended_at) == ("ready", LATER, None)


def test_who_lost_the_lease_ends_nothing(store: CrmStore) -> None:
    number = running(store)
    do(store, "release", ["me"], NOW)
    do(store, "claim", "other", NOW, LATER, 1)

    do(store, "end", [End(number, "completed")], "me", NOW)

    assert states(store) == {number: "running"}


def test_one_that_was_asked_to_stop_ends_cancelled(store: CrmStore) -> None:
    number = running(store)
    do(store, "ask_to_stop", [number], "by anna", NOW)

    do(store, "end", [End(number, "completed", result="won")], "me", LATER)

    found = instance(store, number)
    assert (found.state, found.result, found.ended_at) == ("cancelled", "by anna", LATER)
    assert start(store, START) != [None]


# --- stop and resume


def test_ready_instances_and_incidents_stop_at_once_and_running_ones_before_their_next_step(
    store: CrmStore,
) -> None:
    ready, incident, moving, over = (started(store, replace(START, key=str(key))) for key in range(4))
    do(store, "claim", "me", NOW, LATER, 10, [incident, moving, over])
    do(store, "end", [End(incident, "incident"), End(over, "completed")], "me", NOW)

    assert do(store, "ask_to_stop", [ready, incident, moving, over, 999], "by anna", LATER) == 3

    assert states(store) == {
        ready: "cancelled", incident: "cancelled", moving: "running", over: "completed",
    }  # fmt: skip
    assert instance(store, ready).result == "by anna"
    assert do(store, "fence", {moving: 1}, "me", LATER) == set()
    assert states(store)[moving] == "cancelled"


def test_one_that_was_asked_to_stop_and_whose_engine_died_is_cancelled_not_taken_over(
    store: CrmStore,
) -> None:
    number = running(store)
    do(store, "ask_to_stop", [number], "by anna", NOW)

    do(store, "release", ["me"], NOW)

    assert states(store) == {number: "cancelled"}


def test_an_incident_can_be_resumed(store: CrmStore) -> None:
    number = running(store)
    do(store, "end", [End(number, "incident", error={"message": "no"})], "me", NOW)

    assert do(store, "resume", number, LATER) is True

    found = instance(store, number)
    assert (found.state, found.due, found.error) == ("ready", LATER, None)
    assert do(store, "resume", number, LATER) is False
    assert do(store, "resume", 999, LATER) is False


# --- steps


def test_step_runs_come_back_as_they_were_recorded(store: CrmStore) -> None:
    first, second = started(store), started(store, replace(START, key="18"))
    rows = [
        StepRun(first, "no_address", "", "if", "done", NOW, branch="then"),
        StepRun(first, "each/steps/invite", "3", "send_email", "failed", NOW, attempts=2, error={"message": "no"}),
        StepRun(second, "invite", "", "send_email", "done", LATER, output={"z": [1, "ü"], "a": {"$date": "2026-01-01"}}),
    ]  # fmt: skip

    do(store, "record", rows)

    assert do(store, "steps", [first, second, 999]) == {first: rows[:2], second: rows[2:], 999: []}


def test_a_step_run_replaces_that_of_the_same_round(store: CrmStore) -> None:
    number = started(store)
    before = StepRun(number, "invite", "", "send_email", "sending", NOW)
    other_round = replace(before, round="2")
    do(store, "record", [before, other_round])

    after = replace(before, state="done", at=LATER, attempts=2, output={"message_id": "<1>"})
    do(store, "record", [after])

    assert do(store, "steps", [number])[number] == [after, other_round]


def test_the_keys_of_journalled_values_keep_their_order(store: CrmStore) -> None:
    number = started(store, replace(START, inputs={"z": 1, "a": 2, "m": {"y": 1, "b": 2}}))

    inputs: Mapping[str, Any] = instance(store, number).inputs

    assert (list(inputs), list(inputs["m"])) == (["z", "a", "m"], ["y", "b"])


# --- lists


def test_instances_are_listed_newest_first_by_state_and_process(store: CrmStore) -> None:
    numbers = [started(store, replace(START, key=str(key))) for key in range(4)]
    other = started(store, replace(START, process="other"))
    do(store, "ask_to_stop", numbers[:1], "", NOW)

    ready = do(store, "instances", states=["ready", "running"], process="notify", limit=2)

    assert [one.id for one in ready] == [numbers[3], numbers[2]]
    assert [one.id for one in do(store, "instances", process="other")] == [other]
    assert len(do(store, "instances", ids=numbers, limit=1)) == 4


def test_ended_instances_without_a_flow_run_are_listed_oldest_first(store: CrmStore) -> None:
    first, second = running(store), running(store, replace(START, key="18"))
    started(store, replace(START, key="19"))
    do(store, "end", [End(second, "completed")], "me", NOW)
    do(store, "end", [End(first, "failed")], "me", LATER)

    assert [one.id for one in do(store, "unseen_in_prefect", 10)] == [second, first]

    do(store, "seen_in_prefect", {second: "run-1"})
    assert [one.id for one in do(store, "unseen_in_prefect", 10)] == [first]
    assert instance(store, second).flow_run_id == "run-1"


def test_an_event_of_a_record_names_it(store: CrmStore) -> None:
    with store.unit() as unit:
        (ref,) = unit.records.create("contact", [{"name": "A"}], ANNA)
        unit.commit()

    (event,) = do(store, "pending", 10)

    assert (event.ref, ref.entity) == (Ref("contact", ref.id), "contact")
