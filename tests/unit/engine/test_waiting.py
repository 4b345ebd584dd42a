"""An instance that waits: for a moment, for one that moves, for the time of a mail that it holds back."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from engine_world import NOON
from office import ANNA

from procession import restoring
from procession.advance import advance
from procession.dispatch import start_by_hand
from procession.engine import claim
from procession.errors import ConfigurationError
from procession.ports import Glance

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
REMIND = """
      - id: day_before
        wait: {until: "{{ meeting.start - duration('1 day') }}", if_past: %s}
      - id: reminder
        send_email: {to: "{{ meeting.contact }}", subject: "Reminder", text: "At {{ meeting.start }}"}
      - {id: logged, log_history: "After"}
"""


RETRIED_IN_A_WINDOW = """
      - id: hello
        send_email: {to: "{{ meeting.contact }}", subject: Talk, text: Hello, send_window: office_hours}
        retry: transient
"""


@pytest.fixture
def meeting(office):
    """In four days, with Ann."""
    return office.given(
        "meeting", "activity", type="task", category="meeting", subject="Talk", start=NOON + 4 * DAY,
        contact="ann", owner="bob", opportunity="deal",
    )  # fmt: skip


@pytest.fixture
def begin(office, meeting):
    def run(steps, mode="parallel"):
        office.nothing_new()
        plan = office.deploy(HEAD % mode + steps)
        start_by_hand(office.ports, plan, {"meeting": meeting}, actor=ANNA)
        office.work()

    return run


def waits(office):
    with office.ports.store.unit(write=False) as unit:
        found = unit.journal.waits([instance.id for instance in office.instances()])
    return [wait for some in found.values() for wait in some]


def dues(office):
    return [wait.due for wait in waits(office)]


def mails(office):
    with office.ports.store.unit(write=False) as unit:
        states = ["draft", "held", "queued", "sending", "sent", "failed", "unknown", "cancelled", "withdrawn"]
        return unit.outbox.envelopes([mail.id for mail in unit.outbox.in_state(states)])


def mail_states(office):
    return [mail.state for mail in mails(office)]


def texts(office):
    return [row.text for row in office.history("deal")]


# --- for a while


@pytest.mark.parametrize(
    ("span", "until"),
    [
        ("2 hours", NOON + 2 * HOUR),
        ("PT90M", NOON + timedelta(minutes=90)),
        ("1 business day", NOON + DAY),
    ],
)
def test_it_waits_as_long_as_it_says(office, begin, span, until):
    begin(f"""
      - {{id: pause, wait: {{for: "{span}"}}}}
      - log_history: Later
    """)
    assert (office.states(), dues(office), texts(office)) == (["waiting"], [until], [])

    office.work(later=until - NOON - timedelta(seconds=1))
    assert office.states() == ["waiting"]
    office.work(later=timedelta(seconds=1))

    assert (office.states(), texts(office), waits(office)) == (["completed"], ["Later"], [])


def test_what_was_found_before_a_wait_is_there_after_it(office, begin):
    begin("""
      - {id: found, read: {entity: opportunity, where: {name: Pumps}}}
      - set: {word: "{{ outputs.found.first.name }}"}
      - {id: pause, wait: 1 hour}
      - log_history: "{{ vars.word }} {{ outputs.found.count }} {{ outputs.pause.ended_at | time }}"
    """)
    office.work(later=HOUR)

    assert texts(office) == ["Pumps 1 1:00 PM"]


def test_each_round_of_a_loop_waits_for_itself(office, begin):
    begin("""
      - for_each:
          items: "{{ ['a', 'b'] }}"
          steps:
            - {id: pause, wait: 1 hour}
            - log_history: "{{ item }}"
    """)
    assert texts(office) == []
    office.work(later=HOUR)
    assert (texts(office), dues(office)) == (["a"], [NOON + 2 * HOUR])
    office.work(later=HOUR)

    assert (texts(office), office.states()) == (["a", "b"], ["completed"])


def test_a_wait_that_is_cancelled_is_forgotten(office, begin):
    begin("      - {id: pause, wait: 1 hour}\n      - log_history: Never\n")
    with office.ports.store.unit() as unit:
        unit.journal.ask_to_stop([1], "by anna", office.clock.now())
        unit.commit()

    office.work(later=HOUR)

    assert (office.states(), texts(office), waits(office)) == (["cancelled"], [], [])


# --- until a moment that moves


def test_it_waits_until_a_moment_of_a_record(office, begin):
    begin(REMIND % "run")
    assert (office.states(), dues(office)) == (["waiting"], [NOON + 3 * DAY])

    office.work(later=3 * DAY)

    assert (office.states(), office.subjects()) == (["completed"], ["Reminder"])


@pytest.mark.parametrize("by", [2 * DAY, -2 * DAY])
def test_a_timer_moves_with_its_record(office, begin, by):
    begin(REMIND % "run")

    office.change("meeting", start=NOON + 4 * DAY + by)
    office.work()
    assert dues(office) == [NOON + 3 * DAY + by]
    office.work(later=3 * DAY + by - timedelta(seconds=1))
    assert office.subjects() == []
    office.work(later=timedelta(seconds=1))

    assert office.subjects() == ["Reminder"]


def test_a_timer_that_was_moved_just_before_it_falls_due_does_not_fire(office, begin):
    """Nobody has dispatched the event yet."""
    begin(REMIND % "run")
    office.clock.at = NOON + 3 * DAY
    office.change("meeting", start=NOON + 9 * DAY)

    office.work()

    assert (office.states(), office.subjects(), dues(office)) == (["waiting"], [], [NOON + 8 * DAY])


def test_a_timer_that_has_fired_before_its_record_was_moved_looks_again(office, begin):
    """It was woken, and nobody has claimed it yet."""
    begin(REMIND % "run")
    office.clock.at = NOON + 3 * DAY
    with office.ports.store.unit() as unit:
        assert unit.journal.wake_due(office.clock.now(), 10) == 1
        unit.commit()
    office.change("meeting", start=NOON + 9 * DAY)

    office.work()

    assert (office.states(), office.subjects(), dues(office)) == (["waiting"], [], [NOON + 8 * DAY])


def test_what_does_not_matter_moves_nothing_and_wakes_nobody(office, begin):
    begin(REMIND % "run")
    (before,) = waits(office)

    office.change("meeting", subject="Another talk")
    office.change("ann", name="Ann B.")
    office.work()

    (instance,) = office.instances()
    assert (waits(office), instance.fencing_token) == ([before], 1)


def test_since_when_it_waits_stays_when_the_moment_moves(office, begin):
    begin(REMIND % "run")
    office.clock.at += HOUR
    office.change("meeting", start=NOON + 5 * DAY)
    office.work()

    assert [wait.since for wait in waits(office)] == [NOON]


def test_what_the_moment_was_computed_from_is_followed_through_other_records(office, begin):
    office.change("bob", phone="2026-03-05T08:00:00+00:00")
    begin("""
      - id: morning
        wait: {until: "{{ meeting.owner.phone }}"}
      - log_history: "Good morning"
    """)
    assert dues(office) == [datetime(2026, 3, 5, 8, tzinfo=UTC)]

    office.change("bob", phone="2026-03-04T08:00:00+00:00")
    office.work()

    assert dues(office) == [datetime(2026, 3, 4, 8, tzinfo=UTC)]


@pytest.mark.parametrize(
    "moment",
    [
        "[meeting] | map(attribute='owner.phone') | first",
        "([meeting.owner] | sort(attribute='phone') | first).phone",
        "'2026-03-05 08:00' if [meeting.owner] | where(phone='morning') else '2026-03-04 08:00'",
        "meeting.contact | text",
        "meeting.contact ~ ''",
    ],
)
def test_a_timer_moves_with_its_record_however_its_fields_are_read(office, begin, moment):
    office.change("bob", phone="morning" if "where" in moment else "2026-03-05 08:00")
    office.change("ann", name="2026-03-05 08:00")
    begin(f"""
      - id: morning
        wait: {{until: "{{{{ {moment} }}}}", if_past: run}}
      - log_history: "Good morning"
    """)
    assert dues(office) == [datetime(2026, 3, 5, 8, tzinfo=UTC)]

    office.change("bob", phone="2026-03-04 08:00")
    office.change("ann", name="2026-03-04 08:00")
    office.work()

    assert dues(office) == [datetime(2026, 3, 4, 8, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("if_past", "said", "mailed"),
    [("run", ["E-mail “Reminder” to Ann Smith", "After"], 1), ("skip", ["After"], 0), ("end_branch", [], 0)],
)
@pytest.mark.parametrize("moved", [False, True])
def test_a_moment_that_is_past_is_handled_as_it_says(office, begin, if_past, said, mailed, moved):
    if moved:
        begin(REMIND % if_past)
        office.clock.at += HOUR
        office.change("meeting", start=NOON + DAY)
        office.work()
    else:
        office.change("meeting", start=NOON + HOUR)
        begin(REMIND % if_past)

    assert (office.states(), texts(office), len(office.post.mails)) == (["completed"], said, mailed)


def test_a_moment_that_is_emptied_is_waited_for_until_somebody_says_one(office, begin):
    begin("""
      - {id: day, wait: {until: "{{ meeting.due }}"}}
      - log_history: Due
    """)
    assert (office.states(), dues(office)) == (["waiting"], [None])
    office.work(later=30 * DAY)
    assert office.states() == ["waiting"]

    office.change("meeting", due=office.clock.now() + HOUR)
    office.work()
    assert dues(office) == [office.clock.now() + HOUR]
    office.change("meeting", due=None)
    office.work(later=2 * HOUR)
    assert (office.states(), dues(office)) == (["waiting"], [None])
    office.change("meeting", due=office.clock.now())
    office.work()

    assert texts(office) == ["Due"]


def test_who_waits_ends_when_the_record_that_it_is_about_is_deleted(office, begin):
    begin(REMIND % "run")

    office.delete("meeting")
    office.work()

    (instance,) = office.instances()
    assert (instance.state, instance.result) == ("cancelled", "a record it was about is gone")
    assert waits(office) == []


def test_one_that_waits_for_a_while_ends_too_when_its_record_is_deleted(office, begin):
    begin("      - {id: pause, wait: 30 days}\n      - log_history: Never\n")

    office.delete("meeting")
    office.work()

    assert office.states() == ["cancelled"]


def test_many_wait_for_one_record_and_all_move(office, begin):
    office.nothing_new()
    plan = office.deploy(HEAD % "parallel" + REMIND % "run")
    meeting = office.known["meeting"]
    for _ in range(30):
        start_by_hand(office.ports, plan, {"meeting": meeting}, actor=ANNA)
    office.work()

    office.change("meeting", start=NOON + 9 * DAY)
    office.work()

    assert dues(office) == [NOON + 8 * DAY] * 30


# --- modes


def test_a_restart_forgets_what_the_one_before_waited_for(office, begin, meeting):
    begin(REMIND % "run", "restart")
    start_by_hand(office.ports, office.plans["p"], {"meeting": meeting}, actor=ANNA)
    office.work()

    assert (office.states(), len(waits(office))) == (["cancelled", "waiting"], 1)
    office.work(later=3 * DAY)
    assert office.subjects() == ["Reminder"]


def test_one_that_waits_keeps_its_key(office, begin, meeting):
    begin(REMIND % "run", "single")

    assert start_by_hand(office.ports, office.plans["p"], {"meeting": meeting}, actor=ANNA) is None


# --- mails that are held back


def hello(more):
    return f"""
      - id: hello
        send_email: {{to: "{{{{ meeting.contact }}}}", subject: "{{{{ meeting.subject }}}}", text: Hello, {more}}}
      - log_history: "After {{{{ outputs.hello.state }}}}"
    """


def test_undo_holds_a_mail_back_and_its_step_is_done_when_it_was_sent(office, begin):
    begin(hello("undo: 60s"))
    assert (mail_states(office), office.states(), dues(office)) == (
        ["held"],
        ["waiting"],
        [NOON + timedelta(minutes=1)],
    )
    assert texts(office) == [], "it is not said before it is so"

    office.work(later=timedelta(seconds=61))

    assert (office.subjects(), mail_states(office), office.states()) == (["Talk"], ["sent"], ["completed"])
    assert texts(office) == ["E-mail “Talk” to Ann Smith", "After sent"]


def test_a_mail_that_was_held_back_is_written_anew(office, begin):
    """What it says is so when it goes, and who it is to; it is the same mail all the same."""
    begin(hello("undo: 1h"))
    (before,) = mails(office)
    office.given("eve", "contact", name="Eve", email="eve@acme.example")
    office.change("meeting", subject="Another talk", contact="eve")

    office.work(later=HOUR)

    (mail,) = office.post.mails
    (after,) = mails(office)
    assert (mail.subject, mail.recipients) == ("Another talk", ("eve@acme.example",))
    assert (after.message_id, after.id) == (before.message_id, before.id)


@pytest.mark.parametrize("put_back", [False, True])
def test_a_mail_goes_only_if_what_it_says_is_still_so(office, begin, put_back):
    office.change("meeting", status="cancelled")
    begin(hello("undo: 1h, still: meeting.status == 'cancelled'"))
    if put_back:
        office.change("meeting", status="planned")

    office.work(later=HOUR)

    assert office.subjects() == ([] if put_back else ["Talk"])
    assert mail_states(office) == ["withdrawn" if put_back else "sent"]
    assert texts(office)[-1] == f"After {'withdrawn' if put_back else 'sent'}"


def test_the_steps_own_condition_is_asked_again(office, begin):
    begin("""
      - id: hello
        if: meeting.status == 'planned'
        send_email: {to: "{{ meeting.contact }}", subject: Talk, text: Hello, undo: 1h}
    """)
    office.change("meeting", status="cancelled")

    office.work(later=HOUR)

    assert (office.subjects(), mail_states(office), office.states()) == ([], ["withdrawn"], ["completed"])


def test_a_restart_withdraws_what_the_one_before_held_back(office, begin, meeting):
    begin(hello("undo: 1h"), "restart")
    start_by_hand(office.ports, office.plans["p"], {"meeting": meeting}, actor=ANNA)
    office.work()
    office.work(later=2 * HOUR)

    assert (office.subjects(), mail_states(office)) == (["Talk"], ["cancelled", "sent"])


def test_a_held_mail_of_a_record_that_is_gone_goes_nowhere(office, begin):
    begin(hello("undo: 1h"))
    office.delete("meeting")

    office.work(later=HOUR)

    assert (office.subjects(), mail_states(office), office.states()) == ([], ["withdrawn"], ["cancelled"])


def settle(office, state, **more):
    """As a person does by `procession email`."""
    (mail,) = mails(office)
    with office.ports.store.unit() as unit:
        unit.outbox.settle(mail.id, state, office.clock.now(), **more)
        unit.journal.wake(mail.instance, mail.path, mail.round, office.clock.now(), hasten=True)
        unit.commit()


def test_a_held_mail_that_a_person_cancels_is_not_sent_and_its_process_goes_on(office, begin):
    begin(hello("undo: 1h"))
    settle(office, "cancelled")
    office.work()

    assert (office.subjects(), mail_states(office), office.states()) == ([], ["cancelled"], ["completed"])
    assert texts(office)[-1] == "After cancelled"


def test_a_held_mail_that_was_cancelled_long_ago_is_not_sent_when_it_falls_due(office, begin):
    begin(hello("undo: 1h"))
    (mail,) = mails(office)
    with office.ports.store.unit() as unit:
        unit.outbox.settle(mail.id, "cancelled", office.clock.now())
        unit.commit()

    office.work(later=HOUR)

    assert (office.subjects(), office.states()) == ([], ["completed"])


def test_a_mail_that_was_held_back_is_tried_again_while_the_server_puts_it_off(office, begin):
    begin(hello("undo: 1h"))
    office.post.refuse_next("451 later", times=3)
    for _ in range(8):
        office.work(later=HOUR)

    assert (office.subjects(), office.states()) == (["Talk"], ["completed"])


def test_a_mail_that_was_held_back_and_refused_is_handled(office, begin):
    begin(
        """
      - id: hello
        send_email: {to: "{{ meeting.contact }}", subject: Talk, text: Hello, undo: 1h}
        on_error: [{log_history: "Refused"}]
    """
    )
    office.post.refuse_next("550 nobody")

    office.work(later=HOUR)

    assert (texts(office)[-1], mail_states(office), office.states()) == ("Refused", ["failed"], ["completed"])


def test_one_that_cannot_be_written_any_more_is_an_incident_and_is_withdrawn_if_that_is_handled(
    office, begin
):
    begin(
        """
      - id: hello
        send_email: {to: "{{ meeting.contact }}", subject: Talk, text: Hello, undo: 1h}
        on_error: [{log_history: "Nobody to write to"}]
    """
    )
    office.change("meeting", contact=None)

    office.work(later=HOUR)

    assert (texts(office)[-1], mail_states(office)) == ("Nobody to write to", ["withdrawn"])


# --- windows


@pytest.mark.parametrize(
    ("window", "zone", "now", "goes"),
    [
        ("office_hours", "UTC", datetime(2026, 3, 2, 12, tzinfo=UTC), datetime(2026, 3, 2, 12, tzinfo=UTC)),
        ("office_hours", "UTC", datetime(2026, 3, 2, 18, tzinfo=UTC), datetime(2026, 3, 3, 8, tzinfo=UTC)),
        ("office_hours", "UTC", datetime(2026, 3, 6, 18, tzinfo=UTC), datetime(2026, 3, 9, 8, tzinfo=UTC)),
        ("office_hours", "America/New_York", datetime(2026, 3, 2, 12, tzinfo=UTC), datetime(2026, 3, 2, 13, tzinfo=UTC)),
        ("office_hours", "Europe/Berlin", datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 30, 6, tzinfo=UTC)),
        ('{days: [sun], from: "02:30", to: "04:00"}', "Europe/Berlin", datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_a_mail_goes_in_its_window_on_the_clock_of_who_it_is_to(office, begin, window, zone, now, goes):
    office.clock.at = now
    office.change("ann", timezone=zone)
    begin(hello(f"send_window: {window}"))
    assert office.subjects() == (["Talk"] if goes == now else [])
    if goes != now:
        assert dues(office) == [goes]
        office.work(later=goes - now - timedelta(seconds=1))
        assert office.subjects() == []
        office.work(later=timedelta(seconds=1))

    assert (office.subjects(), office.states()) == (["Talk"], ["completed"])


def test_a_window_that_closed_while_no_engine_ran_is_waited_for_again(office, begin):
    office.change("ann", timezone="UTC")
    office.clock.at = datetime(2026, 3, 2, 19, tzinfo=UTC)
    begin(hello("send_window: office_hours, undo: 1h"))

    office.work(later=timedelta(hours=23, minutes=30))

    assert (office.subjects(), dues(office), mail_states(office)) == (
        [],
        [datetime(2026, 3, 4, 8, tzinfo=UTC)],
        ["held"],
    )
    office.work(later=timedelta(hours=14))
    assert office.subjects() == ["Talk"]


def test_undo_is_not_waited_for_twice(office, begin):
    begin(hello("undo: 1h"))
    office.post.refuse_next("451 later")
    office.work(later=HOUR)
    assert mail_states(office) == ["queued"]

    office.work(later=timedelta(minutes=2))

    assert office.subjects() == ["Talk"]


# --- what was found when it was read


def test_a_record_that_is_moved_while_its_instance_is_laid_down_wakes_it(office, begin):
    """The worker has read the old date, the planner dispatches the change, and then the wait is kept."""
    moved = []

    def move():
        if not moved:
            moved.append(1)
            office.change("meeting", start=NOON + 2 * DAY)
            another = office.engine()
            another.planner.plan(another._glance())

    office.nothing_new()
    plan = office.deploy(HEAD % "parallel" + REMIND % "run")
    decide = plan.steps[0].kind.decide

    def decides(fields, context):
        move()
        return decide(fields, context)

    object.__setattr__(plan.steps[0].kind, "decide", decides)
    try:
        start_by_hand(office.ports, plan, {"meeting": office.known["meeting"]}, actor=ANNA)
        office.work()
    finally:
        object.__setattr__(plan.steps[0].kind, "decide", decide)

    assert (moved, dues(office)) == ([1], [NOON + DAY])


def test_a_change_after_the_planner_has_looked_wakes_what_is_kept_meanwhile(office, begin):
    """The planner's glance is from before there was anything to wake."""
    office.nothing_new()
    plan = office.deploy(HEAD % "parallel" + REMIND % "run")
    start_by_hand(office.ports, plan, {"meeting": office.known["meeting"]}, actor=ANNA)
    engine = office.engine()
    glance = replace(engine._glance(), pending=True)
    engine._work(Glance(ready=True))
    office.change("meeting", start=NOON + 2 * DAY)
    engine.planner.plan(replace(glance, planner=engine._glance().planner, epoch=engine._glance().epoch))

    office.work()

    assert dues(office) == [NOON + DAY]


