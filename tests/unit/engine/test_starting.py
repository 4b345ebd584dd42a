"""What starts an instance, and how often: triggers, keys and modes."""

from datetime import datetime, timedelta

import pytest
from engine_world import NOON
from office import ANNA

from procession.dispatch import start_by_hand
from procession.errors import InputError
from procession.records import Ref

WON = """
    process: won
    title: Deal won
    inputs:
      deal: {type: record, of: opportunity}
    triggers:
      - id: saved
        record: opportunity
        events: [added, modified]
        changed: [stage]
        if: record.stage == 'won'
        inputs: {deal: "{{ record }}"}
    key: "{{ deal.id }}"
    mode: MODE
    history: {on: "{{ deal }}"}
    steps:
      - log_history: "Won by {{ trigger.event }}"
"""


def won(office, mode="single"):
    return office.deploy(WON.replace("MODE", mode))


def notes(office):
    return [row.text for row in office.history("deal") if row.kind == "note"]


def test_a_saved_record_starts_what_its_trigger_asks_for(office):
    won(office)

    office.change("deal", stage="won")
    office.work()

    assert notes(office) == ["Won by modified"]
    assert office.states() == ["completed"]


def test_a_change_of_another_field_starts_nothing(office):
    won(office)
    office.change("deal", stage="won")
    office.work()

    office.change("deal", amount=8)
    office.work()

    assert len(office.instances()) == 1


def test_a_condition_that_does_not_hold_starts_nothing(office):
    won(office)

    office.change("deal", stage="lost")
    office.work()

    assert office.instances() == []


def test_saves_that_waited_together_start_a_process_once(office):
    won(office)
    office.given("new", "opportunity", name="Valves", account="acme", stage="won")
    office.change("new", stage="lost")
    office.change("new", stage="won")

    office.work()

    assert [i.trigger["event"] for i in office.instances()] == ["added"]


def test_what_a_process_saves_does_not_start_it_again(office):
    office.deploy("""
        process: count
        inputs: {deal: {type: record, of: opportunity}}
        triggers: [{record: opportunity, events: [modified], inputs: {deal: "{{ record }}"}}]
        mode: parallel
        steps:
          - update: {record: "{{ deal }}", values: {amount: "{{ deal.amount + 1 }}"}}
    """)

    office.change("deal", amount=1)
    office.work()

    assert office.find("opportunity", name="Pumps")[0].amount == 2
    assert len(office.instances()) == 1


def test_a_deleted_record_is_told_of_as_it_was(office):
    office.deploy("""
        process: gone
        inputs: {deal: {type: record, of: opportunity}}
        triggers: [{record: opportunity, events: [deleted], inputs: {deal: "{{ record }}"}}]
        mode: parallel
        steps:
          - notify: {to: sales-ops, text: "{{ deal.name }} is gone"}
    """)

    office.delete("deal")
    office.work()

    assert [mail.text.strip() for mail in office.post.mails] == ["Pumps is gone"]


def test_a_failing_trigger_is_an_incident_and_not_a_silence(office):
    office.deploy("""
        process: careless
        inputs: {deal: {type: record, of: opportunity}}
        triggers:
          - {id: saved, record: opportunity, events: [modified], if: record.close_date > today(), inputs: {deal: "{{ record }}"}}
        mode: parallel
        steps: [{stop: done}]
    """)

    office.change("deal", amount=3)
    office.work()

    (instance,) = office.instances()
    assert instance.state == "incident"
    assert instance.error["step"] == "triggers/saved"
    assert instance.error["place"].startswith("careless.yaml:5:")


SLOW = """
    process: slow
    inputs: {deal: {type: record, of: opportunity}}
    triggers: [{record: opportunity, events: [modified], inputs: {deal: "{{ record }}"}}]
    key: "{{ deal.id }}"
    mode: MODE
    steps:
      - {id: try, call: {function: boom}, retry: {max_attempts: 5, interval: 1h, on: [permanent], jitter: 0}}
"""


@pytest.mark.parametrize(
    ("mode", "states"),
    [
        ("single", ["waiting"]),
        ("restart", ["cancelled", "waiting"]),
        ("parallel", ["waiting", "waiting"]),
    ],
)
def test_a_second_start_of_a_key_goes_by_the_mode(office, mode, states):
    office.deploy(SLOW.replace("MODE", mode))
    office.change("deal", amount=1)
    office.work()

    office.change("deal", amount=2)
    office.work()

    assert office.states() == states


