"""Properties that are worked out when they are asked for: identities, display texts, what can be answered.

`COMPUTED` maps an element's name to a function of a `View`; a function that gives None leaves the element out.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import md5
from typing import Any

from procession.sandbox.ews import ids
from procession.sandbox.mailbox import meetings, mime, series
from procession.sandbox.mailbox.items import Item
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Address, Body
from procession.sandbox.mailbox.world import World

_STATUS = {
    "NotStarted": "Not Started",
    "InProgress": "In Progress",
    "Completed": "Completed",
    "WaitingOnOthers": "Waiting on someone else",
    "Deferred": "Deferred",
}
PREVIEW = 255


@dataclass(frozen=True, slots=True)
class View:
    """An item, as somebody looks at it."""

    world: World
    mailbox: Mailbox
    item: Item

    @property
    def id(self) -> str:
        return ids.id_of(self.mailbox, self.item)

    @property
    def change_key(self) -> str:
        return ids.change_key(self.item.change, self.mailbox.guid)


def occurrence_row(view: View, item: Item) -> dict[str, Any]:
    """{id, change_key, start, end, original} of an occurrence, as a series lists it."""
    other = View(view.world, view.mailbox, item)
    return {
        "id": other.id,
        "change_key": other.change_key,
        "start": item.values["start"],
        "end": item.values["end"],
        "original": item.values["occurrence_of"],
    }


def _edge(view: View, place: int) -> dict[str, Any] | None:
    found = series.edges(view.item)[place] if series.is_series(view.item) else None
    return occurrence_row(view, found) if found is not None else None


def _modified(view: View) -> list[dict[str, Any]] | None:
    item = view.item
    return [occurrence_row(view, series.occurrence(item, start)) for start in sorted(item.overrides)] or None


def _names(addresses: Any) -> str:
    return "; ".join(address.name or address.email for address in addresses)


def _attendees(item: Item, word: str) -> tuple[Address, ...]:
    return tuple(attendee.address for attendee in item.values.get(word, ()))


def _display_to(view: View) -> str:
    return _names(view.item.values.get("to") or _attendees(view.item, "required"))


def _display_cc(view: View) -> str:
    return _names(view.item.values.get("cc") or _attendees(view.item, "optional"))


def text_body(item: Item) -> Body | None:
    body = item.values.get("body")
    return Body(mime.plain_text(body)) if body is not None else None


def _from_me(view: View) -> bool:
    """Did the user send it to themselves?"""
    sender, me = view.item.values.get("from"), view.mailbox.address.lower()
    addresses = (*view.item.values.get("to", ()), *view.item.values.get("cc", ()))
    return sender is not None and sender.key == me and any(address.key == me for address in addresses)


def _topic(view: View) -> str | None:
    subject = view.item.values.get("subject")
    return mime.topic(subject) if subject is not None else None


def conversation_key(item: Item) -> bytes:
    """Sixteen bytes that a thread shares: of the first message it refers to, else of its own topic."""
    references = str(
        item.values.get("references") or item.values.get("in_reply_to") or item.values.get("message_id") or ""
    )
    first = (
        references.split(maxsplit=1)[0]
        if references.split()
        else mime.topic(item.values.get("subject") or "")
    )
    return md5(first.encode(), usedforsecurity=False).digest()


def _conversation_id(view: View) -> str | None:
    if view.item.kind in {"contact", "list"}:
        return None
    return base64.b64encode(
        b"\0\4\x24\0" + view.mailbox.guid.encode() + b"\0\x10\0" + conversation_key(view.item)
    ).decode()


def _next_reminder(view: View) -> Any:
    item = view.item
    if not item.values.get("reminder_is_set"):
        return None
    due = item.values.get("reminder_due_by") or item.values.get("start")
    return due - timedelta(minutes=item.values.get("reminder_minutes", 0)) if due else None


def _duration(view: View) -> str | None:
    start, end = view.item.values.get("start"), view.item.values.get("end")
    if start is None or end is None:
        return None
    minutes = int((end - start).total_seconds()) // 60
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    time = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M")) if number)
    return "P" + (f"{days}D" if days else "") + (f"T{time}" if time else "" if days else "T0S")


def _calendar_item_type(view: View) -> str:
    if series.is_series(view.item) or (view.item.kind != "event" and view.item.values.get("recurrence")):
        return "RecurringMaster"
    return str(view.item.values.get("calendar_item_type", "Single"))


def _state(view: View) -> int:
    """0 appointment, 1 meeting, 2 received, 4 cancelled: bits."""
    item = view.item
    meeting = meetings.is_meeting(item)
    received = meeting and not meetings.is_organizer(view.mailbox, item)
    return (1 if meeting else 0) | (2 if received else 0) | (4 if item.values.get("is_cancelled") else 0)


def _complete_name(view: View) -> dict[str, str] | None:
    rows = (
        ("Title", "title"), ("FirstName", "given_name"), ("MiddleName", "middle_name"), ("LastName", "surname"), ("Suffix", "generation"),
        ("Initials", "initials"), ("FullName", "display_name"), ("Nickname", "nickname"),
    )  # fmt: skip
    return {name: view.item.values[word] for name, word in rows if view.item.values.get(word)} or None


def _notes(view: View) -> str | None:
    body = view.item.values.get("body")
    return body.text if body is not None else None


def _received_by(view: View) -> Address | None:
    return view.world.named(view.mailbox) if view.item.values.get("received") else None


def _of_event(view: View) -> Item | None:
    return meetings.associated(view.mailbox, view.item)


def _out_of_date(view: View) -> bool:
    event = _of_event(view)
    return event is not None and event.values.get("sequence", 0) > view.item.values.get("sequence", 0)


def _recurring(view: View) -> bool:
    item = view.item
    return "recurrence" in item.values or "occurrence_of" in item.values


COMPUTED: Mapping[str, Callable[[View], Any]] = {
    "ItemClass": lambda view: view.item.item_class,
    "DateTimeReceived": lambda view: view.item.received,
    "DateTimeSent": lambda view: view.item.values.get("sent", view.item.created),
    "Size": lambda view: mime.size(view.item),
    "InternetMessageHeaders": lambda view: mime.headers(view.item) or None,
    "DateTimeCreated": lambda view: view.item.created,
    "ReminderNextTime": _next_reminder,
    "DisplayTo": _display_to,
    "DisplayCc": _display_cc,
    "DisplayBcc": lambda view: _names(view.item.values.get("bcc") or ()),
    "HasAttachments": lambda view: any(not part.inline for part in view.item.attachments),
    "EffectiveRights": lambda _view: False,
    "LastModifiedName": lambda view: view.item.modifier,
    "LastModifiedTime": lambda view: view.item.modified,
    "IsAssociated": lambda _view: False,
    "WebClientReadFormQueryString": lambda view: f"?ae=Item&a=Open&t={view.item.item_class}&id={view.id}",
    "UniqueBody": lambda view: view.item.values.get("body"),
    "NormalizedBody": lambda view: view.item.values.get("body"),
    "StoreEntryId": lambda view: ids.item_entry(view.mailbox, view.item.id),
    "InstanceKey": lambda view: view.item.id.to_bytes(8, "big"),
    "Preview": lambda view: text_body(view.item).text[:PREVIEW] if view.item.values.get("body") else "",  # type: ignore[union-attr]  # there is a body
    "TextBody": lambda view: text_body(view.item),
    "IconIndex": lambda _view: "Default",
    "ConversationIndex": lambda view: b"\1" + bytes(5) + conversation_key(view.item),
    "ConversationTopic": _topic,
    "IsSubmitted": lambda view: bool(view.item.values.get("is_submitted")),
    "IsDraft": lambda view: bool(view.item.values.get("is_draft")),
    "IsFromMe": _from_me,
    "IsResend": lambda view: bool(view.item.values.get("is_resend")),
    "IsUnmodified": lambda view: view.item.change == view.item.arrival,
    "IsRead": lambda view: view.item.is_read,
    "ReceivedBy": _received_by,
    "ReceivedRepresenting": _received_by,
    "IsMeeting": lambda view: meetings.is_meeting(view.item),
    "IsRecurring": _recurring,
    "CalendarItemType": _calendar_item_type,
    "Duration": _duration,
    "TimeZone": lambda view: view.item.values.get("start_zone"),
    "AppointmentState": _state,
    "FirstOccurrence": lambda view: _edge(view, 0),
    "LastOccurrence": lambda view: _edge(view, 1),
    "ModifiedOccurrences": _modified,
    "DeletedOccurrences": lambda view: sorted(view.item.dropped) or None,
    "ConflictingMeetingCount": lambda view: len(meetings.conflicts(view.mailbox, view.item)),
    "AdjacentMeetingCount": lambda view: len(meetings.adjacent(view.mailbox, view.item)),
    "IsOrganizer": lambda view: meetings.is_organizer(view.mailbox, view.item),
    "IsOutOfDate": _out_of_date,
    "CompleteName": _complete_name,
    "HasPicture": lambda view: any(part.photo for part in view.item.attachments),
    "Notes": _notes,
    "IsComplete": lambda view: view.item.values.get("status") == "Completed",
    "IsTeamTask": lambda _view: False,
    "StatusDescription": lambda view: _STATUS.get(view.item.values.get("status", "NotStarted"), ""),
}


def conversation_id(view: View) -> str | None:
    return _conversation_id(view)


def associated_id(view: View) -> str | None:
    event = _of_event(view)
    return ids.id_of(view.mailbox, event) if event is not None else None
