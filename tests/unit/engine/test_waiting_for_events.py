"""An instance that waits for what happens: a record that is saved, a message, a signal, or that nothing came in time."""

from datetime import timedelta

import pytest
from engine_world import NOON
from office import ANNA

from procession.dispatch import start_by_hand
from procession.errors import ProcessErrors

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


# --- what the world brings


EMPTY = """
      - id: changed
        wait_for: {record: opportunity, events: [modified], match: record == meeting.opportunity}
      - log_history: {text: Changed, on: "{{ meeting.contact }}"}
"""


def test_nobody_is_the_opportunity_of_a_meeting_without_one(office, begin):
    office.change("meeting", opportunity=None)
    begin(EMPTY)
    office.change("deal", name="Other")
    office.work()
    assert office.states() == ["waiting"]

    office.change("meeting", opportunity="deal")
    office.work()
    office.change("deal", name="Another")
    office.work()

    assert office.states() == ["completed"]


def test_a_mail_of_nobody_is_no_reply_to_a_meeting_with_nobody(office, begin):
    begin(REPLY)
    office.change("meeting", contact=None)
    office.work()
    reply(office, "Stranger", contact=None)
    office.work()

    assert office.states() == ["waiting"]


@pytest.mark.parametrize("contact", ["abc", 17, 3.5, None])
def test_data_that_is_no_record_finds_no_record(office, begin, contact):
    begin("""
      - {id: m, wait_for: {message: begin, of: any}}
      - {id: mail, wait_for: {record: activity, events: [added], match: record.contact == outputs.m.data.contact}}
    """)
    tell(office, "message", "begin", contact=contact)
    office.work()
    reply(office)
    office.work()

    assert office.states() == ["waiting"]


def test_what_does_not_fit_a_condition_is_passed_over(office, begin, caplog):
    begin("- {id: paid, wait_for: {message: paid, of: any, match: event.data.amount > 5}}")
    tell(office, "message", "paid", amount="much")
    office.work()
    assert (office.states(), "is not what is waited for" in caplog.text) == (["waiting"], True)
    tell(office, "message", "paid", amount=6)
    office.work()

    assert office.states() == ["completed"]


def test_a_message_with_more_data_than_anybody_waits_for_holds_up_nobody(office, begin):
    begin("- {id: paid, wait_for: {message: paid}}")
    tell(
        office,
        "message",
        "paid",
        about=office.known["meeting"],
        **{f"n{number}": number for number in range(70_000)},
    )
    office.work()

    assert office.states() == ["completed"]


@pytest.mark.parametrize("data", ["{x: '{{ 'a' * 1 }}'}"])
def test_a_process_cannot_send_a_message_that_is_too_large(office, begin, data):
    del data
    begin("""
      - set: {long: "{{ meeting.body }}"}
      - id: tell
        send_message: {name: big, data: {a: "{{ vars.long }}", b: "{{ vars.long }}"}}
        on_error: [{log_history: "{{ error.message }}"}]
    """)
    assert office.states() == ["completed"]
    office.change("meeting", body="x" * 60_000)
    start_by_hand(office.ports, office.plans["p"], {"meeting": office.known["meeting"]}, actor=ANNA)
    office.work()

    assert texts(office) == ["the data of message 'big' take 120,018 characters"]


def test_messages_about_one_record_are_starts_of_their_own(office, meeting):
    office.nothing_new()
    office.deploy("""
    process: q
    inputs: {meeting: {type: record, of: activity}, order: {type: text}}
    triggers: [{message: paid, about: activity, inputs: {order: "{{ event.data.order }}"}}]
    key: "{{ order }}"
    mode: single
    history: {on: "{{ meeting.opportunity }}"}
    steps: [{log_history: "{{ order }}"}]
    """)
    for order in ("A-1", "A-2", "A-3"):
        tell(office, "message", "paid", about=meeting, order=order)
    office.work()

    assert texts(office) == ["A-1", "A-2", "A-3"]


def test_a_process_does_not_start_itself_by_a_message(office, begin):
    begin("- {id: wait, wait: 1 hour}")
    office.deploy("""
    process: ping
    triggers: [{message: ping}]
    steps: [{send_message: ping}]
    """)
    tell(office, "message", "ping")
    office.work()

    assert len(office.instances()) == 2