@pytest.mark.parametrize("span", ["3 hours", "{{ meeting.end - meeting.start }}"])
def test_a_while_is_as_long_as_it_was_when_it_began(office, begin, span):
    office.change("meeting", end=NOON + 4 * DAY + 3 * HOUR)
    begin(f"""
      - {{id: pause, wait: {{for: "{span}"}}}}
      - log_history: Later
    """)
    office.change("meeting", start=NOON + 4 * DAY + HOUR)
    office.work(later=HOUR)
    assert (texts(office), dues(office)) == ([], [NOON + 3 * HOUR])

    office.work(later=2 * HOUR)

    assert texts(office) == ["Later"]


def test_a_held_mail_that_could_not_be_written_goes_out_when_that_is_mended(office, begin):
    begin(hello("undo: 1h"))
    office.change("ann", email="")
    office.work(later=HOUR)
    assert (office.states(), mail_states(office)) == (["incident"], ["held"])

    office.change("ann", email="ann@acme.example")
    with office.ports.store.unit() as unit:
        unit.journal.resume(1, office.clock.now())
        unit.commit()
    office.work()

    assert (office.subjects(), office.states(), mail_states(office)) == (["Talk"], ["completed"], ["sent"])


def test_a_mail_that_was_put_off_does_not_leave_outside_its_window(office, begin):
    office.change("ann", timezone="UTC")
    office.clock.at = datetime(2026, 3, 2, 17, 59, 50, tzinfo=UTC)
    office.post.refuse_next("451 later")
    begin(RETRIED_IN_A_WINDOW)
    office.work(later=timedelta(minutes=10))
    assert (office.subjects(), mail_states(office), dues(office)) == (
        [], ["held"], [datetime(2026, 3, 3, 8, tzinfo=UTC)],
    )  # fmt: skip

    office.work(later=timedelta(hours=14))

    assert (office.subjects(), office.states()) == (["Talk"], ["completed"])