INVITE = """
    process: invite
    inputs: {meeting: {type: record, of: activity}}
    triggers: [{record: activity, events: [added], if: "record.type == 'task'", inputs: {meeting: "{{ record }}"}}]
    key: "{{ KEY }}"
    mode: MODE
    history: {on: "{{ meeting }}"}
    steps: [{log_history: Invited}]
"""


def save_three_of_one_name(office):
    for number, owner in enumerate(("bob", None, None)):
        office.given(
            f"task {number}", "activity", type="task", subject="Demo", owner=owner and office.known[owner]
        )


@pytest.mark.parametrize("mode", ["single", "restart"])
def test_records_of_one_name_are_not_one_key(office, mode):
    office.deploy(INVITE.replace("KEY", "meeting").replace("MODE", mode))

    save_three_of_one_name(office)
    office.work()

    assert office.states() == ["completed"] * 3
    assert [instance.key for instance in office.instances()] == [
        str(office.known[f"task {n}"]) for n in range(3)
    ]


@pytest.mark.parametrize("mode", ["single", "restart"])
def test_a_record_is_itself_as_a_part_of_a_key_too(office, mode):
    office.deploy(INVITE.replace('"{{ KEY }}"', '"{{ meeting }}/{{ meeting.owner }}"').replace("MODE", mode))

    save_three_of_one_name(office)
    office.work()

    assert office.states() == ["completed"] * 3
    first, second = (str(office.known[f"task {number}"]) for number in range(2))
    assert [one.key for one in office.instances()][:2] == [f"{first}/{office.known['bob']}", f"{second}/"]


def test_a_key_of_which_all_parts_are_empty_is_nobodys(office):
    office.deploy(
        INVITE.replace('"{{ KEY }}"', '"of {{ meeting.location }} {{ meeting.owner }}"').replace(
            "MODE", "single"
        )
    )

    save_three_of_one_name(office)
    office.work()

    assert office.states() == ["completed"] * 3


@pytest.mark.parametrize("mode", ["single", "restart"])
@pytest.mark.parametrize("key", ["meeting.owner", "meeting.location"])
def test_an_empty_key_is_nobodys(office, mode, key):
    """Those of whom nothing is known are not one."""
    office.deploy(INVITE.replace("KEY", key).replace("MODE", mode))

    save_three_of_one_name(office)
    office.work()

    assert office.states() == ["completed"] * 3


def test_of_events_that_waited_together_the_last_one_wins(office):
    office.deploy("""
        process: tell
        inputs: {deal: {type: record, of: opportunity}}
        triggers:
          - {id: worth, record: opportunity, events: [modified], changed: [amount], inputs: {deal: "{{ record }}"}}
          - {id: renamed, record: opportunity, events: [modified], changed: [name], inputs: {deal: "{{ record }}"}}
        key: "{{ deal.id }}"
        mode: restart
        history: {on: "{{ deal }}"}
        steps: [{log_history: "{{ trigger.id }}"}]
        """)
    office.change("deal", amount=1)
    office.change("deal", name="Pipes")
    office.change("deal", amount=2)

    office.work()

    assert notes(office) == ["worth"]
    assert office.states() == ["cancelled", "completed"]


def test_another_key_starts_beside_a_live_one(office):
    office.given("other", "opportunity", name="Valves", account="acme")
    office.nothing_new()
    office.deploy(SLOW.replace("MODE", "single"))
    office.change("deal", amount=1)
    office.change("other", amount=1)

    office.work()

    assert office.states() == ["waiting", "waiting"]


def test_a_person_starts_an_instance_with_checked_inputs(office):
    plan = won(office)

    started = start_by_hand(office.ports, plan, {"deal": office.known["deal"]}, actor=ANNA)
    office.work()

    assert [i.id for i in office.instances()] == [started.id]
    assert notes(office) == ["Won by manual"]


def test_a_start_by_hand_with_the_same_dedupe_key_starts_once(office):
    plan = won(office, "parallel")
    inputs = {"deal": office.known["deal"]}

    first = start_by_hand(office.ports, plan, inputs, actor=ANNA, dedupe_key="flow-run:1")
    second = start_by_hand(office.ports, plan, inputs, actor=ANNA, dedupe_key="flow-run:1")

    assert first is not None
    assert second is None


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "input 'deal' of process 'won' is missing"),
        ({"meeting": 3}, "process 'won' has no input 'meeting'"),
    ],
)
def test_wrong_inputs_are_refused_before_anything_starts(office, inputs, message):
    plan = won(office)

    with pytest.raises(InputError, match=message):
        start_by_hand(office.ports, plan, inputs, actor=ANNA)

    assert office.instances() == []


