"""The calendar file of a meeting (RFC 5545, sent as RFC 6047 describes): what a calendar needs to put it in.

The UID is that of the record, whoever sends it, and SEQUENCE grows each time it is saved, so that a calendar
replaces what it has. Nothing depends on the time of day: the same record gives the same file. The notes of
the meeting (`body`) stay at home: they are written for colleagues.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from icalendar import Calendar, Event, vCalAddress, vText

from procession.effects import Attachment, Recipient
from procession.errors import PermanentError
from procession.mail.addresses import envelope_address
from procession.mail.formats import zone_of
from procession.mail.vtimezone import vtimezone
from procession.records import Record, fields_of, ref_of

PRODUCT = "-//Procession//Meetings//EN"


def invitation(meeting: Record, *, sender: Recipient, to: Sequence[Recipient]) -> Attachment:
    """An .ics file: a request to take part if there is someone to ask, otherwise for information.

    A cancelled meeting gives its cancellation.

    Raises:
        PermanentError: the meeting has no start or no UID, or an address is none.
    """
    fields = fields_of(meeting)
    if not isinstance(fields.get("start"), date):
        raise PermanentError(f"{ref_of(meeting)} has no start, so nobody can be invited to it")
    method = "CANCEL" if fields.get("status") == "cancelled" else "REQUEST" if to else "PUBLISH"
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", method)
    event = _event(meeting, fields, method)
    event.add("organizer", _person(sender))
    for person in to:
        event.add(
            "attendee",
            _person(person, {"ROLE": "REQ-PARTICIPANT", "PARTSTAT": "NEEDS-ACTION", "RSVP": "TRUE"}),
        )
    event.add("uid", _uid(meeting, fields, sender))
    calendar.add_component(event)
    zone = b"" if fields.get("all_day") else vtimezone(_zone_name(fields), fields["start"].year)
    content = calendar.to_ical().replace(b"BEGIN:VEVENT", zone + b"BEGIN:VEVENT", 1)
    return Attachment("invitation.ics", "text/calendar", content, {"method": method, "charset": "utf-8"})


def _uid(meeting: Record, fields: Mapping[str, Any], sender: Recipient) -> str:
    if (
        "uid" not in fields
    ):  # version 0.1 wrote it down as it was then, since it was deleted: this it had sent
        return f"{str(ref_of(meeting)).replace(':', '-')}@{envelope_address(sender.address).split('@')[-1]}"
    if not fields["uid"]:
        raise PermanentError(f"{ref_of(meeting)} has no calendar UID: it is an e-mail")
    return str(fields["uid"])


def _event(meeting: Record, fields: Mapping[str, Any], method: str) -> Event:
    event = Event()
    event.add("summary", str(meeting))
    start, end = _span(fields)
    event.add("dtstart", start)
    if end > start:  # RFC 5545, 3.8.2.2: an end lies behind the start, or is left out
        event.add("dtend", end)
    event.add(
        "dtstamp", (fields.get("modified_at") or fields.get("created_at") or fields["start"]).astimezone(UTC)
    )
    event.add("sequence", _sequence(fields))
    event.add("status", "CANCELLED" if method == "CANCEL" else "CONFIRMED")
    event.add("transp", "TRANSPARENT" if fields.get("all_day") else "OPAQUE")
    if fields.get("location"):
        event.add("location", str(fields["location"]))
    return event


def _span(fields: Mapping[str, Any]) -> tuple[date, date]:
    """Start and end in the meeting's zone; days for an all-day meeting, the end being the day after the last."""
    zone = zone_of(_zone_name(fields))
    start = fields["start"].astimezone(zone)
    end = (fields.get("end") or fields["start"]).astimezone(zone)
    if not fields.get("all_day"):
        return start, max(start, end)
    return start.date(), last_day(start, end) + timedelta(days=1)


def last_day(start: datetime, end: datetime) -> date:
    """Of an all-day span in local time. An end at midnight is the end of the day before it."""
    at_midnight = end > start and (end.hour, end.minute, end.second) == (0, 0, 0)
    return max(start.date(), end.date() - timedelta(days=int(at_midnight)))


def _zone_name(fields: Mapping[str, Any]) -> str:
    owner = fields.get("owner")
    return str(
        fields.get("timezone") or (isinstance(owner, Record) and fields_of(owner).get("timezone")) or "UTC"
    )


def _sequence(fields: Mapping[str, Any]) -> int:
    """Seconds between making and saving: 0 for a new meeting, more after every change."""
    created, modified = fields.get("created_at"), fields.get("modified_at")
    if not isinstance(created, datetime) or not isinstance(modified, datetime):
        return 0
    return max(0, int((modified - created).total_seconds()))


def _person(person: Recipient, parameters: Mapping[str, str] | None = None) -> vCalAddress:
    address = vCalAddress(f"mailto:{envelope_address(person.address)}")
    for key, value in {"CN": person.name, **(parameters or {})}.items():
        if value:
            address.params[key] = vText(" ".join(value.split()).replace('"', "'"))
    return address