def test_a_mail_that_was_put_off_is_withdrawn_when_its_step_has_no_more_use_for_it(office, begin):
    begin(hello("undo: 1h, still: meeting.status == 'planned'"))
    office.post.refuse_next("451 later")
    office.work(later=HOUR)
    assert mail_states(office) == ["queued"]

    office.change("meeting", status="cancelled")
    office.work(later=HOUR)

    assert (office.subjects(), mail_states(office), office.states()) == ([], ["withdrawn"], ["completed"])


def test_a_mail_that_was_put_off_goes_nowhere_when_its_record_is_deleted(office, begin):
    begin(RETRIED_IN_A_WINDOW.replace(", send_window: office_hours", ""))
    office.nothing_new()
    office.post.refuse_next("451 later")
    start_by_hand(office.ports, office.plans["p"], {"meeting": office.known["meeting"]}, actor=ANNA)
    office.work()
    office.delete("meeting")

    office.work(later=HOUR)

    assert mail_states(office)[1] in ("withdrawn", "cancelled")
    assert office.states()[1] == "cancelled"


def test_history_tells_of_the_mail_that_went_out_and_of_no_other(office, begin):
    begin(hello("undo: 1h"))
    office.given("eve", "contact", name="Eve", email="eve@acme.example")
    office.change("meeting", subject="Another talk", contact="eve")
    office.work(later=HOUR)

    said = "E-mail “Another talk” to Eve"
    assert [row.text for row in office.history("eve")] == [said]
    assert [row.text for row in office.history("ann") if "E-mail" in row.text] == []
    assert texts(office)[0] == said


