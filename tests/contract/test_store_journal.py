"""What `procession.ports.Journal` promises of events, versions, starts and lists, on every store."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from store_world import (
    ANNA,
    EVENT,
    LATER,
    NOW,
    START,
    claim,
    do,
    end,
    fence,
    instance,
    mail_of_step,
    new_engine,
    of_outbox,
    queue,
    running,
    start,
    started,
    states,
    tokens,
)

from procession.ports import Definition, Event, Glance, Instance, StepRun, Store
from procession.records import Ref


def append(store: Store, *events: Event) -> list[int | None]:
    answer: list[int | None] = do(store, "append", events)
    return answer


def pending(store: Store, limit: int = 10) -> list[Event]:
    found: list[Event] = do(store, "pending", limit)
    return found


# --- events


def test_an_event_is_pending_until_it_is_dispatched(store: Store) -> None:
    assert do(store, "glance", NOW).pending is False
    (first, second) = append(store, EVENT, replace(EVENT, trigger="daily", type="schedule"))

    assert do(store, "glance", NOW).pending is True
    assert pending(store) == [
        replace(EVENT, id=first),
        replace(EVENT, id=second, trigger="daily", type="schedule"),
    ]

    do(store, "dispatched", [first], NOW)
    assert [event.id for event in pending(store)] == [second]
    do(store, "dispatched", [second], NOW)
    assert do(store, "glance", NOW).pending is False


def test_the_oldest_events_are_pending_first(store: Store) -> None:
    numbers = append(store, *[EVENT] * 5)

    assert [event.id for event in pending(store, 3)] == numbers[:3]


def test_an_event_with_a_known_dedupe_key_is_dropped(store: Store) -> None:
    keyed = replace(EVENT, dedupe_key="daily 2026-03-02")
    (first,) = append(store, keyed)

    answer = append(
        store, EVENT, keyed, replace(EVENT, dedupe_key="other"), replace(EVENT, dedupe_key="other")
    )

    assert [number is None for number in answer] == [False, True, False, True]
    assert answer[0] is not None
    assert first is not None
    assert answer[0] > first
    assert len(pending(store)) == 3


def test_nothing_is_appended_and_nothing_dispatched_without_events(store: Store) -> None:
    assert append(store) == []
    assert do(store, "dispatched", [], NOW) is None


def test_an_event_of_a_record_names_it(store: Store) -> None:
    with store.unit() as unit:
        (ref,) = unit.records.create("contact", [{"name": "A"}], ANNA)
        unit.commit()

    (event,) = pending(store)

    assert (event.ref, ref.entity) == (Ref("contact", ref.id), "contact")


# --- definitions


def test_a_version_is_numbered_when_it_is_new(store: Store) -> None:
    first = Definition("notify", "d1", files={"notify.yaml": "process: notify", "b.j2": "Grüße"})

    numbers = [do(store, "publish", one) for one in (first, replace(first, digest="d2"), first)]
    numbers.append(do(store, "publish", replace(first, process="other")))

    assert numbers == [1, 2, 1, 1]
    assert do(store, "definition", "notify", "d1") == replace(first, number=1)
    assert do(store, "definition", "notify", "d9") is None


def test_the_last_publication_of_a_process_is_its_current_version(store: Store) -> None:
    assert do(store, "current") == {}
    for process, digest in (("notify", "d1"), ("other", "e1"), ("notify", "d2")):
        do(store, "make_current", process, digest, "here", NOW)

    assert do(store, "current") == {"notify": "d2", "other": "e1"}

    do(store, "make_current", "notify", "d1", "here", LATER)
    assert do(store, "current") == {"notify": "d1", "other": "e1"}


def test_a_process_that_is_retired_has_no_current_version_but_had_one(store: Store) -> None:
    do(store, "make_current", "notify", "d1", "here", NOW)
    do(store, "make_current", "notify", "d2", "here", NOW)
    do(store, "make_current", "notify", "", "here", LATER)

    assert do(store, "current") == {}
    assert [one.digest for one in do(store, "publications")] == ["d1", "d2", ""]


def test_each_publication_shows_at_a_glance(store: Store) -> None:
    seen = [do(store, "glance", NOW).publication]
    for digest in ("d1", "d2", ""):
        do(store, "make_current", "notify", digest, "here", NOW)
        seen.append(do(store, "glance", NOW).publication)

    assert seen[0] == 0
    assert seen == sorted(set(seen))


# --- start


def test_a_new_instance_is_ready(store: Store) -> None:
    (event_id,) = append(store, replace(EVENT, at=NOW - timedelta(hours=1)))

    number = started(store, replace(START, event_id=event_id, event_at=NOW - timedelta(hours=1)))

    assert instance(store, number) == Instance(
        number, "notify", "d1", "Notify: Talk", "17", "ready", START.inputs, START.trigger, NOW,
        event_at=NOW - timedelta(hours=1),
    )  # fmt: skip


def test_nothing_is_started_without_starts(store: Store) -> None:
    assert start(store) == []


def test_single_ignores_a_start_while_an_instance_with_its_key_lives(store: Store) -> None:
    first = started(store)

    assert start(store, START, replace(START, key="18"), replace(START, process="other"))[0] is None
    assert states(store)[first] == "ready"
    assert len(states(store)) == 3


@pytest.mark.parametrize("state", ["completed", "stopped", "failed", "cancelled"])
def test_a_key_is_free_again_when_its_instance_is_over(store: Store, state: Any) -> None:
    end(store, running(store), state)

    assert start(store, START) != [None]


@pytest.mark.parametrize("after", ["incident", "waiting"])
def test_an_incident_and_one_that_waits_keep_their_key(store: Store, after: str) -> None:
    end(store, running(store), after)

    assert start(store, START) == [None]


def test_of_equal_single_starts_in_one_call_the_first_counts(store: Store) -> None:
    answer = start(store, START, START, START)

    assert [number is None for number in answer] == [False, True, True]


def test_parallel_instances_have_no_key(store: Store) -> None:
    answer = start(store, START, replace(START, mode="parallel"), replace(START, mode="parallel"))

    assert None not in answer


@pytest.mark.parametrize("after", ["", "incident", "waiting"])
def test_restart_cancels_the_one_that_waits(store: Store, after: str) -> None:
    first = started(store)
    if after:
        (claimed,) = claim(store, new_engine(store), first)
        end(store, claimed, after)

    (second,) = start(store, replace(START, mode="restart"), now=LATER)

    old = instance(store, first)
    assert (old.state, old.result, old.ended_at) == ("cancelled", "superseded", LATER)
    assert second is not None
    assert [one.id for one in claim(store, new_engine(store), now=LATER)] == [second]


def test_restart_asks_a_running_one_to_stop_before_its_next_step(store: Store) -> None:
    first = running(store)

    second = started(store, replace(START, mode="restart"))
    assert states(store) == {first.id: "running", second: "ready"}

    assert fence(store, first) == set()
    old = instance(store, first.id)
    assert (old.state, old.result, old.ended_at) == ("cancelled", "superseded", NOW)


def test_of_several_restarts_in_one_call_the_last_one_lives(store: Store) -> None:
    restart = replace(START, mode="restart")

    answer = start(store, restart, replace(restart, key="18"), restart)

    assert None not in answer
    assert [instance(store, number or 0).state for number in answer] == ["cancelled", "ready", "ready"]
    assert instance(store, answer[0] or 0).result == "superseded"


def test_an_event_starts_a_process_once_by_the_same_trigger(store: Store) -> None:
    (event_id,) = append(store, EVENT)
    wish = replace(START, mode="parallel", event_id=event_id)
    other_trigger = replace(wish, trigger={"id": "other"})

    first = start(store, wish, wish, other_trigger)
    again = start(store, wish, other_trigger, replace(wish, mode="restart"), replace(wish, process="other"))

    assert [number is None for number in first] == [False, True, False]
    assert [number is None for number in again] == [True, True, True, False]


def test_an_event_that_is_dispatched_again_supersedes_nothing(store: Store) -> None:
    (event_id,) = append(store, EVENT)
    wish = replace(START, mode="restart", event_id=event_id)
    first = started(store, wish)

    assert start(store, wish) == [None]
    assert states(store) == {first: "ready"}


def test_a_late_event_does_not_restart_what_a_later_event_started(store: Store) -> None:
    (early, late) = append(store, EVENT, EVENT)
    second = started(store, replace(START, mode="restart", event_id=late))

    assert start(store, replace(START, mode="restart", event_id=early)) == [None]
    assert states(store) == {second: "ready"}


def test_a_late_restart_beside_a_single_start_supersedes_nothing(store: Store) -> None:
    (early, late) = append(store, EVENT, EVENT)
    live = started(store, replace(START, mode="restart", event_id=late))

    assert start(store, replace(START, mode="restart", event_id=early), START) == [None, None]
    assert states(store) == {live: "ready"}


def test_one_whose_trigger_failed_is_born_as_an_incident_and_is_in_nobody_s_way(store: Store) -> None:
    error = {"message": "no such field", "class": "permanent", "hint": "", "place": "a.yaml:3:1", "step": ""}
    wish = replace(START, error=error)

    first, second, third = start(store, wish, wish, START)

    assert None not in (first, second, third)
    born = instance(store, first or 0)
    assert (born.state, born.error) == ("incident", error)
    assert instance(store, third or 0).state == "ready"


def test_the_mails_of_a_superseded_instance_that_nobody_will_send_are_cancelled(store: Store) -> None:
    first = started(store)
    (mail,) = queue(store, mail_of_step(first))

    started(store, replace(START, mode="restart"))

    (mail,) = of_outbox(store, "envelopes", [mail.id])
    assert (mail.state, mail.error) == ("cancelled", "its process was cancelled: superseded")


# --- steps


def test_step_runs_come_back_as_they_were_recorded(store: Store) -> None:
    first, second = started(store), started(store, replace(START, key="18"))
    rows = [
        StepRun(first, "no_address", "", "if", "done", NOW, branch="then"),
        StepRun(first, "each/steps/invite", "3", "send_email", "failed", NOW, attempts=2, error={"message": "no"}),
        StepRun(second, "invite", "", "send_email", "done", LATER, output={"z": [1, "ü"], "a": {"$date": "2026-01-01"}}),
    ]  # fmt: skip

    do(store, "record", rows)

    assert do(store, "steps", [first, second, 999]) == {first: rows[:2], second: rows[2:], 999: []}


def test_a_step_run_replaces_that_of_the_same_round(store: Store) -> None:
    number = started(store)
    before = StepRun(number, "invite", "", "send_email", "failed", NOW)
    other_round = replace(before, round="2")
    do(store, "record", [before, other_round])

    after = replace(before, state="done", at=LATER, attempts=2, output={"message_id": "<1>"})
    do(store, "record", [after])

    assert do(store, "steps", [number])[number] == [after, other_round]
    assert do(store, "record", []) is None


def test_the_keys_of_journalled_values_keep_their_order(store: Store) -> None:
    number = started(store, replace(START, inputs={"z": 1, "a": 2, "m": {"y": 1, "b": 2}}))

    inputs: Mapping[str, Any] = instance(store, number).inputs

    assert (list(inputs), list(inputs["m"])) == (["z", "a", "m"], ["y", "b"])


# --- lists


def test_instances_are_listed_newest_first_by_state_and_process(store: Store) -> None:
    numbers = [started(store, replace(START, key=str(key))) for key in range(4)]
    other = started(store, replace(START, process="other"))
    do(store, "ask_to_stop", numbers[:1], "", NOW)

    ready = do(store, "instances", states=["ready", "running"], process="notify", limit=2)

    assert [one.id for one in ready] == [numbers[3], numbers[2]]
    assert [one.id for one in do(store, "instances", process="other")] == [other]
    assert [one.id for one in do(store, "instances", states=["cancelled", "failed"])] == numbers[:1]
    assert len(do(store, "instances", ids=numbers, limit=1)) == 4


def test_ended_instances_without_a_flow_run_are_listed_oldest_first(store: Store) -> None:
    first, second = running(store), running(store, replace(START, key="18"))
    started(store, replace(START, key="19"))
    end(store, second, "completed")
    end(store, first, "failed", now=LATER)

    assert [one.id for one in do(store, "unseen_in_prefect", 10)] == [second.id, first.id]
    assert [one.id for one in do(store, "unseen_in_prefect", 1)] == [second.id]

    do(store, "seen_in_prefect", {second.id: "run-1"})
    assert [one.id for one in do(store, "unseen_in_prefect", 10)] == [first.id]
    assert instance(store, second.id).flow_run_id == "run-1"


def test_who_is_claimed_again_is_not_shown_yet(store: Store) -> None:
    one = running(store)
    do(store, "seen_in_prefect", {one.id: "run-1"})
    do(store, "give_back", tokens(one))

    (again,) = claim(store, new_engine(store), now=LATER)

    assert (again.id, again.flow_run_id) == (one.id, "")


def test_flow_runs_are_told_of_instances_that_go_on_by_themselves(store: Store) -> None:
    """Not of those that are over, held or waiting: their run is over."""
    ready, moving, held, over, waits, unseen = (
        running(store, replace(START, key=str(key))) for key in range(6)
    )
    do(store, "seen_in_prefect", {one.id: f"run {one.id}" for one in (ready, moving, held, over, waits)})
    do(store, "give_back", tokens(ready))
    end(store, waits, "waiting")
    end(store, held, "incident")
    end(store, over, "completed")

    shown = do(store, "running_in_prefect")

    assert shown == {ready.id: f"run {ready.id}", moving.id: f"run {moving.id}"}
    assert unseen.id not in shown
    assert do(store, "seen_in_prefect", {}) is None


def test_an_empty_store_has_nothing_to_do(store: Store) -> None:
    incarnation = store.identity.incarnation

    assert do(store, "glance", NOW) == Glance(incarnation=incarnation)
