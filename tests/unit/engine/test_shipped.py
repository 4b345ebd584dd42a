"""What a contact holds in the end, when the shipped processes have told of a meeting's life."""

from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from office import ANNA, Office

from crm.schema import SCHEMA
from procession.compile import load
from procession.dispatch import start_by_hand
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


# --- the reminder


@pytest.fixture
def reminded(shipped: Office) -> Office:
    """A meeting in three days, at one o'clock in Berlin, of which its contact is to be reminded."""
    plans = load(SHIPPED / "processes", Templates(SHIPPED / "templates"), SCHEMA, ())
    shipped.plans = {}
    shipped.change("talk", start=None, end=None)
    shipped.work()
    shipped.post.mails.clear()
    shipped.plans = {"remind_of_meeting": plans["remind_of_meeting"]}
    shipped.change("talk", start=shipped.clock.now() + timedelta(days=3))
    shipped.work()
    return shipped


def reminders(office: Office) -> list[str]:
    return [mail.subject for mail in office.post.mails]


WEDNESDAY, THURSDAY, FRIDAY = (
    f"Reminder: Talk, {day}"
    for day in ("Wednesday, March 4, 2026", "Thursday, March 5, 2026", "Friday, March 6, 2026")
)


def test_a_contact_is_reminded_a_day_before(reminded: Office) -> None:
    reminded.work(later=timedelta(days=1, hours=23))
    assert reminders(reminded) == []
    reminded.work(later=timedelta(hours=1))

    assert reminders(reminded) == [THURSDAY]
    reminded.work(later=timedelta(days=5))
    assert (reminders(reminded), reminded.states()[-1]) == ([THURSDAY], "completed")


@pytest.mark.parametrize(("days", "subject"), [(1, FRIDAY), (-1, WEDNESDAY)])
def test_a_reminder_moves_with_its_meeting(reminded: Office, days: int, subject: str) -> None:
    reminded.change("talk", start=reminded.clock.now() + timedelta(days=3 + days))
    reminded.work()
    reminded.work(later=timedelta(days=2 + days))

    assert reminders(reminded) == [subject]


@pytest.mark.parametrize("back", [False, True])
def test_nobody_is_reminded_of_a_meeting_that_is_off(reminded: Office, back: bool) -> None:
    reminded.change("talk", status="cancelled")
    reminded.work()
    if back:
        reminded.change("talk", status="planned")
        reminded.work()
    reminded.work(later=timedelta(days=2))

    assert reminders(reminded) == ([THURSDAY] if back else [])
    assert reminded.states()[-1] == "completed"


def test_nobody_is_reminded_of_a_meeting_that_is_deleted(reminded: Office) -> None:
    reminded.delete("talk")
    reminded.work()

    assert reminded.states()[-1] == "cancelled"
    reminded.work(later=timedelta(days=2))
    assert reminders(reminded) == []


def test_a_meeting_without_a_date_is_waited_for(reminded: Office) -> None:
    reminded.change("talk", start=None)
    reminded.work()
    assert reminded.states()[-1] == "waiting"
    reminded.change("talk", start=reminded.clock.now() + timedelta(days=4))
    reminded.work()
    reminded.work(later=timedelta(days=3))

    assert reminders(reminded) == [FRIDAY]


def test_whoever_is_the_contact_by_then_is_reminded(reminded: Office) -> None:
    reminded.given("eve", "contact", name="Eve", email="eve@acme.example")
    reminded.change("talk", contact="eve")
    reminded.work(later=timedelta(days=2))

    assert [mail.recipients for mail in reminded.post.mails] == [("eve@acme.example",)]


def test_who_planned_a_meeting_for_tomorrow_morning_needs_no_reminder(reminded: Office) -> None:
    reminded.change("talk", start=reminded.clock.now() + timedelta(hours=20))
    reminded.work()

    assert (reminders(reminded), reminded.states()[-1]) == ([], "completed")