def test_a_person_who_sends_a_mail_that_waits_for_its_window_lets_its_process_go_on(office, begin):
    office.change("ann", timezone="UTC")
    office.clock.at = datetime(2026, 3, 2, 19, tzinfo=UTC)
    begin(hello("send_window: office_hours"))
    (mail,) = mails(office)
    with office.ports.store.unit() as unit:
        unit.journal.wake(mail.instance, mail.path, mail.round, office.clock.now(), hasten=True)
        unit.commit()
    office.work()

    assert (office.subjects(), office.states()) == (["Talk"], ["completed"])


def test_a_person_who_cancels_a_mail_that_waits_for_its_window_lets_its_process_go_on(office, begin):
    office.change("ann", timezone="UTC")
    office.clock.at = datetime(2026, 3, 2, 19, tzinfo=UTC)
    begin(hello("send_window: office_hours"))
    settle(office, "cancelled")
    office.work()

    assert (office.subjects(), office.states()) == ([], ["completed"])


def test_a_mail_that_a_person_cancelled_between_two_tries_is_not_sent(office, begin):
    office.post.refuse_next("451 later")
    begin(RETRIED_IN_A_WINDOW.replace(", send_window: office_hours", ""))
    (mail,) = mails(office)
    with office.ports.store.unit() as unit:
        unit.outbox.settle(mail.id, "cancelled", office.clock.now())
        unit.commit()

    office.work(later=HOUR)

    assert (office.subjects(), office.states()) == ([], ["completed"])


