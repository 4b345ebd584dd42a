"""Meetings between people: requests, answers, updates and cancellations, and what each does to calendars.

An organizer's event becomes a request in each attendee's inbox and a tentative event in their calendar (as
Exchange's calendar attendant does); an answer goes back as a response and is noted beside the attendee in
the organizer's event. Source: [MS-OXWSMTGS] 3.1.4, [MS-OXOCAL] 3.1.4.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from procession.sandbox.mailbox import posting, series
from procession.sandbox.mailbox.items import Draft, Item
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Address, Attendee, Refused
from procession.sandbox.mailbox.world import World

LISTS = ("required", "optional", "resources")
TIMES = ("start", "end", "recurrence", "all_day")
_SHARED = (
    "subject", "body", "importance", "sensitivity", "start", "end", "all_day", "location", "start_zone", "end_zone", "recurrence",
    "organizer", "required", "optional", "uid", "sequence", "stamp", "response_requested", "allow_new_time",
    "is_online", "occurrence_of", "reminder_is_set", "reminder_minutes", "conference_type", "workspace_url", "netshow_url",
)  # fmt: skip
ANSWERS: Mapping[str, tuple[str, str, str]] = {
    # answer: (item class suffix, prefix of the subject, busy or not)
    "Accept": ("Pos", "Accepted", "Busy"),
    "Tentative": ("Tent", "Tentative", "Tentative"),
    "Decline": ("Neg", "Declined", "Free"),
}


def attendees(item: Item) -> tuple[Attendee, ...]:
    return tuple(attendee for word in LISTS for attendee in item.values.get(word, ()))


def is_meeting(item: Item) -> bool:
    return bool(attendees(item)) or item.values.get("my_response", "Unknown") not in {"Unknown", "Organizer"}


def is_organizer(mailbox: Mailbox, item: Item) -> bool:
    organizer = item.values.get("organizer")
    return organizer is None or organizer.key == mailbox.address.lower()


def associated(mailbox: Mailbox, item: Item) -> Item | None:
    """The event in the calendar that a request, an answer or a cancellation is about."""
    uid = item.values.get("uid")
    found = (mailbox.items[number] for number in mailbox.identities.find("uid", uid)) if uid else ()
    events = [other for other in found if other.kind == "event" and other.id != item.id]
    trash = mailbox.roles.get("deleteditems")
    return min(events, key=lambda event: (event.folder == trash, event.id), default=None)


def organized(mailbox: Mailbox, values: Mapping[str, Any], me: Address) -> dict[str, Any]:
    """The values that every event of one's own has."""
    uid = values.get("uid") or (uuid4().bytes + uuid4().bytes).hex().upper()
    meeting = any(values.get(word) for word in LISTS)
    return {
        "organizer": me,
        "my_response": "Organizer" if meeting else "Unknown",
        "sequence": 0,
        "stamp": mailbox.moment(),
        "is_cancelled": False,
        "request_sent": False,
        "free_busy": "Busy",
        "all_day": False,
        **values,
        "uid": uid,
    }


def request_of(world: World, mailbox: Mailbox, event: Item, kind: str) -> Draft:
    """The request for an event; `kind` is NewMeetingRequest, FullUpdate or InformationalUpdate."""
    values = _message(world, mailbox, event) | {
        "request_type": kind,
        "free_busy": event.values.get("free_busy", "Busy"),
        "my_response": "NoResponseReceived",
        "request_sent": True,
        "is_cancelled": False,
        "response": "NoResponseReceived",
    }
    return Draft("meeting_request", values, attachments=event.attachments)


def _message(world: World, mailbox: Mailbox, event: Item) -> dict[str, Any]:
    me = world.named(mailbox)
    values = {word: event.values[word] for word in _SHARED if word in event.values}
    lists = {word: tuple(who.address for who in event.values.get(name, ())) for word, name in (("to", "required"), ("cc", "optional"), ("bcc", "resources"))}  # fmt: skip
    return values | lists | {
        "from": me, "sender": me, "sent": mailbox.moment(), "message_id": posting.message_id(mailbox), "stamp": mailbox.moment(),
    }  # fmt: skip


def invite(
    world: World,
    mailbox: Mailbox,
    event: Item,
    to: Iterable[Attendee],
    *,
    kind: str = "NewMeetingRequest",
    save: bool = True,
) -> Item:
    """Send requests for an event; the event as it is afterwards."""
    draft = request_of(world, mailbox, event, kind)
    for attendee in to:
        if attendee.address.key == mailbox.address.lower():
            continue
        posting.hand_over(
            world, mailbox, attendee.address, draft, kind="" if kind == "NewMeetingRequest" else "update"
        )
        receiver = world.mailbox(attendee.address.email)
        if receiver is not None:
            _book(receiver, draft, full=kind != "InformationalUpdate")
    if save:
        posting.put(mailbox, mailbox.role("sentitems"), draft, is_read=True, received=mailbox.moment())
    if event.values.get("request_sent") or series.is_occurrence(event):
        return event
    return mailbox.change(event, {**event.values, "request_sent": True})