CALL = """
    process: call
    inputs:
      deal: {type: record, of: opportunity}
      code: {type: text, pattern: "[A-Z]{2}[0-9]+", required: false}
      days: {type: number, min: 1, max: 5, default: 2}
      how: {type: select, options: [phone, mail], default: phone}
    triggers:
      - id: saved
        record: opportunity
        events: [added]
        inputs: {deal: "{{ record }}", days: "{{ record.amount }}"}
      - id: lost
        record: opportunity
        events: [deleted]
        inputs: {deal: "{{ record }}"}
    history: {on: "{{ deal }}"}
    steps: [{set: {days: "{{ days + 1 }}"}}]
"""


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"code": "xx AB12 yy"}, "input 'code' does not have its form: 'xx AB12 yy'"),
        ({"days": 99}, "input 'days' cannot be 99"),
        ({"days": "many"}, "input 'days': 'many' is no number"),
        ({"how": "smoke"}, "input 'how' cannot be 'smoke'"),
        ({"deal": Ref("contact", 1)}, "input 'deal': contact:1 is no opportunity"),
    ],
)
def test_whoever_starts_a_process_its_inputs_keep_within_their_limits(office, inputs, message):
    plan = office.deploy(CALL)

    with pytest.raises(InputError) as refused:
        start_by_hand(office.ports, plan, {"deal": office.known["deal"], **inputs}, actor=ANNA)

    assert refused.value.message == message
    assert office.instances() == []


def test_a_trigger_whose_inputs_do_not_fit_starts_an_incident_that_says_so(office):
    plan = office.deploy(CALL)
    office.given("small", "opportunity", name="Small", amount=3)
    office.given("large", "opportunity", name="Large", amount=99)
    office.given("none", "opportunity", name="None")
    office.work()

    small, large, none = office.instances()
    assert [one.state for one in (small, large, none)] == ["completed", "incident", "completed"]
    assert large.error == {
        "message": "input 'days' cannot be 99", "class": "permanent", "step": "triggers/saved",
        "hint": "Write a value that is at least 1 and at most 5.", "place": str(plan.triggers[0].at),
    }  # fmt: skip
    assert plan.triggers[0].at.line > 1


def test_a_trigger_hands_over_what_a_deleted_record_was(office):
    office.deploy(CALL)

    office.delete("deal")
    office.work()

    assert office.states() == ["completed"]


def test_a_record_that_is_not_there_is_refused(office):
    plan = won(office)
    known = office.known["deal"]

    with pytest.raises(InputError, match="there is no opportunity 999"):
        start_by_hand(office.ports, plan, {"deal": type(known)("opportunity", 999)}, actor=ANNA)


def test_a_schedule_fires_each_moment_once_even_for_two_engines(office):
    office.deploy("""
        process: digest
        triggers: [{id: daily, schedule: "0 8 * * *", timezone: Europe/Berlin}]
        mode: parallel
        steps: [{notify: {to: sales-ops, text: Good morning}}]
    """)
    one, two = office.engine(), office.engine()
    office.clock.at = datetime.fromisoformat("2026-03-03T08:00:01+01:00")

    for engine in (one, two, one, two):
        while engine.tick():
            pass

    assert len(office.instances()) == 1
    assert office.subjects() == ["Digest"]


def test_a_moment_that_was_missed_by_minutes_is_kept(office):
    office.deploy("""
        process: digest
        triggers: [{schedule: {every: 1h}}]
        mode: parallel
        steps: [{stop: done}]
    """)
    office.clock.at = NOON + timedelta(minutes=5)

    office.work()

    assert len(office.instances()) == 1


def test_a_record_that_is_deleted_meanwhile_ends_its_instances_quietly(office):
    office.deploy(SLOW.replace("MODE", "single"))
    office.change("deal", amount=1)
    office.work()

    office.delete("deal")
    office.work(later=timedelta(hours=2))

    (instance,) = office.instances()
    assert (instance.state, instance.result) == ("cancelled", "a record it was about is gone")