@pytest.mark.parametrize("until", ["{{ meeting.start - duration('1 day') }}", "{{ meeting.start }}"])
def test_an_emptied_date_is_waited_for_whatever_is_computed_from_it(office, begin, until):
    begin(f"""
      - {{id: day, wait: {{until: "{until}", if_past: run}}}}
      - log_history: Then
    """)
    office.change("meeting", start=None)
    office.work()
    assert (office.states(), dues(office)) == (["waiting"], [None])

    office.change("meeting", start=NOON + 2 * DAY)
    office.work(later=2 * DAY)

    assert texts(office) == ["Then"]


def test_a_text_that_says_how_long_is_no_moment_to_wait_until(office, begin):
    office.change("bob", phone="2 days")
    begin("""
      - {id: day, wait: {until: "{{ meeting.owner.phone }}"}}
    """)

    (instance,) = office.instances()
    assert (instance.state, instance.error["message"]) == ("incident", "'until' is a while, not a moment")


def test_the_zone_of_the_process_moves_a_wait_for_a_day(office, begin):
    office.change("deal", close_date=date(2026, 3, 6))
    text = "      - {id: day, wait: {until: '{{ meeting.opportunity.close_date }}'}}\n"
    plan = office.deploy(
        (HEAD % "parallel").replace("    steps:", '    timezone: "{{ meeting.owner.timezone }}"\n    steps:')
        + text
    )
    start_by_hand(office.ports, plan, {"meeting": office.known["meeting"]}, actor=ANNA)
    office.work()
    assert dues(office) == [datetime(2026, 3, 5, 23, tzinfo=UTC)]

    office.change("bob", timezone="Asia/Tokyo")
    office.work()

    assert dues(office) == [datetime(2026, 3, 5, 15, tzinfo=UTC)]