def test_a_message_about_a_record_that_is_gone_starts_what_asks_for_none(office, meeting):
    office.given("other", "activity", type="task", subject="Other")
    office.nothing_new()
    office.deploy("""
    process: q
    triggers: [{message: gone}]
    steps: [{stop: done}]
    """)
    tell(office, "message", "gone", about=office.known["other"])
    office.delete("other")
    office.work()

    assert office.states() == ["stopped"]


# --- many, and several at once


def test_a_wait_that_seeks_an_event_in_two_ways_is_woken_once_whatever_the_portion(
    office, begin, monkeypatch
):
    monkeypatch.setattr("procession.waking.MOST_WOKEN", 5)
    begin("""
      - {id: moved, wait_for: {record: activity, events: [modified], changed: [start, end]}}
    """)
    for _ in range(3):
        start_by_hand(office.ports, office.plans["p"], {"meeting": office.known["meeting"]}, actor=ANNA)
    office.work()
    office.change("meeting", start=NOON + 2 * DAY, end=NOON + 3 * DAY)
    office.work()

    assert set(office.states()) == {"completed"}


def test_two_events_in_one_portion_reach_all_who_wait(office, begin, monkeypatch):
    monkeypatch.setattr("procession.waking.MOST_WOKEN", 5)
    begin("- {id: paid, wait_for: {message: paid, match: event.data.amount > 5}}")
    for _ in range(3):
        start_by_hand(office.ports, office.plans["p"], {"meeting": office.known["meeting"]}, actor=ANNA)
    office.work()
    tell(office, "message", "paid", about=office.known["meeting"], amount=1)
    tell(office, "message", "paid", about=office.known["meeting"], amount=9)
    office.work()

    assert set(office.states()) == {"completed"}


def test_a_signal_that_many_wait_for_holds_up_no_start(office, begin, monkeypatch):
    monkeypatch.setattr("procession.waking.MOST_WOKEN", 2)
    begin("- {id: open, wait_for: {signal: open}}")
    for _ in range(5):
        start_by_hand(office.ports, office.plans["p"], {"meeting": office.known["meeting"]}, actor=ANNA)
    office.work()
    office.deploy("""
    process: q
    inputs: {contact: {type: record, of: contact}}
    triggers: [{record: contact, events: [added]}]
    steps: [{stop: done}]
    """)
    told = []
    engine = office.engine()
    engine.planner.told = lambda events: told.append([event.type for event in events])
    tell(office, "signal", "open")
    office.given("eve", "contact", name="Eve")
    engine.planner.plan(engine._glance())

    assert [one.process for one in office.instances()].count("q") == 1
    office.work()
    assert sorted(set(office.states())) == ["completed", "stopped"]
    assert told == [["added"]]


def test_a_restart_by_merged_changes_takes_each_of_them_away(office, meeting, monkeypatch):
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
    office.change("meeting", location="C")
    with office.ports.store.unit() as unit:
        found = unit.journal.take_up(10)
        unit.commit()
    from procession.dispatch import _starts
    from procession.waking import wake

    with office.ports.store.unit() as unit:
        starts = _starts(found, office.plans, unit, office.clock.now())
        wake(unit, found, starts, office.ports.store.schema, office.clock.now())
    with office.ports.store.unit(write=False) as unit:
        assert unit.journal.arrived([one.id for one in office.instances()]) == {}


# --- timeouts


def test_a_timeout_outlasts_a_try_that_failed(office, begin):
    begin("""
      - id: reply
        wait_for: {message: x, match: event.data.n == meeting.contact.account.name | length}
        retry: {max_attempts: 5, interval: 10m, jitter: 0, on: [permanent]}
        timeout: 2 hours
        on_timeout: [{log_history: Late}]
    """)
    office.change("ann", account=None)
    office.change("meeting", contact="ann")
    office.work()
    assert office.states() == ["waiting"]
    office.change("ann", account="acme")
    for _ in range(20):
        office.work(later=timedelta(minutes=10))

    assert texts(office) == ["Late"]


def test_a_reply_that_came_in_time_counts_though_many_saves_came_before_it(office, begin):
    begin(REPLY)
    for _ in range(12):
        office.change("ann", phone=f"{_}")
    reply(office, "In time")
    office.clock.at += 2 * DAY
    engine = office.engine()
    engine.planner.batch = 3
    while engine.tick():
        pass

    assert texts(office) == ["Reply: In time of Acme"]


