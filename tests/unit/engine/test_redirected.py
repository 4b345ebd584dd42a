"""A test system: nothing reaches anybody but the one address, whenever a mail was queued."""

from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes

import pytest
from office import ANNA, Office

from procession.dispatch import start_by_hand
from procession.transports.redirected import RedirectedMailOut

TESTS = "tests@us.example"
INVITE = """
    process: invite
    inputs: {m: {type: record, of: activity}}
    triggers: [{manual: {on: activity}}]
    history: {on: "{{ m.contact }}"}
    steps:
      - notify: {to: Bob, text: Invited}
      - id: invitation
        send_email:
          to: "{{ m.contact }}"
          cc: "eve@acme.example"
          bcc: "{{ m.owner }}"
          subject: Talk
          text: Come
          attach: [{invitation: "{{ m }}"}]
          %s
"""


def invite(office: Office, more: str = "") -> None:
    plan = office.deploy(INVITE % more)
    if "talk" not in office.known:
        office.given(
            "talk", "activity", type="task", category="meeting", subject="Talk", start=office.clock.now(),
            contact="ann", owner="bob",
        )  # fmt: skip
        office.nothing_new()
    start_by_hand(office.ports, plan, {"m": office.known["talk"]}, actor=ANNA)


def redirect(office: Office, to: str) -> None:
    """As the application puts it together when the setting is made, or made empty again."""
    mail_out = RedirectedMailOut(office.post, to) if to else office.post
    office.ports = replace(office.ports, mail_out=mail_out, redirect_all_to=to)


def reached(office: Office) -> set[str]:
    return {address for mail in office.post.mails for address in mail.recipients}


def whole(office: Office) -> str:
    return "\n".join(
        str(
            part.get_payload(decode=True)
            if part.get_content_type() in ("text/calendar", "application/ics")
            else ""
        )
        + "".join(f"{n}: {v}\n" for n, v in part.items() if not n.startswith("X-Original-"))
        for mail in office.post.mails
        for part in message_from_bytes(mail.data).walk()
    )


def test_every_mail_goes_to_the_one_address(office: Office) -> None:
    redirect(office, TESTS)

    invite(office)
    office.work()

    assert [mail.recipients for mail in office.post.mails] == [(TESTS,)] * 2
    assert "@acme.example" not in whole(office)
    with office.ports.store.unit(write=False) as unit:
        assert {mail.recipients for mail in unit.outbox.in_state(["sent"])} == {(TESTS,)}
    said = [row.text for row in office.history("ann")]
    assert f"E-mail “Talk” to Ann Smith, redirected to {TESTS}" in said


@pytest.mark.parametrize("more", ["undo: 1h", "send: draft"])
def test_a_mail_that_was_queued_before_the_setting_was_made_reaches_nobody_else(
    office: Office, more: str
) -> None:
    invite(office, more)
    office.work()
    redirect(office, TESTS)

    with office.ports.store.unit() as unit:
        for mail in unit.outbox.in_state(["draft"]):
            unit.outbox.settle(mail.id, "queued", office.clock.now(), not_before=office.clock.now())
        unit.commit()
    before = len(office.post.mails)
    office.work(later=timedelta(hours=2))

    assert before == 1  # to Bob, of our own
    assert [mail.recipients for mail in office.post.mails[1:]] == [(TESTS,)]
    sent = message_from_bytes(office.post.mails[1].data)
    assert sent["X-Original-To"] == "Ann Smith <ann@acme.example>"
    assert "@acme.example" not in whole(office)


def test_a_mail_that_was_queued_under_the_setting_never_reaches_those_it_is_for(office: Office) -> None:
    redirect(office, TESTS)
    office.queue_by_hand("ann@acme.example")
    redirect(office, "")

    office.work(later=timedelta(hours=2))

    assert reached(office) == {TESTS}


def test_a_mail_that_a_step_queues_again_goes_where_the_setting_says_then(office: Office) -> None:
    office.post.refuse_next("550 5.7.1 not today", times=2)  # and the notice to Bob, of our own
    invite(office)
    office.work()
    redirect(office, TESTS)

    with office.ports.store.unit() as unit:
        unit.journal.resume(1, office.clock.now())
        unit.commit()
    office.work()

    assert reached(office) == {TESTS}
    with office.ports.store.unit(write=False) as unit:
        assert {mail.recipients for mail in unit.outbox.in_state(["sent"])} == {(TESTS,)}


def test_what_cannot_be_redirected_goes_nowhere(office: Office) -> None:
    invite(office, "send: draft")
    office.work()
    with office.ports.store.unit() as unit:
        (queued,) = unit.outbox.envelopes([mail.id for mail in unit.outbox.in_state(["draft"])])
        unit.outbox.settle(queued.id, "queued", office.clock.now(), not_before=office.clock.now())
        unit.commit()
    damaged = queued.mime.replace(b"Encoding: base64", b"Encoding: 7bit")
    with office.ports.store._engine.begin() as connection:  # type: ignore[attr-defined]  # a real one
        connection.exec_driver_sql(
            "UPDATE email_source SET mime = ? WHERE activity_id = ?", (damaged, queued.id)
        )
    redirect(office, TESTS)
    before = len(office.post.mails)

    office.work(later=timedelta(hours=2))

    assert len(office.post.mails) == before
    with office.ports.store.unit(write=False) as unit:
        (failed,) = unit.outbox.in_state(["failed"])
    assert "cannot be redirected" in failed.error