def _book(receiver: Mailbox, draft: Draft, *, full: bool) -> Item:
    """Write a request into the receiver's calendar, or onto the event that is there already."""
    values = {word: draft.values[word] for word in _SHARED if word in draft.values}
    current = associated(
        receiver, Item(0, 0, draft.kind, "", draft.values, receiver.moment(), receiver.moment(), 0, 0)
    )
    fresh = {
        "my_response": "NoResponseReceived",
        "free_busy": "Tentative",
        "is_cancelled": False,
        "request_sent": True,
    }
    original = values.get("occurrence_of")
    if current is None or current.folder == receiver.roles["deleteditems"]:
        return receiver.add(
            receiver.role("calendar"),
            "event",
            values | fresh,
            attachments=posting.numbered(receiver, draft.attachments),
        )
    if original is not None and series.is_series(current):
        before = series.occurrence(current, original).values
        return series.change_occurrence(
            receiver, current, original, {**before, **values, **(fresh if full else {})}
        )
    return receiver.change(current, {**current.values, **values, **(fresh if full else {})})


def update(world: World, mailbox: Mailbox, before: Item, event: Item, mode: str) -> Item:
    """Tell attendees about a changed event; `mode` is SendToNone, SendOnlyToAll, SendToAllAndSaveCopy and so on."""
    known = (
        {attendee.address.key for attendee in attendees(before)}
        if before.values.get("request_sent")
        else set()
    )
    now = {attendee.address.key for attendee in attendees(event)}
    if mode == "SendToNone" or not is_organizer(mailbox, event):
        return event
    save = mode.endswith("SaveCopy")
    gone = [attendee for attendee in attendees(before) if attendee.address.key in known - now]
    if gone:
        _cancel_for(world, mailbox, before, gone)
    added = [attendee for attendee in attendees(event) if attendee.address.key not in known]
    if added:
        event = invite(world, mailbox, event, added, save=save)
    kept = [attendee for attendee in attendees(event) if attendee.address.key in known]
    moved = any(before.values.get(word) != event.values.get(word) for word in TIMES)
    if "Changed" in mode:
        return event
    # Who has answered and keeps their time is only informed; everybody else is asked again.
    informed = [attendee for attendee in kept if not moved and attendee.response in {"Accept", "Tentative"}]
    asked = [attendee for attendee in kept if attendee not in informed]
    for people, kind in ((asked, "FullUpdate"), (informed, "InformationalUpdate")):
        if people:
            event = invite(world, mailbox, event, people, kind=kind, save=save)
            save = False
    return event


def cancel(world: World, mailbox: Mailbox, event: Item, *, save: bool, body: Any = None) -> None:
    """Tell every attendee that a meeting is off."""
    draft = _cancel_for(world, mailbox, event, attendees(event), body=body)
    if save:
        posting.put(mailbox, mailbox.role("sentitems"), draft, is_read=True, received=mailbox.moment())


def _cancel_for(
    world: World, mailbox: Mailbox, event: Item, to: Iterable[Attendee], *, body: Any = None
) -> Draft:
    values = _message(world, mailbox, event)
    values |= {
        "subject": f"Canceled: {event.values.get('subject') or ''}",
        "sequence": values.get("sequence", 0) + 1,
    }
    values |= {"body": body} if body is not None else {}
    draft = Draft("meeting_cancellation", values)
    for attendee in to:
        if attendee.address.key == mailbox.address.lower():
            continue
        posting.hand_over(world, mailbox, attendee.address, draft)
        receiver = world.mailbox(attendee.address.email)
        if receiver is not None:
            _cross_out(receiver, draft)
    return draft


def _cross_out(receiver: Mailbox, draft: Draft) -> None:
    probe = Item(0, 0, draft.kind, "", draft.values, receiver.moment(), receiver.moment(), 0, 0)
    event = associated(receiver, probe)
    if event is None:
        return
    off = {"is_cancelled": True, "free_busy": "Free", "subject": draft.values["subject"]}
    original = draft.values.get("occurrence_of")
    if original is not None and series.is_series(event):
        values = {**series.occurrence(event, original).values, **off}
        series.change_occurrence(receiver, event, original, values)
        return
    receiver.change(event, {**event.values, **off, "sequence": draft.values["sequence"]})


