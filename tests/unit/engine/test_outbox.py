"""Mails in every state they can be in when something happens: undo, drafts, notices, retries, cancelled processes, dead engines."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from engine_world import CrashingStore, Fuse
from office import ANNA
from typing_extensions import override

from procession.advance import advance
from procession.deliver import deliver
from procession.dispatch import start_by_hand
from procession.engine import claim
from procession.engines import Membership, this_process
from procession.errors import ConfigurationError
from procession.takeover import LONGEST_HAND_OVER, recover
from procession.unattended import NoSteps, deliver_due

HEAD = """
    process: p
    title: The process
    inputs: {deal: {type: record, of: opportunity}}
    triggers: [{manual: {on: opportunity}}]
    mode: parallel
    history: {on: "{{ deal }}"}
    steps:
      - id: hello
        send_email: {to: "{{ deal.contact }}", subject: Hello, text: Hello%s}
"""


def start(office, more="", *, count=1, retry=""):
    plan = office.deploy(HEAD % more + (f"        retry: {retry}\n" if retry else ""))
    for _ in range(count):
        start_by_hand(office.ports, plan, {"deal": office.known["deal"]}, actor=ANNA)
    return plan


def later(office, **more):
    """Mails that no step looks after, due in a minute."""
    office.queue_by_hand("ann@acme.example", **more)
    office.nothing_new()


def mails(office):
    with office.ports.store.unit(write=False) as unit:
        states = ["draft", "held", "queued", "sending", "sent", "failed", "unknown", "cancelled"]
        return unit.outbox.envelopes([mail.id for mail in unit.outbox.in_state(states)])


def states(office):
    return [mail.state for mail in mails(office)]


def settle(office, state, **options):
    (mail,) = mails(office)
    with office.ports.store.unit() as unit:
        changed = unit.outbox.settle(mail.id, state, office.clock.now(), **options)
        unit.commit()
    return changed


def take(office, engine):
    """Somebody takes the mails in hand, and is not heard of again."""
    with office.ports.store.unit() as unit:
        taken = unit.outbox.claim([mail.id for mail in mails(office)], engine, office.clock.now())
        unit.commit()
    return taken


def cancel(office, number):
    with office.ports.store.unit() as unit:
        unit.journal.ask_to_stop([number], "by anna", office.clock.now())
        unit.commit()


class Slow:
    """A mail server during whose work something happens."""

    def __init__(self, post, happens, connections=1):
        self.post, self.happens, self.connections = post, happens, connections

    def send(self, *mail):
        self.happens()
        return self.post.send(*mail)


# --- cancelled processes


def test_a_mail_that_waits_for_its_turn_is_not_sent_when_its_process_is_cancelled(office):
    plan = start(office, count=3)
    ports = replace(office.ports, mail_out=Slow(office.post, lambda: cancel(office, 3)))

    ends = advance(plan, claim(ports, 3), ports)

    assert len(office.post.mails) == 2
    assert states(office) == ["sent", "sent", "cancelled"]
    assert office.states() == ["completed", "completed", "cancelled"]
    assert [end.state for end in ends] == ["completed", "completed", "cancelled"]


def test_a_mail_that_is_on_the_wire_when_its_process_is_cancelled_is_sent_and_said_to_be(office):
    plan = start(office)
    ports = replace(office.ports, mail_out=Slow(office.post, lambda: cancel(office, 1)))

    advance(plan, claim(ports, 1), ports)

    assert (states(office), office.states()) == (["sent"], ["cancelled"])
    with office.ports.store.unit(write=False) as unit:
        (row,) = unit.journal.steps([1])[1]
    assert (row.path, row.state, row.output["out"]["state"]) == ("hello", "done", "sent")


def test_a_mail_put_off_by_the_server_while_its_process_is_cancelled_is_cancelled(office):
    plan = start(office, retry="transient")
    office.post.refuse_next("451 later")
    ports = replace(office.ports, mail_out=Slow(office.post, lambda: cancel(office, 1)))

    advance(plan, claim(ports, 1), ports)
    office.work(later=timedelta(hours=1))

    assert (states(office), office.states()) == (["cancelled"], ["cancelled"])
    assert office.post.mails == []


def test_a_retry_that_waits_is_cancelled_with_its_mail(office):
    start(office, retry="transient")
    office.post.refuse_next("451 later")
    office.work()
    assert (states(office), office.states()) == (["queued"], ["waiting"])

    cancel(office, 1)
    office.work(later=timedelta(hours=1))

    assert (states(office), office.post.mails) == (["cancelled"], [])


def test_a_mail_that_can_be_undone_is_cancelled_by_hand_and_not_sent(office):
    start(office, ", undo: 10 minutes")
    office.work()

    assert settle(office, "cancelled")
    office.work(later=timedelta(hours=1))

    assert (states(office), office.post.mails) == (["cancelled"], [])


# --- giving up


def test_a_mail_whose_step_gave_up_has_failed(office):
    start(office, retry="{max_attempts: 2, interval: 1m, on: [temporary]}")
    office.post.refuse_next("451 4.7.1 later", times=2)

    office.work()
    assert states(office) == ["queued"]
    office.work(later=timedelta(minutes=2))

    (mail,) = mails(office)
    assert office.states() == ["incident"]
    assert mail.state == "failed"
    assert "451 4.7.1 later" in mail.error


def test_a_mail_whose_step_gave_up_goes_out_when_the_incident_is_resumed(office):
    start(office)
    office.post.refuse_next("451 later")
    office.work()

    with office.ports.store.unit() as unit:
        unit.journal.resume(1, office.clock.now())
        unit.commit()
    office.work()

    assert (states(office), office.states(), office.subjects()) == (["sent"], ["completed"], ["Hello"])


def test_a_mail_that_nobody_looks_after_is_given_up_after_many_tries(office):
    later(office)
    office.post.refuse_next("451 later", times=100)

    for _ in range(20):
        office.work(later=timedelta(hours=1))

    (mail,) = mails(office)
    assert (mail.state, mail.attempts) == ("failed", 8)


def test_wrong_credentials_are_tried_once_for_many_mails_and_give_none_up(office):
    later(office, count=5)
    tries = []

    def refuse():
        tries.append(1)
        raise ConfigurationError("the mail server does not know this user or password")

    ports = replace(office.ports, mail_out=Slow(office.post, refuse))
    office.clock.sleep(timedelta(minutes=1))
    for _ in range(3):
        deliver_due(ports)
    assert (len(tries), states(office)) == (1, ["queued"] * 5)

    for _ in range(20):
        office.clock.sleep(timedelta(hours=3))
        deliver_due(ports)
    assert (len(tries), states(office)) == (21, ["queued"] * 5)
    office.work(later=timedelta(hours=3))

    assert states(office) == ["sent"] * 5


def test_a_bug_during_a_hand_over_leaves_its_outcome_to_a_person(office):
    plan = start(office, count=2)

    def fail():
        raise UnicodeError("nobody foresaw this")

    ports = replace(office.ports, mail_out=Slow(office.post, fail))
    failed = advance(plan, claim(ports, 2), ports)

    assert states(office) == ["unknown"] * 2
    line = fail.__code__.co_firstlineno + 1
    assert failed[0].error["message"] == (
        "the hand-over of a mail failed in a way nobody foresaw:"
        f" UnicodeError: nobody foresaw this (test_outbox.py:{line})"
    )


# --- engines that die or sleep


@pytest.mark.parametrize(("on_unknown", "state", "sent"), [("hold", "unknown", 0), ("resend", "sent", 1)])
def test_a_mail_of_a_step_whose_engine_died_is_held_or_sent_again(office, on_unknown, state, sent):
    """An engine on another machine: its beat stands still, and then the others find out."""
    plan = start(office, f", on_unknown: {on_unknown}")

    def die():
        raise KeyboardInterrupt

    elsewhere = office.elsewhere(mail_out=Slow(office.post, die))
    with pytest.raises(KeyboardInterrupt):
        advance(plan, claim(elsewhere, 1), elsewhere)
    office.work()
    assert (states(office), office.states()) == (["sending"], ["running"])

    office.dead(elsewhere)
    office.work()

    assert (states(office), len(office.post.mails)) == ([state], sent)
    assert office.states() == ["completed" if sent else "incident"]


def test_what_a_slow_engine_says_last_is_believed_if_the_mail_was_sent(office):
    plan = start(office)

    def be_taken_for_dead():
        office.dead(slow)
        office.work()
        assert (states(office), office.states()) == (["unknown"], ["incident"])

    slow = office.elsewhere(mail_out=Slow(office.post, be_taken_for_dead))
    advance(plan, claim(slow, 1), slow)
    assert (states(office), office.states()) == (["sent"], ["incident"])

    with office.ports.store.unit() as unit:
        unit.journal.resume(1, office.clock.now())
        unit.commit()
    office.work()
    assert (office.subjects(), office.states()) == (["Hello"], ["completed"])


def test_what_a_slow_engine_says_last_does_not_take_a_mail_out_of_other_hands(office):
    """Put off by the server, it would be queued again, and sent by two."""
    later(office, on_unknown="resend")
    office.clock.sleep(timedelta(minutes=1))

    another = office.elsewhere().engine.id

    def be_lost():
        office.dead(slow)
        recover(office.ports)
        assert take(office, another) == [mail.id]
        office.post.refuse_next("451 later")

    (mail,) = mails(office)
    slow = office.elsewhere(mail_out=Slow(office.post, be_lost))
    deliver([mail], slow, NoSteps())

    (mail,) = mails(office)
    assert (mail.state, mail.claimed_by) == ("sending", another)


@pytest.mark.parametrize(("on_unknown", "state"), [("hold", "unknown"), ("resend", "sent")])
def test_a_mail_that_nobody_looks_after_is_not_lost_with_an_engine_on_another_machine(
    office, on_unknown, state
):
    later(office, on_unknown=on_unknown)
    office.clock.sleep(timedelta(minutes=1))
    elsewhere = office.elsewhere()
    assert take(office, elsewhere.engine.id)

    office.work(later=2 * LONGEST_HAND_OVER)
    assert states(office) == ["sending"], "it lives, and knows best what it has in hand"
    office.dead(elsewhere)
    office.work()

    assert states(office) == [state]


def test_a_notice_to_colleagues_is_held_when_its_engine_dies(office):
    plan = office.deploy(
        (HEAD % "").split("      - id")[0] + "      - {id: tell, notify: {to: Bob, text: Look}}\n"
    )
    start_by_hand(office.ports, plan, {"deal": office.known["deal"]}, actor=ANNA)
    advance(plan, claim(office.ports, 1), office.ports)
    assert take(office, 77)

    (held,) = recover(office.ports)
    office.work()

    assert (held.state, states(office), office.states()) == ("unknown", ["unknown"], ["completed"])
    assert settle(office, "queued", not_before=office.clock.now())
    office.work()
    assert states(office) == ["sent"]


def test_a_draft_is_nobodys_loss(office):
    start(office, ", send: draft")
    office.work()

    assert take(office, 77) == []
    assert recover(office.ports) == []
    assert settle(office, "queued", not_before=office.clock.now())
    office.work()

    assert (states(office), office.subjects()) == (["sent"], ["Hello"])


# --- several at once


def test_two_engines_send_what_is_due_once(office):
    later(office, count=20)
    office.clock.sleep(timedelta(minutes=1))
    together = threading.Barrier(2)

    def send():
        ports = office.elsewhere(mail_out=Slow(office.post, lambda: None, connections=3))
        together.wait()
        while deliver_due(ports):
            pass

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert states(office) == ["sent"] * 20
    assert len({mail.message_id for mail in office.post.mails}) == len(office.post.mails) == 20


def test_a_mail_that_a_person_sends_by_hand_meanwhile_is_sent_once_and_its_step_goes_on(office):
    start(office, retry="transient")
    office.post.refuse_next("451 later")
    office.work()
    assert (states(office), office.states()) == (["queued"], ["waiting"])

    assert settle(office, "queued", not_before=office.clock.now())
    by_hand = office.elsewhere()
    deliver(mails(office), by_hand, NoSteps())
    office.work(later=timedelta(hours=1))

    assert (states(office), office.states(), office.subjects()) == (["sent"], ["completed"], ["Hello"])


def test_an_engine_that_takes_over_finds_the_instances_of_the_dead_ready_and_their_mails_held(office):
    start(office)
    gone = replace(this_process(), pid=2**22 + 1)
    dead = replace(office.ports, engine=Membership(office.ports.store, gone))
    with pytest.raises(KeyboardInterrupt):
        advance(office.plans["p"], claim(dead, 1), replace(dead, mail_out=Slow(office.post, interrupt)))

    office.work()

    assert (states(office), office.states()) == (["unknown"], ["incident"])


def interrupt():
    raise KeyboardInterrupt


class UnansweredOnce(Fuse):
    """The database is away right after the second commit, that of the outcome."""

    @override
    def instant(self) -> None:
        self.passed += 1
        if self.passed == 4:
            raise ConfigurationError("The database cannot be used: it is away.")


def test_a_mail_counts_once_though_its_outcome_was_written_twice(office):
    later(office)
    office.clock.at += timedelta(minutes=2)
    store = CrashingStore(office.ports.store, UnansweredOnce())

    assert deliver_due(replace(office.ports, store=store)) == 1
    assert len(office.post.mails) == 1