def test_a_field_that_follows_from_another_one_moves_a_wait(office, begin):
    begin("""
      - id: day
        wait: {until: "{{ meeting.start if meeting.opportunity.is_open else moment('2026-03-03 12:00') }}"}
    """)
    office.change("deal", stage="lost")
    office.work()

    assert dues(office) == [NOON + DAY]


@pytest.mark.parametrize(
    ("if_past", "said"),
    [("run", ["Then", "After"]), ("skip", ["Then", "After"]), ("end_branch", ["Then", "After"])],
)
def test_a_moment_that_comes_in_time_is_not_past(office, begin, if_past, said):
    begin(f"""
      - {{id: day, wait: {{until: "{{{{ meeting.start }}}}", if_past: {if_past}}}}}
      - log_history: Then
      - log_history: After
    """)
    office.work(later=4 * DAY)

    assert texts(office) == said


def test_what_was_done_about_a_past_moment_is_told(office, begin):
    office.change("meeting", start=NOON + HOUR)
    begin(REMIND % "end_branch")

    with office.ports.store.unit(write=False) as unit:
        (row,) = unit.journal.steps([1])[1]
    assert row.output["out"]["if_past"] == "end_branch"


def test_a_database_that_was_put_back_forgets_no_move_that_was_not_dispatched(office, begin):
    begin(REMIND % "run")
    office.change("meeting", start=NOON + 2 * DAY)
    with office.ports.store.unit() as unit:
        restoring._forget_events(unit, 10**9, office.clock.now(), office.ports.store.schema)
        unit.commit()

    office.work()

    assert dues(office) == [NOON + DAY]


