"""Content to play with: a mail, a meeting or a contact made in one call, and the sample that a sandbox starts with."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from procession.sandbox.mailbox import meetings, posting
from procession.sandbox.mailbox.items import Draft, Item
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Address, Attendee, Body
from procession.sandbox.mailbox.world import World

_CUSTOMERS = (
    ("Eva", "Ng", "Northwind Traders"), ("Tom", "Weber", "Adventure Works"), ("Lucía", "Romero", "Fabrikam"),
    ("Jonas", "Lind", "Contoso"), ("Aiko", "Mori", "Tailspin Toys"),
)  # fmt: skip
_MAILS = (
    ("Offer for the new office", "Could you send us an offer by Friday?"),
    ("Re: Maintenance contract", "We agree to the terms. Where do we sign?"),
    ("Invoice 2041", "The invoice names the wrong address."),
    ("Visit next week", "Would Thursday at ten suit you?"),
)
_CET = "W. Europe Standard Time"


def add_mail(to: Mailbox, sender: str, subject: str, text: str, *, name: str = "") -> Item:
    """A mail that arrived from outside."""
    author = Address(sender, name)
    values = {
        "subject": subject, "body": Body(text), "from": author, "sender": author, "to": (Address(to.address, to.name),),
        "message_id": posting.message_id(to), "sent": to.moment(), "importance": "Normal", "sensitivity": "Normal",
    }  # fmt: skip
    return posting.deliver(to, Draft("message", values))


def add_meeting(
    world: World, organizer: Mailbox, subject: str, span: tuple[datetime, datetime], attendees: Iterable[str]
) -> Item:
    """A meeting in the organizer's calendar, its requests sent."""
    people = tuple(Attendee(_person(world, address)) for address in attendees)
    values = {
        "subject": subject, "start": span[0], "end": span[1], "start_zone": _CET, "end_zone": _CET, "required": people,
        "importance": "Normal", "sensitivity": "Normal", "reminder_is_set": True, "reminder_minutes": 15, "reminder_due_by": span[0],
    }  # fmt: skip
    event = organizer.add(
        organizer.role("calendar"), "event", meetings.organized(organizer, values, world.named(organizer))
    )
    return meetings.invite(world, organizer, event, people) if people else event


def _person(world: World, address: str) -> Address:
    mailbox = world.mailbox(address)
    return world.named(mailbox) if mailbox is not None else Address(address)


def add_contact(mailbox: Mailbox, first: str, last: str, company: str) -> Item:
    email = f"{first}.{last}@{company.split(maxsplit=1)[0]}.test".lower()
    values = {
        "given_name": first, "surname": last, "display_name": f"{first} {last}", "file_as": f"{last}, {first}", "subject": f"{first} {last}",
        "company_name": company, "emails": {"EmailAddress1": Address(email, f"{first} {last}", kind="Contact")},
        "phones": {"BusinessPhone": "+49 30 555 0100"}, "contact_source": "Store", "importance": "Normal", "sensitivity": "Normal",
    }  # fmt: skip
    return mailbox.add(mailbox.role("contacts"), "contact", values)


def fill(world: World) -> None:
    """Some contacts, mails, tasks and meetings for every user; the first invites the others."""
    mailboxes = list(world.mailboxes.values())
    now = world.moment().replace(minute=0, second=0, microsecond=0)
    for mailbox in mailboxes:
        for first, last, company in _CUSTOMERS:
            add_contact(mailbox, first, last, company)
        for (subject, text), (first, last, company) in zip(_MAILS, _CUSTOMERS, strict=False):
            add_mail(
                mailbox,
                f"{first}.{last}@{company.split()[0]}.test".lower(),
                subject,
                text,
                name=f"{first} {last}",
            )
        task = {
            "subject": "Call the customer back",
            "due": now + timedelta(days=2),
            "status": "NotStarted",
            "percent": 0.0,
        }
        mailbox.add(
            mailbox.role("tasks"),
            "task",
            {**task, "importance": "Normal", "sensitivity": "Normal", "task_owner": mailbox.name},
        )
        start = now + timedelta(days=1)
        add_meeting(world, mailbox, "Visit at the customer", (start, start + timedelta(hours=2)), ())
    others = [mailbox.address for mailbox in mailboxes[1:]]
    if others:
        start = now + timedelta(days=3)
        add_meeting(world, mailboxes[0], "Team meeting", (start, start + timedelta(hours=1)), others)
