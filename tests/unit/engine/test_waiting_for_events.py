"""An instance that waits for what happens: a record that is saved, a message, a signal, or that nothing came in time."""

from datetime import timedelta

import pytest
from engine_world import NOON
from office import ANNA

from procession.dispatch import start_by_hand

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HEAD = """
    process: p
    title: The process
    inputs: {meeting: {type: record, of: activity}}
    triggers: [{manual: {on: activity}}]
    key: "{{ meeting }}"
    mode: %s
    history: {on: "{{ meeting.opportunity }}"}
    steps:
"""
REPLY = """
      - id: reply
        wait_for: {record: activity, events: [added], match: record.contact == meeting.contact and record.incoming}
        timeout: 2 days
        on_timeout:
          - {log_history: "No reply"}
          - stop: no reply
      - log_history: "Reply: {{ outputs.reply.record.subject }} of {{ outputs.reply.record.contact.account.name }}"
"""


@pytest.fixture
def meeting(office):
    """In four days, with Ann."""
    office.given("bea", "contact", name="Bea", email="bea@acme.example", account="acme")
    return office.given(
        "meeting", "activity", type="task", category="meeting", subject="Talk", start=NOON + 4 * DAY,
        contact="ann", owner="bob", opportunity="deal",
    )  # fmt: skip


@pytest.fixture
def begin(office, meeting):
    def run(steps, mode="parallel"):
        office.nothing_new()
        plan = office.deploy(HEAD % mode + (steps if steps.startswith("\n") else f"      {steps}"))
        start_by_hand(office.ports, plan, {"meeting": meeting}, actor=ANNA)
        office.work()

    return run


def reply(office, name="reply", **values):
    office.given(
        name, "activity", **{"type": "email", "subject": name, "contact": "ann", "incoming": True} | values
    )


def texts(office):
    return [row.text for row in office.history("deal")]


def waits(office):
    with office.ports.store.unit(write=False) as unit:
        found = unit.journal.waits([instance.id for instance in office.instances()])
    return [wait for some in found.values() for wait in some]


def test_it_goes_on_when_what_it_waits_for_is_saved(office, begin):
    begin(REPLY)
    assert office.states() == ["waiting"]

    reply(office, "Yes")
    office.work()

    assert (office.states(), texts(office), waits(office)) == (["completed"], ["Reply: Yes of Acme"], [])


def test_what_is_not_meant_does_not_end_a_wait(office, begin):
    begin(REPLY)

    reply(office, "An own mail", incoming=False)
    office.given("cid", "contact", name="Cid", email="cid@example.com")
    reply(office, "Of somebody else", contact="cid")
    office.work()

    assert (office.states(), texts(office)) == (["waiting"], [])


def test_what_does_not_come_in_time_is_a_timeout(office, begin):
    begin(REPLY)
    office.work(later=2 * DAY)

    assert (office.states(), texts(office)) == (["stopped"], ["No reply"])


def test_without_a_handler_a_timeout_is_an_error_like_others(office, begin):
    begin("""
      - id: reply
        wait_for: {record: activity, events: [added], match: record.contact == meeting.contact}
        timeout: 1 hour
        on_error: [{log_history: "{{ error.class }}"}]
    """)
    office.work(later=HOUR)

    assert (office.states(), texts(office)) == (["completed"], ["timeout"])


def test_a_timeout_that_nothing_handles_is_an_incident(office, begin):
    begin("""
      - id: reply
        wait_for: {message: x, of: any}
        timeout: 1 hour
    """)
    office.work(later=HOUR)

    (instance,) = office.instances()
    assert (instance.state, instance.error["class"]) == ("incident", "timeout")
    assert instance.error["message"] == "what 'Reply' waited for did not come in time"


def test_a_timeout_does_not_begin_anew_when_the_wait_is_looked_at(office, begin, meeting):
    begin(REPLY)
    office.work(later=DAY)
    office.change("meeting", subject="Another", contact="bea")
    office.work()
    office.work(later=DAY - timedelta(seconds=1))
    assert office.states() == ["waiting"]
    office.work(later=timedelta(seconds=1))

    assert texts(office) == ["No reply"]


def test_a_moment_may_time_out_too(office, begin):
    begin("""
      - id: pause
        wait: {until: "{{ meeting.start }}"}
        timeout: 1 day
        on_timeout: [{log_history: Too late}]
    """)
    office.work(later=DAY)

    assert (office.states(), texts(office)) == (["completed"], ["Too late"])


# --- which record


def test_it_follows_the_record_that_it_is_computed_from(office, begin):
    """The contact of the meeting is another one now, so it is his reply that is waited for."""
    begin(REPLY)
    office.change("meeting", contact="bea")
    office.work()

    reply(office, "Of Ann")
    office.work()
    assert office.states() == ["waiting"]
    reply(office, "Of Bea", contact="bea")
    office.work()

    assert texts(office) == ["Reply: Of Bea of Acme"]


def test_what_came_under_its_new_key_before_that_counts(office, begin):
    begin(REPLY)
    reply(office, "Of Bea", contact="bea")
    office.work()
    assert office.states() == ["waiting"]

    office.change("meeting", contact="bea")
    office.work()

    assert texts(office) == ["Reply: Of Bea of Acme"]


