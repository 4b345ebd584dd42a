"""Mails of a test system: each goes to one address and says whom it was for; all else is as it would have been."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses

import mail_world as world
import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar, Event

from procession.effects import Attachment, Recipient, SendMail
from procession.errors import PermanentError
from procession.mail import compose, composed, invitation, recipients, redirected

TESTS = "tests@us.example"
ANN, BEA = Recipient("ann@acme.example", "Ann Becker"), Recipient("bea@acme.example", "Beä, the 2nd")
DAN = Recipient("dan@münchen.example")
ANNA = Recipient("anna@us.example", "Anna Berg")


def mail(*to: Recipient, **more) -> SendMail:
    content = {"subject": "Grüße an ann@acme.example", "text": "Dear Ann,\nCome.", "html": "<p>Come</p>"}
    return SendMail("<1@us.example>", ANNA, to, **{**content, **more})


def read(mime: bytes) -> EmailMessage:
    message = message_from_bytes(mime, policy=policy.SMTP)
    assert isinstance(message, EmailMessage)
    return message


def to_test(one: SendMail) -> EmailMessage:
    return read(redirected(compose(one, world.START), recipients(one), TESTS))


def test_it_goes_to_one_address_and_says_whom_it_was_for() -> None:
    found = to_test(mail(ANN, BEA, cc=(DAN,), bcc=(Recipient("eve@acme.example"),)))

    assert [(one.display_name, one.addr_spec) for one in found["To"].addresses] == [
        ("ann at acme.example and 3 more", TESTS)
    ]
    assert found["Cc"] is None
    assert found["X-Original-To"] == "Ann Becker <ann@acme.example>, Beä, the 2nd <bea@acme.example>"
    assert found["X-Original-Cc"] == "dan@xn--mnchen-3ya.example"
    assert found["X-Original-Bcc"] == "eve@acme.example"


def test_all_else_stays_as_it_is_byte_for_byte() -> None:
    one = mail(ANN, cc=(BEA,), attachments=(Attachment("a.pdf", "application/pdf", b"\x00\xff" * 99),))
    before = compose(one, world.START)

    after = redirected(before, recipients(one), TESTS)

    head, _, body = before.partition(b"\r\n\r\n")
    new_head, _, new_body = after.partition(b"\r\n\r\n")
    assert new_body == body
    names = {b"To", b"Cc", b"X-Original-To", b"X-Original-Cc"}
    kept = [line for line in head.split(b"\r\n") if line.partition(b":")[0] not in names]
    assert [line for line in new_head.split(b"\r\n") if line.partition(b":")[0] not in names] == kept


def test_nobody_who_is_invited_is_in_the_calendar_file() -> None:
    meeting = invitation(world.activity(), sender=ANNA, to=(ANN, BEA))

    found = to_test(mail(ANN, BEA, attachments=(meeting,)))

    (file,) = found.iter_attachments()
    *_, asked = next(found.iter_parts()).iter_parts()
    content = asked.get_payload(decode=True)
    assert file.get_payload(decode=True) == content
    assert isinstance(content, bytes)
    (event,) = Calendar.from_ical(content).walk("VEVENT")
    assert isinstance(event, Event)
    assert [str(one) for one in event["attendee"]] == [f"mailto:{TESTS}"] * 2
    assert [one.params["CN"] for one in event["attendee"]] == ["ann at acme.example", "bea at acme.example"]
    assert event["attendee"][0].params["RSVP"] == "TRUE"
    assert b"acme.example" not in content.replace(b"at acme.example", b"")
    assert (event["uid"], event["organizer"]) == (world.UID, "mailto:anna@us.example")
    assert b"TZID:Europe/Berlin" in content
    assert asked["Content-Type"].params["method"] == "REQUEST"


def test_nobody_is_in_any_of_several_calendar_files() -> None:
    meetings = [invitation(world.activity(), sender=ANNA, to=(one,)) for one in (ANN, BEA)]
    plain = Attachment("plain.ics", "text/calendar", meetings[0].content)

    found = to_test(mail(ANN, BEA, attachments=(*meetings, plain)))

    contents = [
        bytes(part.get_payload(decode=True) or b"")
        for part in found.walk()
        if part.get_content_type() in ("text/calendar", "application/ics")
    ]
    assert len(contents) == 4
    for content in contents:
        assert b"acme.example" not in content.replace(b"at acme.example", b"")


def test_a_mail_that_was_redirected_already_stays_as_it_is() -> None:
    one = mail(ANN, attachments=(invitation(world.activity(), sender=ANNA, to=(ANN,)),))
    once = composed(one, world.START, TESTS)

    assert redirected(once, [TESTS], TESTS) == once


def test_another_address_to_redirect_to_is_kept_apart_from_whom_it_was_for() -> None:
    one = mail(ANN, cc=(BEA,), attachments=(invitation(world.activity(), sender=ANNA, to=(ANN,)),))

    found = redirected(composed(one, world.START, TESTS), [TESTS], "others@us.example")

    assert TESTS.encode() not in found
    assert read(found)["X-Original-To"] == "Ann Becker <ann@acme.example>"
    assert read(found)["X-Original-Cc"] == "Beä, the 2nd <bea@acme.example>"


def test_a_mail_that_is_for_the_test_address_says_so_like_any_other() -> None:
    found = to_test(mail(Recipient(TESTS, "The testers")))

    assert found["X-Original-To"] == f"The testers <{TESTS}>"


def test_without_an_address_to_redirect_to_it_is_composed_as_ever() -> None:
    assert composed(mail(ANN), world.START, "") == compose(mail(ANN), world.START)


@pytest.mark.parametrize("content", [b"BEGIN:VCALENDAR\r\nnonsense", b"\xff\xfe"])
@pytest.mark.parametrize("method", ["", "REQUEST"])
def test_a_calendar_file_that_cannot_be_read_goes_nowhere(content: bytes, method: str) -> None:
    parameters = {"method": method} if method else {}
    broken = mail(ANN, attachments=(Attachment("x.ics", "text/calendar", content, parameters),))

    with pytest.raises(PermanentError, match="calendar file in this mail cannot be read"):
        to_test(broken)


NAMES = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
PEOPLE = st.builds(
    lambda local, name: Recipient(f"{local}@customers.example", name),
    st.from_regex(r"[a-z0-9+]{1,30}", fullmatch=True),
    NAMES,
)


@given(st.lists(PEOPLE, max_size=8), st.lists(PEOPLE, max_size=4), st.lists(PEOPLE, max_size=4), NAMES)
def test_no_header_that_a_mail_server_reads_names_a_customer(
    to: list[Recipient], cc: list[Recipient], bcc: list[Recipient], subject: str
) -> None:
    if not (to or cc or bcc):
        return
    found = to_test(mail(*to, cc=tuple(cc), bcc=tuple(bcc), subject=subject, attachments=()))

    assert [one.addr_spec for one in found["To"].addresses] == [TESTS]
    for name, value in found.raw_items():
        if not name.startswith("X-Original-") and name != "Subject":
            assert "@customers.example" not in " ".join(one for _, one in getaddresses([str(value)])), name
    for_whom = {str(v) for n in ("To", "Cc", "Bcc") if (v := found[f"X-Original-{n}"])}
    assert all(one.address in " ".join(for_whom) for one in (*to, *cc, *bcc))
    assert found.get_body(("plain",)) is not None