# --- which key


@pytest.mark.parametrize(
    "match",
    [
        "(record.contact == meeting.contact) and record.incoming",
        "((record.contact == meeting.contact and record.incoming))",
        "record.incoming and (record.type == 'email' and meeting.contact == record.contact)",
        "record.contact.id == meeting.contact.id",
    ],
)
def test_an_equality_is_found_wherever_it_must_hold(office, begin, match):
    begin(f"""
      - {{id: reply, wait_for: {{record: activity, events: [added], match: {match}}}}}
    """)
    reply(office)
    office.work()

    assert office.states() == ["completed"]


@pytest.mark.parametrize(
    "match",
    [
        "record.contact == meeting.contact or record.incoming",
        "record.contact.account == meeting.contact.account",
        "record.contact.email == meeting.contact.email",
        "record.subject == meeting.subject",
    ],
)
def test_a_condition_about_other_records_without_a_key_is_an_authors_error(office, match):
    with pytest.raises(ProcessErrors, match="it does not say which activity is meant"):
        office.deploy(
            HEAD % "parallel"
            + f"""
      - {{id: reply, wait_for: {{record: activity, events: [added], match: {match}}}}}
        """
        )


@pytest.mark.parametrize(
    ("match", "data"), [("event.data.id == 5", {"id": 5}), ("event.data.id == '5'", {"id": "5"})]
)
def test_data_may_be_called_id(office, begin, match, data):
    begin(f"""
      - {{id: paid, wait_for: {{message: paid, match: "{match}"}}}}
    """)
    tell(office, "message", "paid", **data)
    office.work()

    assert office.states() == ["completed"]


@pytest.mark.parametrize("order", ["A-17 " * 60, ["A", "B"], True, 1e30])
def test_whatever_a_message_holds_can_be_compared(office, begin, order):
    begin("""
      - {id: first, wait_for: {message: first, of: any}}
      - {id: paid, wait_for: {message: paid, match: event.data.order == outputs.first.data.order}}
    """)
    tell(office, "message", "first", order=order)
    office.work()
    tell(office, "message", "paid", order="another")
    office.work()
    assert office.states() == ["waiting"]
    tell(office, "message", "paid", order=order)
    office.work()

    assert office.states() == ["completed"]


def test_two_sources_may_be_told_apart_by_nothing_but_their_conditions(office, begin):
    begin("""
      - {id: pause, wait: 1 hour}
      - id: answer
        wait_for:
          - {message: called, match: event.data.mood == 'bad', since: wait, then: [{log_history: Bad}]}
          - {message: called, match: event.data.mood == 'good', then: [{log_history: Good}]}
    """)
    tell(office, "message", "called", about=office.known["meeting"], mood="good")
    office.work(later=HOUR)

    assert texts(office) == ["Good"]


# --- what a second reading found


def test_one_that_could_not_be_looked_back_from_goes_on_when_a_person_resumes_it(office, begin):
    begin("\n      - {id: pause, wait: 1 hour}" + REPLY)
    reply(office, "Meant")
    office.work()
    engine = office.engine()
    office.clock.at += HOUR
    engine.planner.plan(engine._glance())
    engine._work(engine._glance())
    with office.ports.store.unit() as unit:
        unit.journal.give_up_looking_back(
            {"message": "no", "class": "permanent", "hint": "", "place": "", "step": ""}
        )
        unit.commit()
    assert office.states() == ["incident"]
    with office.ports.store.unit() as unit:
        unit.journal.resume(office.instances()[0].id, office.clock.now())
        unit.commit()
    office.work()

    assert texts(office) == ["Reply: Meant of Acme"]


@pytest.mark.parametrize("wakes", ["an event", "a change"])
def test_who_is_woken_by_something_else_is_not_late_while_a_reply_may_still_come(office, begin, wakes):
    begin(REPLY)
    for number in range(6):
        office.change("ann", phone=f"{number}")
    if wakes == "an event":
        reply(office, "Not meant", incoming=False)
    else:
        office.change("meeting", contact="ann", subject="Other")
    reply(office, "In time")
    office.clock.at += 2 * DAY
    engine = office.engine()
    engine.planner.batch = 2
    while engine.tick():
        pass

    assert texts(office) == ["Reply: In time of Acme"]