HELD = """
      - id: held
        wait_for: {record: activity, events: [modified], changed: [status], match: record.status == 'done'}
      - log_history: Held
"""


def test_without_an_equality_the_record_of_the_process_is_meant(office, begin):
    begin(HELD)
    office.given("other", "activity", type="task", subject="Other", contact="ann")
    office.change("other", status="done")
    office.work()
    assert office.states() == ["waiting"]

    office.change("meeting", subject="Renamed")
    office.work()
    assert office.states() == ["waiting"]
    office.change("meeting", status="done")
    office.work()

    assert texts(office) == ["Held"]


def test_a_record_may_be_named_by_its_number(office, begin):
    begin("""
      - {id: held, wait_for: {record: activity, events: [modified], match: record.id == meeting.id and record.location}}
    """)
    office.change("meeting", location="Room 1")
    office.work()

    assert office.states() == ["completed"]


def test_a_record_that_is_deleted_is_seen_as_it_was(office, begin):
    office.given("task", "activity", type="task", subject="To be deleted", contact="ann")
    begin("""
      - {id: gone, wait_for: {record: activity, events: [deleted], match: record.contact == meeting.contact}}
      - log_history: "{{ outputs.gone.record.subject }}, {{ outputs.gone.type }}"
    """)
    office.delete("task")
    office.work()

    assert texts(office) == ["To be deleted, deleted"]


def test_it_ends_when_the_record_it_is_about_is_deleted(office, begin):
    begin(REPLY)
    office.delete("meeting")
    office.work()

    assert (office.states(), waits(office)) == (["cancelled"], [])


def test_a_process_is_not_woken_by_what_it_saved_itself(office, begin):
    begin("""
      - create_activity: {type: call, subject: Own, contact: "{{ meeting.contact }}"}
      - {id: any_call, wait_for: {record: activity, events: [added], match: record.contact == meeting.contact}}
    """)

    assert office.states() == ["waiting"]


# --- what came before, and what came already


def test_what_came_while_it_did_something_else_counts(office, begin):
    begin("\n      - {id: pause, wait: 1 hour}" + REPLY)
    reply(office, "Early")
    office.work(later=HOUR)

    assert texts(office) == ["Reply: Early of Acme"]


def test_what_came_before_it_began_does_not_count(office, begin, meeting):
    reply(office, "Too early")
    begin(REPLY)

    assert office.states() == ["waiting"]


def test_it_may_count_only_what_comes_while_it_waits(office, begin):
    begin("""
      - {id: pause, wait: 1 hour}
      - id: reply
        wait_for: {record: activity, events: [added], match: record.contact == meeting.contact, since: wait}
    """)
    reply(office, "Early")
    office.work(later=HOUR)
    assert office.states() == ["waiting"]
    reply(office, "Late")
    office.work()

    assert office.states() == ["completed"]


@pytest.mark.parametrize(("since", "state"), [("10m", "waiting"), ("2h", "completed")])
def test_it_may_look_back_for_a_while(office, begin, meeting, since, state):
    reply(office, "Before")
    office.work(later=HOUR)
    begin(f"""
      - id: reply
        wait_for: {{record: activity, events: [added], match: record.contact == meeting.contact, since: {since}}}
    """)

    assert office.states() == [state]


def test_three_replies_in_a_loop_are_taken_one_after_another(office, begin):
    begin("""
      - for_each:
          items: "{{ [1, 2, 3] }}"
          steps:
            - id: reply
              wait_for: {record: activity, events: [added], match: record.contact == meeting.contact and record.incoming}
            - log_history: "{{ item }}: {{ outputs.reply.record.subject }}"
    """)
    reply(office, "a")
    reply(office, "b")
    office.work()
    assert (office.states(), texts(office)) == (["waiting"], ["1: a", "2: b"])
    reply(office, "c")
    office.work()

    assert (office.states(), texts(office)) == (["completed"], ["1: a", "2: b", "3: c"])


# --- one of several


EITHER = """
      - id: answer
        wait_for:
          - {record: activity, events: [added], match: record.contact == meeting.contact and record.incoming,
             then: [{log_history: "Replied"}]}
          - message: called back
            then: [{log_history: "Called: {{ outputs.answer.data.mood }}"}]
          - until: "{{ meeting.start - duration('1 day') }}"
            then: [{log_history: "Nobody"}, {stop: nobody}]
      - log_history: "After {{ outputs.answer.source }}"
"""


def test_the_first_of_several_decides_what_follows(office, begin):
    begin(EITHER)
    reply(office)
    office.work()

    assert (office.states(), texts(office)) == (["completed"], ["Replied", "After 1"])


def test_a_message_brings_data_along(office, begin, meeting):
    begin(EITHER)
    tell(office, "message", "called back", about=meeting, mood="friendly")
    office.work()

    assert texts(office) == ["Called: friendly", "After 2"]