def test_a_person_hastens_one_mail_and_not_the_next_one(office, begin):
    begin(
        hello("undo: 1h")
        + hello("undo: 2h").replace("id: hello", "id: second").replace("outputs.hello", "outputs.second")
    )
    (mail,) = mails(office)
    with office.ports.store.unit() as unit:
        unit.journal.wake(mail.instance, mail.path, mail.round, office.clock.now(), hasten=True)
        unit.commit()
    office.work()

    assert (office.subjects(), mail_states(office), dues(office)) == (
        ["Talk"],
        ["sent", "held"],
        [NOON + 2 * HOUR],
    )


def test_two_waits_one_after_the_other_each_take_their_time(office, begin):
    begin("""
      - {id: one, wait: 1 hour}
      - {id: two, wait: 2 hours}
      - {id: three, wait: {until: "2026-03-02T15:00+00:00", if_past: end_branch}}
      - log_history: Then
    """)
    office.work(later=HOUR)
    assert [(wait.path, wait.since, wait.due) for wait in waits(office)] == [
        ("two", NOON + HOUR, NOON + 3 * HOUR)
    ]
    office.work(later=2 * HOUR)

    assert (texts(office), office.states()) == ([], ["completed"])


def test_a_mail_that_waited_out_an_incident_is_withdrawn_if_it_is_not_wanted_then(office, begin):
    begin(hello("undo: 1h, still: meeting.status == 'planned'"))
    office.change("ann", email="")
    office.work(later=HOUR)
    assert (office.states(), mail_states(office)) == (["incident"], ["held"])

    office.change("meeting", status="cancelled")
    with office.ports.store.unit() as unit:
        unit.journal.resume(1, office.clock.now())
        unit.commit()
    office.work()

    assert (office.subjects(), mail_states(office), office.states()) == ([], ["withdrawn"], ["completed"])
    assert waits(office) == []