def check_answerable(mailbox: Mailbox, item: Item, answer: str) -> None:
    """Raises Refused where no answer can be given: one's own meeting, one that is off, or no meeting."""
    word = {"Tentative": "Tentative", "Accept": "Accept", "Decline": "Decline"}[answer]
    if item.kind not in {"event", "meeting_request"}:
        reason = {"Accept": "AcceptItem", "Decline": "DeclineItem", "Tentative": "Tentative"}[answer]
        raise Refused("Only a meeting can be answered.", reason=f"InvalidItemForOperation{reason}")
    if is_organizer(mailbox, item):
        raise Refused("The organizer does not answer.", reason=f"CalendarIsOrganizerFor{word}")
    event = item if item.kind == "event" else associated(mailbox, item)
    if event is not None and event.values.get("is_cancelled"):
        raise Refused("The meeting was cancelled.", reason=f"CalendarIsCancelledFor{word}")
    if (
        event is not None
        and item.kind != "event"
        and event.values.get("sequence", 0) > item.values.get("sequence", 0)
    ):
        raise Refused(
            "There is a newer request for this meeting.", reason="CalendarMeetingRequestIsOutOfDate"
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """Accept, Tentative or Decline; whether to send it, keep a copy, and values of its message (a body)."""

    word: str
    send: bool = True
    save: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)


def respond(world: World, mailbox: Mailbox, item: Item, answer: Answer) -> list[Item]:
    """Answer a meeting: gives the event, then the answered request where it is now."""
    check_answerable(mailbox, item, answer.word)
    event = item if item.kind == "event" else associated(mailbox, item)
    if event is None:
        values = {word: item.values[word] for word in _SHARED if word in item.values}
        event = mailbox.add(mailbox.role("calendar"), "event", values)
    own = {"my_response": answer.word, "reply_time": mailbox.moment(), "free_busy": ANSWERS[answer.word][2]}
    event = _change(mailbox, event, own)
    if answer.send:
        answer_back(world, mailbox, event, answer)
    results = [event]
    if answer.word == "Decline" and not series.is_occurrence(event):
        results = [mailbox.move(event, mailbox.role("deleteditems"))]
    elif answer.word == "Decline":
        series.drop_occurrence(mailbox, mailbox.item(event.id), event.values["occurrence_of"])
    if item.kind != "event":
        read = mailbox.change(
            item, {**item.values, "is_read": True, "processed": True, "my_response": answer.word}
        )
        results.append(mailbox.move(read, mailbox.role("deleteditems")))
    return results


def _change(mailbox: Mailbox, event: Item, own: Mapping[str, Any]) -> Item:
    if series.is_occurrence(event):
        return series.change_occurrence(
            mailbox, mailbox.item(event.id), event.values["occurrence_of"], {**event.values, **own}
        )
    return mailbox.change(event, {**event.values, **own})


def answer_back(world: World, mailbox: Mailbox, event: Item, answer: Answer) -> None:
    """Send an answer to the organizer, whose event notes it."""
    suffix, prefix, _ = ANSWERS[answer.word]
    organizer: Address = event.values["organizer"]
    values = _message(world, mailbox, event)
    values |= {
        "to": (organizer,),
        "cc": (),
        "bcc": (),
        "response": answer.word,
        "subject": f"{prefix}: {event.values.get('subject') or ''}",
    }
    values.pop("body", None)
    draft = Draft("meeting_response", {**values, **answer.extra}, f"IPM.Schedule.Meeting.Resp.{suffix}")
    posting.hand_over(world, mailbox, organizer, draft)
    receiver = world.mailbox(organizer.email)
    if receiver is not None:
        _note(receiver, draft, mailbox.address.lower(), answer.word)
    if answer.save:
        posting.put(mailbox, mailbox.role("sentitems"), draft, is_read=True, received=mailbox.moment())


def _note(organizer: Mailbox, draft: Draft, who: str, answer: str) -> None:
    probe = Item(0, 0, draft.kind, "", draft.values, organizer.moment(), organizer.moment(), 0, 0)
    event = associated(organizer, probe)
    if event is None:
        return
    original = draft.values.get("occurrence_of")
    if original is not None and series.is_series(event):
        event = series.occurrence(event, original)
    noted = {
        word: tuple(
            replace(one, response=answer, replied=organizer.moment()) if one.address.key == who else one
            for one in event.values[word]
        )
        for word in LISTS
        if event.values.get(word)
    }
    _change(organizer, event, noted)


def conflicts(mailbox: Mailbox, item: Item) -> list[Item]:
    """Other events in the calendar at the same time."""
    return _near(mailbox, item, timedelta())


def adjacent(mailbox: Mailbox, item: Item) -> list[Item]:
    """Events that end when this one starts, or start when it ends."""
    start, end = item.values.get("start"), item.values.get("end")
    near = _near(mailbox, item, timedelta(seconds=1))
    return [other for other in near if other.values["end"] == start or other.values["start"] == end]


def _near(mailbox: Mailbox, item: Item, margin: timedelta) -> list[Item]:
    if "start" not in item.values:
        return []
    start, end = item.values["start"] - margin, item.values["end"] + margin
    found: list[Item] = []
    for other in mailbox.contents(mailbox.role("calendar")):
        if other.id == item.id or other.kind != "event" or other.values.get("uid") == item.values.get("uid"):
            continue
        found += (
            series.expand(other, start, end)
            if series.is_series(other)
            else [other] * series.touches(other, start, end)
        )
    return found