def test_a_moment_among_them_moves_with_its_record(office, begin):
    begin(EITHER)
    office.change("meeting", start=NOON + 2 * DAY)
    office.work()
    assert (office.states(), [wait.due for wait in waits(office)]) == (["waiting"], [NOON + DAY])
    office.work(later=DAY)

    assert (office.states(), texts(office)) == (["stopped"], ["Nobody"])


def test_of_an_event_and_a_moment_at_the_same_time_the_event_counts(office, begin):
    begin(EITHER)
    reply(office)
    office.work(later=3 * DAY)

    assert texts(office) == ["Replied", "After 1"]


def test_what_several_wait_for_is_one_event_for_each_of_them(office, begin, meeting):
    begin(EITHER)
    start_by_hand(office.ports, office.plans["p"], {"meeting": meeting}, actor=ANNA)
    office.work()
    reply(office)
    office.work()

    assert office.states() == ["completed", "completed"]


# --- messages and signals


def tell(office, type_, name, about=None, **data):
    from procession.ports import Event
    from procession.values import to_json

    with office.ports.store.unit() as unit:
        unit.journal.append([Event(0, office.clock.now(), type_, about, payload=to_json(data), name=name)])
        unit.commit()


def test_a_message_is_for_those_whose_record_it_is_about(office, begin):
    begin("- {id: paid, wait_for: {message: order paid}}")
    office.given("other", "activity", type="task", subject="Other")
    tell(office, "message", "order paid", about=office.known["other"])
    tell(office, "message", "order paid")
    tell(office, "message", "order sent", about=office.known["meeting"])
    office.work()
    assert office.states() == ["waiting"]
    tell(office, "message", "order paid", about=office.known["meeting"])
    office.work()

    assert office.states() == ["completed"]


def test_a_message_may_be_found_by_its_data(office, begin):
    begin("""
      - set: {order: A-17}
      - {id: paid, wait_for: {message: order paid, match: event.data.order == vars.order}}
      - log_history: "{{ outputs.paid.data.amount }}"
    """)
    tell(office, "message", "order paid", order="B-1", amount=1)
    tell(office, "message", "order paid", order="A-17", amount=2)
    office.work()

    assert texts(office) == ["2"]


def test_the_number_17_is_not_the_text_17(office, begin):
    begin("""
      - {id: paid, wait_for: {message: paid, match: event.data.order == '17'}}
    """)
    tell(office, "message", "paid", order=17)
    office.work()
    assert office.states() == ["waiting"]
    tell(office, "message", "paid", order="17")
    office.work()

    assert office.states() == ["completed"]


def test_a_signal_reaches_all_who_wait_for_it(office, begin, meeting):
    begin("- {id: open, wait_for: {signal: office opens}}")
    start_by_hand(office.ports, office.plans["p"], {"meeting": meeting}, actor=ANNA)
    office.work()
    tell(office, "signal", "office opens")
    office.work()

    assert office.states() == ["completed", "completed"]


def test_a_process_tells_another_one(office, begin):
    office.deploy("""
    process: other
    inputs: {meeting: {type: record, of: activity}, mood: {type: text, default: none}}
    triggers:
      - {message: held, about: activity, if: "event.data.mood != 'bad'", inputs: {mood: "{{ event.data.mood }}"}}
    history: {on: "{{ meeting.opportunity }}"}
    steps: [{log_history: "Other: {{ mood }}"}, {throw_signal: all done}]
    """)
    begin("""
      - send_message: {name: held, about: "{{ meeting }}", data: {mood: good}}
      - send_message: {name: held, about: "{{ meeting }}", data: {mood: bad}}
      - {id: done, wait_for: {signal: all done}}
      - log_history: Done
    """)

    assert (office.states(), texts(office)) == (["completed", "completed"], ["Other: good", "Done"])


# --- beside starts


def test_an_event_that_replaces_an_instance_does_not_reach_it(office, meeting):
    """A start by `restart` takes the event away from the one that it replaces (D12)."""
    office.nothing_new()
    office.deploy("""
    process: p
    inputs: {meeting: {type: record, of: activity}}
    triggers: [{record: activity, events: [modified], changed: [location]}]
    key: "{{ meeting }}"
    mode: restart
    history: {on: "{{ meeting.opportunity }}"}
    steps:
      - {id: moved, wait_for: {record: activity, events: [modified], changed: [location]}}
      - log_history: Moved again
    """)
    office.change("meeting", location="A")
    office.work()
    office.change("meeting", location="B")
    office.work()

    assert (sorted(office.states()), texts(office)) == (["cancelled", "waiting"], [])


def test_in_other_modes_the_one_that_lives_gets_it_too(office, meeting):
    office.nothing_new()
    office.deploy("""
    process: p
    inputs: {meeting: {type: record, of: activity}}
    triggers: [{record: activity, events: [modified], changed: [location]}]
    key: "{{ meeting }}"
    mode: single
    history: {on: "{{ meeting.opportunity }}"}
    steps:
      - {id: moved, wait_for: {record: activity, events: [modified], changed: [location]}}
      - log_history: Moved again
    """)
    office.change("meeting", location="A")
    office.work()
    office.change("meeting", location="B")
    office.work()

    assert (office.states(), texts(office)) == (["completed"], ["Moved again"])
