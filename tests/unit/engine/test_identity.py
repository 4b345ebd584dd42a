"""What mails and meetings are called in the world outside: the Message-ID of a mail and the UID of a meeting are their
own, made once, and kept whatever happens then."""

from email import message_from_bytes
from pathlib import Path

import pytest
from icalendar import Calendar
from office import ANNA, Office
from sqlalchemy import text

from crm.store import CrmStore
from procession.cli.mails import written
from procession.dispatch import start_by_hand
from procession.ports import Envelope

GREET = """
    process: greet
    inputs: {c: {type: record, of: contact}}
    triggers: [{manual: {on: contact}}]
    steps:
      - id: hello
        send_email: {to: "{{ c }}", subject: "Hello {{ c.name }}", text: Hello}
      - id: again
        send_email: {to: "{{ c }}", subject: "Once more", text: Hello, reply_to: hello}
      - for_each:
          items: [1, 2]
          steps:
            - id: bye
              send_email: {to: "{{ c }}", subject: "Bye", text: Bye}
      - notify: {to: sales-ops, text: Greeted}
"""


INVITE = """
    process: invite
    inputs: {m: {type: record, of: activity}}
    triggers:
      - record: activity
        events: [added, modified]
        if: record.is_meeting
    mode: parallel
    steps:
      - id: invitation
        send_email:
          to: "{{ m.contact }}"
          from: "{{ m.owner }}"
          subject: "{{ m.subject }}"
          text: Hello
          attach: [{invitation: "{{ m }}"}]
"""


def greet(office: Office, text: str = GREET) -> None:
    plan = office.deploy(text)
    start_by_hand(office.ports, plan, {"c": office.known["ann"]}, actor=ANNA)
    office.work()


def other_office(folder: Path) -> Office:
    folder.mkdir()
    office = Office(folder)
    office.given("ann", "contact", name="Bea", email="bea@other.example")
    office.given("bob", "user", name="Bob", email="bob@us.example", team="sales-ops")
    office.nothing_new()
    return office


def outbox(office: Office) -> list[Envelope]:
    with office.ports.store.unit(write=False) as unit:
        found = unit.outbox.in_state(["draft", "queued", "sending", "sent", "failed", "unknown", "withdrawn"])
        return unit.outbox.envelopes([mail.id for mail in found])


def execute(office: Office, statement: str, **values: object) -> None:
    """As a restored database, or one of version 0.1, would have it."""
    store = office.ports.store
    assert isinstance(store, CrmStore)
    with store._engine.begin() as connection:
        connection.execute(text(statement), values)
    store._identity = None


def test_two_databases_of_one_domain_never_make_equal_message_ids(office: Office, tmp_path: Path) -> None:
    other = other_office(tmp_path / "other")

    greet(office)
    greet(other)

    ids = [mail.message_id for mail in (*office.post.mails, *other.post.mails)]
    assert [instance.id for instance in office.instances()] == [instance.id for instance in other.instances()]
    assert len(set(ids)) == len(ids) == 10


@pytest.mark.parametrize("state", ["failed", "withdrawn"])
@pytest.mark.parametrize("before", ["", "<0123456789abcdef@of-version-0-1.example>"])
def test_a_mail_that_a_step_queues_again_keeps_the_message_id_that_it_got_first(
    office: Office, state: str, before: str
) -> None:
    office.post.refuse_next("550 5.7.1 not today")
    greet(office)
    (refused,) = outbox(office)
    execute(office, "UPDATE email_message SET state = :state", state=state)
    if before:
        execute(office, "UPDATE email_message SET message_id = :before", before=before)
    execute(office, "UPDATE installation SET incarnation = 'another'")

    with office.ports.store.unit() as unit:
        unit.journal.resume(1, office.clock.now())
        unit.commit()
    office.work()

    sent = office.post.mails[0]
    assert sent.message_id == outbox(office)[0].message_id == (before or refused.message_id)
    answer = message_from_bytes(office.post.mails[1].data)
    assert answer["In-Reply-To"] == sent.message_id
    assert office.states() == ["completed"]


def test_a_mail_of_unknown_fate_that_a_person_sends_again_is_the_same_mail(office: Office) -> None:
    office.post.drop_next(accepted=False)
    greet(office)
    (unknown,) = outbox(office)
    execute(office, "UPDATE installation SET incarnation = 'another'")

    with office.ports.store.unit() as unit:
        assert unit.outbox.settle(unknown.id, "queued", office.clock.now())
        unit.journal.resume(1, office.clock.now())
        unit.commit()
    office.work()

    assert (
        office.post.mails[0].message_id == unknown.message_id == written(unknown.mime).headers["Message-ID"]
    )
    assert office.post.mails[0].data == unknown.mime


def test_new_mails_of_another_incarnation_have_other_message_ids(office: Office) -> None:
    greet(office)
    before = {mail.message_id for mail in outbox(office)}
    for table in ("email_message", "activity", "instance", "event"):
        execute(office, f"DELETE FROM {table}")
        execute(office, "DELETE FROM sqlite_sequence WHERE name = :table", table=table)
    execute(office, "UPDATE installation SET incarnation = 'another'")

    greet(office)

    assert [instance.id for instance in office.instances()] == [1]
    assert len(outbox(office)) == 5
    assert not before & {mail.message_id for mail in outbox(office)}


def uids(office: Office) -> list[str]:
    calendars = [
        part.get_payload(decode=True)
        for mail in office.post.mails
        for part in message_from_bytes(mail.data).walk()
        if part.get_content_type() == "text/calendar"
    ]
    return [str(found["uid"]) for each in calendars for found in Calendar.from_ical(each).walk("VEVENT")]


def given_a_meeting(office: Office) -> None:
    office.given("eve", "user", name="Eve", email="eve@uk.example")
    office.given(
        "talk", "activity", type="task", category="meeting", subject="Talk", start=office.clock.now(), contact="ann",
        owner="bob",
    )  # fmt: skip


def test_a_meeting_keeps_its_uid_when_another_owner_sends_it_from_another_domain(office: Office) -> None:
    office.deploy(INVITE)
    given_a_meeting(office)
    office.work()

    office.change("talk", owner="eve", subject="Talk at Eve's")
    office.work()
    office.change("talk", status="cancelled")
    office.work()

    assert [mail.sender for mail in office.post.mails] == ["bob@us.example", *["eve@uk.example"] * 2]
    assert len(uids(office)) == 3
    assert len(set(uids(office))) == 1


def test_meetings_of_two_databases_have_other_uids_though_they_have_the_same_number(
    office: Office, tmp_path: Path
) -> None:
    other = other_office(tmp_path / "other")
    for one in (office, other):
        one.deploy(INVITE)
        given_a_meeting(one)
        one.work()

    assert office.known["talk"] == other.known["talk"]
    assert len({*uids(office), *uids(other)}) == 2
