"""What people read in Prefect, and what must never be read there."""

from datetime import UTC, datetime

import pytest
from prefect.states import Completed
from prefect_world import plan

from flows import words
from procession.errors import Place, TransportRefused
from procession.ports import End, Instance
from procession.records import Ref
from procession.values import to_json

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def instance(
    number: int = 1, title: str = "Notify contact of meeting: Kick-off", **inputs: object
) -> Instance:
    return Instance(
        number, "notify_contact_of_meeting", "d", title, "", "running", to_json(inputs), {}, NOW, NOW
    )  # fmt: skip


def test_a_flow_is_named_by_its_id_so_that_a_better_title_keeps_its_history() -> None:
    assert words.flow_name("notify_contact_of_meeting") == "Notify contact of meeting"


def test_the_run_of_one_instance_names_the_record_as_the_process_does() -> None:
    one = instance(meeting=Ref("activity", 17))

    assert words.run_name("Notify contact of meeting", [one]) == (
        "Notify contact of meeting: Kick-off (meeting 17)"
    )


def test_the_run_of_an_instance_without_a_record_names_the_instance() -> None:
    assert words.run_name("Digest", [instance(5, "Digest")]) == "Digest (instance 5)"


def test_the_run_of_many_instances_says_how_many() -> None:
    many = [instance(number) for number in range(200)]

    assert words.run_name("Notify contact of meeting", many) == "Notify contact of meeting × 200"


@pytest.mark.parametrize(
    "text",
    ["Kick-off with ann@acme.example", "<ann@acme.example>", "to: 'ann.smith+x@mail.acme.example', please"],
)
def test_no_address_leaves_the_store_in_a_name_or_a_message(text: str) -> None:
    end = End(1, "incident", error={"message": text, "place": "processes/p.yaml:3:5"})

    shown = [
        words.run_name("Notify", [instance(title=text)]),
        words.end_state(end).message,
        words.ends_state([end, End(2, "completed")]).message,
        str(words.table([instance(title=text)], [end])),
        words.step_state(plan().steps[0], 1, [TransportRefused(text)]).message,
    ]

    assert [text for text in shown if "@" in str(text)] == []


def test_a_held_instance_says_in_one_sentence_where_and_what_to_do() -> None:
    error = {"message": "the contact has no address", "place": "processes/p.yaml:3:5", "hint": "Add one."}

    state = words.end_state(End(1, "incident", error=error))

    assert (state.type.value, state.name) == ("FAILED", "Held")
    assert state.message == (
        "processes/p.yaml:3:5: the contact has no address. Add one. See: procession incidents"
    )


def test_an_instance_that_waits_for_its_next_try_says_until_when_and_why() -> None:
    error = {"message": "the mail server said: try later", "place": "processes/p.yaml:3:5"}

    state = words.end_state(End(1, "waiting", error=error, until=NOW))

    assert (state.type.value, state.name) == ("COMPLETED", "Waiting")
    assert state.message == (
        "It goes on at 2026-03-02 12:00:00 UTC. processes/p.yaml:3:5: the mail server said: try later."
    )


@pytest.mark.parametrize(
    ("end", "kind", "message"),
    [
        (End(1, "completed"), "COMPLETED", "Done."),
        (End(1, "stopped", result="no longer needed"), "COMPLETED", "no longer needed"),
        (
            End(1, "cancelled", result="it was cancelled in Prefect"),
            "CANCELLED",
            "it was cancelled in Prefect",
        ),
        (End(1, "failed", error={"message": "too late"}), "FAILED", "too late."),
    ],
)
def test_every_end_of_an_instance_has_its_state_in_prefect(end: End, kind: str, message: str) -> None:
    state = words.end_state(end)

    assert (state.type.value, state.message) == (kind, message)


def test_many_instances_end_as_the_one_that_a_person_must_look_at() -> None:
    held = End(3, "incident", error={"message": "no address", "place": "p.yaml:1:1"})
    ends = [End(1, "completed"), End(2, "completed"), held]

    state = words.ends_state(ends)

    assert state.name == "Held"
    assert state.message == (
        "2 completed, 1 held. The first: p.yaml:1:1: no address. See: procession incidents"
    )


def test_many_instances_of_which_some_wait_are_waiting() -> None:
    state = words.ends_state([End(1, "completed"), End(2, "waiting", until=NOW)])

    assert (state.name, state.message) == ("Waiting", "1 completed, 1 waiting.")


def test_a_step_that_failed_for_some_says_for_how_many_and_shows_the_first() -> None:
    step = plan().steps[0]

    state = words.step_state(step, 200, [TransportRefused("550 no such user"), TransportRefused("550 other")])

    assert state.name == "Partly done"
    assert state.message == f"It failed for 2 of 200. {step.at}: 550 no such user."
    assert isinstance(step.at, Place)


def test_the_description_says_what_starts_the_process() -> None:
    shown = words.description(plan())

    assert "Sends the invitation." in shown
    assert "- when an activity is added, if `record.is_meeting`" in shown
    assert "Owner: sales-ops" in shown


def test_a_state_that_is_told_late_says_when_its_work_was_done() -> None:
    began, ended = datetime(2026, 11, 25, 9, 30, 1, tzinfo=UTC), datetime(2026, 11, 25, 9, 30, 4, tzinfo=UTC)
    state = Completed(message="Done.")

    at_once = words.when(state, began, ended, ended)
    later = words.when(state, began, ended, ended + words.LATE)

    assert at_once.message == "Done."
    assert later.message == "Done. It ran at 2026-11-25 09:30:01 UTC, for 3 seconds."