def test_the_reminder_of_a_whole_day_does_not_come_at_midnight(reminded: Office) -> None:
    """It begins at midnight in Berlin; Ann has no zone of her own, so the process's is hers."""
    start = datetime(2026, 3, 5, 23, tzinfo=UTC)
    reminded.change("talk", start=start, all_day=True)
    reminded.work()

    reminded.work(later=start - timedelta(days=1) - reminded.clock.now())
    assert reminders(reminded) == []
    reminded.work(later=timedelta(hours=7))
    assert reminders(reminded) == [FRIDAY]


# --- the reply


@pytest.fixture
def chased(shipped: Office) -> Office:
    """Ann has an e-mail of Bob's, who waits for her reply; it is Monday noon."""
    plans = load(SHIPPED / "processes", Templates(SHIPPED / "templates"), SCHEMA, ())
    shipped.given(
        "offer", "activity", type="email", subject="Our offer", contact="ann", owner="bob", opportunity="deal"
    )
    shipped.nothing_new()
    shipped.post.mails.clear()
    shipped.plans = {"chase_reply": plans["chase_reply"]}
    start_by_hand(shipped.ports, plans["chase_reply"], {"email": shipped.known["offer"]}, actor=ANNA)
    shipped.work()
    return shipped


def reply(office: Office, **values: Any) -> None:
    office.given(
        "answer",
        "activity",
        **{"type": "email", "subject": "Re: Our offer", "contact": "ann", "incoming": True} | values,
    )
    office.work()


def test_a_reply_ends_the_chase(chased: Office) -> None:
    reply(chased)
    chased.work(later=timedelta(days=30))

    assert (chased.states()[-1], reminders(chased), chased.find("activity", type="call")) == (
        "completed",
        [],
        [],
    )
    assert "Ann Smith has replied to Our offer." in [row.text for row in chased.history("deal")]


def test_who_does_not_reply_is_asked_again_and_then_called(chased: Office) -> None:
    chased.work(later=timedelta(days=1))
    assert reminders(chased) == []
    chased.work(later=timedelta(days=1))
    assert reminders(chased) == ["One more question: Our offer"]
    assert chased.find("activity", type="call") == []

    chased.work(later=timedelta(days=2))

    (call,) = chased.find("activity", type="call")
    assert (call.subject, call.owner.name) == ("Call Ann Smith: no reply to Our offer", "Bob")
    assert (chased.states()[-1], chased.instances()[-1].result) == ("stopped", "no reply")


def test_a_reply_to_the_reminder_ends_it_too(chased: Office) -> None:
    chased.work(later=timedelta(days=2))
    reply(chased)
    chased.work(later=timedelta(days=30))

    assert (chased.states()[-1], chased.find("activity", type="call")) == ("completed", [])


@pytest.mark.parametrize(
    "other", [{"incoming": False}, {"type": "call", "incoming": False}, {"contact": None}]
)
def test_other_activities_are_no_reply(chased: Office, other: dict[str, Any]) -> None:
    reply(chased, **other)

    assert chased.states()[-1] == "waiting"


def test_it_does_not_wait_for_nobody(chased: Office) -> None:
    chased.given("note", "activity", type="email", subject="To nobody")
    start_by_hand(chased.ports, chased.plans["chase_reply"], {"email": chased.known["note"]}, actor=ANNA)
    chased.work()

    assert chased.instances()[-1].result == "there is nobody to wait for"


def test_who_has_no_opportunity_has_the_history_of_the_contact(chased: Office) -> None:
    chased.given("other", "activity", type="email", subject="Another", contact="ann", owner="bob")
    start_by_hand(chased.ports, chased.plans["chase_reply"], {"email": chased.known["other"]}, actor=ANNA)
    chased.work()

    reply(chased)

    assert chased.states()[-2:] == ["completed", "completed"]
    assert "Ann Smith has replied to Another." in [row.text for row in chased.history("ann")]
