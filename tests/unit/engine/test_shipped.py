"""What a contact holds in the end, when the shipped processes have told of a meeting's life."""

from datetime import timedelta
from email import message_from_bytes
from pathlib import Path

import pytest
from office import Office

from crm.schema import SCHEMA
from procession.compile import load
from procession.mail import Templates

SHIPPED = Path(__file__).parents[3]
OF_MEETINGS = ("notify_contact_of_meeting", "notify_contact_of_cancelled_meeting")


@pytest.fixture
def shipped(office: Office) -> Office:
    plans = load(SHIPPED / "processes", Templates(SHIPPED / "templates"), SCHEMA, ())
    office.plans = {name: plans[name] for name in OF_MEETINGS}
    start = office.clock.now() + timedelta(days=3)
    office.given(
        "talk", "activity", type="task", category="meeting", subject="Talk", status="planned", start=start,
        end=start + timedelta(hours=1), contact="ann", opportunity="deal", owner="bob",
    )  # fmt: skip
    office.work()
    return office


def told(office: Office) -> list[str]:
    """METHOD of each calendar file, in the order in which the mails went out."""
    mails = [message_from_bytes(mail.data) for mail in office.post.mails]
    parts = [part for mail in mails for part in mail.walk() if part.get_content_type() == "text/calendar"]
    return [str(part.get_param("method")) for part in parts]


def test_a_meeting_that_was_put_back_stands_in_the_contacts_calendar(shipped: Office) -> None:
    shipped.clock.at += timedelta(minutes=1)
    shipped.change("talk", status="cancelled")
    shipped.work()
    shipped.clock.at += timedelta(minutes=1)
    shipped.change("talk", status="planned")
    shipped.work()

    shipped.work(later=timedelta(hours=1))

    assert told(shipped) == ["REQUEST", "CANCEL", "REQUEST"]