# --- what was found when it was read again


def test_one_change_wakes_each_wait_once_though_there_are_many(office, begin, monkeypatch):
    """Those that were laid down anew meanwhile know of it, and the event is dispatched in the end."""
    monkeypatch.setattr("procession.waking.MOST_WOKEN", 5)
    office.nothing_new()
    plan = office.deploy(HEAD % "parallel" + REMIND % "run")
    for _ in range(10):
        start_by_hand(office.ports, plan, {"meeting": office.known["meeting"]}, actor=ANNA)
    office.work()

    office.change("meeting", start=NOON + 9 * DAY)
    engine = office.engine()
    for _ in range(20):
        engine.tick()

    assert not engine._glance().pending
    assert dues(office) == [NOON + 8 * DAY] * 10
    assert {instance.fencing_token for instance in office.instances()} == {2}


def test_a_mail_that_was_queued_before_an_incident_is_withdrawn_if_it_is_not_wanted_then(office, begin):
    """Its step waits for nothing, and has a mail all the same."""
    office.ports = replace(office.ports, mail_out=Wrong())
    begin("""
      - id: hello
        if: meeting.status == 'planned'
        send_email: {to: "{{ meeting.contact }}", subject: Talk, text: Hello}
    """)
    assert (office.states(), mail_states(office)) == (["incident"], ["queued"])

    office.change("meeting", status="cancelled")
    with office.ports.store.unit() as unit:
        unit.journal.resume(1, office.clock.now())
        unit.commit()
    office.work()

    assert (mail_states(office), office.states()) == (["withdrawn"], ["completed"])


class Wrong:
    connections = 1

    def send(self, *_mail):
        raise ConfigurationError("the mail server does not know this user or password")

    def close(self) -> None: ...


def test_a_mail_of_an_engine_that_died_before_it_handed_it_over_is_withdrawn_if_it_is_not_wanted_then(
    office, begin
):
    office.nothing_new()
    plan = office.deploy(
        HEAD % "parallel"
        + """
      - id: hello
        if: meeting.status == 'planned'
        send_email: {to: "{{ meeting.contact }}", subject: Talk, text: Hello}
    """
    )
    for _ in range(2):
        start_by_hand(office.ports, plan, {"meeting": office.known["meeting"]}, actor=ANNA)
    gone = office.elsewhere("gone", mail_out=Dies())
    with pytest.raises(KeyboardInterrupt):
        advance(plan, claim(gone, 2), gone)
    office.dead(gone)
    office.change("meeting", status="cancelled")

    office.work()

    assert sorted(mail_states(office)) == ["unknown", "withdrawn"]


class Dies(Wrong):
    def send(self, *_mail):
        raise KeyboardInterrupt


def test_a_mail_that_a_person_sends_now_is_tried_again_outside_its_window_too(office, begin):
    office.change("ann", timezone="UTC")
    office.clock.at = datetime(2026, 3, 2, 19, tzinfo=UTC)
    begin(hello("send_window: office_hours"))
    office.post.refuse_next("451 later")
    (mail,) = mails(office)
    with office.ports.store.unit() as unit:
        unit.journal.wake(mail.instance, mail.path, mail.round, office.clock.now(), hasten=True)
        unit.commit()
    office.work()
    assert mail_states(office) == ["queued"]

    office.work(later=timedelta(minutes=10))

    assert (office.subjects(), office.states()) == (["Talk"], ["completed"])


def test_history_tells_once_of_a_mail_that_was_put_off_and_then_held_back(office, begin):
    office.change("ann", timezone="UTC")
    office.clock.at = datetime(2026, 3, 2, 17, 59, 50, tzinfo=UTC)
    office.post.refuse_next("451 later")
    begin(RETRIED_IN_A_WINDOW)
    office.work(later=timedelta(minutes=10))
    office.work(later=timedelta(hours=14))

    assert (office.subjects(), texts(office)) == (["Talk"], ["E-mail “Talk” to Ann Smith"])
