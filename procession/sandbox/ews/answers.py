"""Response objects: replies, forwards, and the answers to meetings, each made from the item it refers to."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from procession.sandbox.ews.attachments import read_attachments
from procession.sandbox.ews.batch import Call, item_of
from procession.sandbox.ews.creating import DISPOSITIONS, saved_folder
from procession.sandbox.ews.drafts import read_value
from procession.sandbox.ews.fields import by_tag
from procession.sandbox.ews.names import Xml, local, t
from procession.sandbox.ews.responses import possible
from procession.sandbox.mailbox import meetings, mime, posting
from procession.sandbox.mailbox.items import Draft, Item
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Address, Body, Refused

_FORWARD, _ALL = "ForwardItem", "ReplyAllToItem"
_NOT_VALUES = frozenset(
    {"ReferenceItemId", "NewBodyContent", "Attachments", "ItemClass", "InternetMessageHeaders", "Body"}
)


def _referred(call: Call, element: Xml) -> tuple[Mailbox, Item]:
    """The item a response object refers to, which must allow it.

    Raises:
        Refused: none is named, or it cannot be answered so.
    """
    reference = element.find(t("ReferenceItemId"))
    if reference is None:
        raise Refused("A response object refers to an item.", reason="MissingInformationReferenceItemId")
    mailbox, item = item_of(call, reference)
    if local(element) not in possible(call.view(item, mailbox)) and local(element) not in _CHECKED_LATER:
        raise Refused(f"The item cannot be answered with a {local(element)}.", reason="InvalidReferenceItem")
    return mailbox, item


_CHECKED_LATER = frozenset(
    {
        "AcceptItem",
        "TentativelyAcceptItem",
        "DeclineItem",
        "CancelCalendarItem",
        "RemoveItem",
        "SuppressReadReceipt",
    }
)


def _given(element: Xml) -> dict[str, Any]:
    """The values that a response object brings itself."""
    fields = by_tag("message")
    return {
        fields[local(child)].word: read_value(fields[local(child)], child, "")
        for child in element
        if local(child) not in _NOT_VALUES and local(child) in fields
    }


def _body(element: Xml, original: Item) -> Body:
    """The new text, then what it answers."""
    found = element.find(t("NewBodyContent"))
    found = found if found is not None else element.find(t("Body"))
    new = Body(found.text or "", found.get("BodyType") == "HTML") if found is not None else Body("")
    before = original.values.get("body")
    if before is None or not before.text:
        return posting.kept_body(new)
    sender = original.values.get("from")
    head = f"From: {sender.name or sender.email}" if sender else ""
    if new.html or before.html:
        upper = new.text if new.html else mime.as_html(new)
        return posting.kept_body(Body(f"{upper}<hr>{head}<br>{mime.as_html(before)}", html=True))
    return Body(f"{new.text}\r\n\r\n________________________________\r\n{head}\r\n\r\n{before.text}")


def _reply(call: Call, element: Xml) -> list[Item]:
    mailbox, item = _referred(call, element)
    name, given = local(element), _given(element)
    subject, to_all = str(item.values.get("subject") or ""), name == _ALL
    prefix = "FW: " if name == _FORWARD else "RE: "
    values: dict[str, Any] = {"subject": prefix + mime.topic(subject), "body": _body(element, item)}
    if item.values.get("message_id"):
        earlier = f"{item.values.get('references') or ''} {item.values['message_id']}".strip()
        values |= {"in_reply_to": item.values["message_id"], "references": earlier}
    if name != _FORWARD:
        values |= _correspondents(mailbox, item, to_all=to_all)
    attachments = item.attachments if name == _FORWARD else ()
    attachments += tuple(read_attachments(element.find(t("Attachments"))))
    draft = Draft("message", posting.introduced(call.world, {**values, **given}), attachments=attachments)
    return _dispose(call, draft)


def _correspondents(mailbox: Mailbox, item: Item, *, to_all: bool) -> dict[str, tuple[Address, ...]]:
    me = mailbox.address.lower()
    author = item.values.get("from") or item.values.get("organizer")
    to = tuple(item.values.get("reply_to") or ((author,) if author else ()))
    if not to_all:
        return {"to": to}
    known = {address.key for address in to} | {me}
    more = tuple(address for address in item.values.get("to", ()) if address.key not in known)
    known |= {address.key for address in more}
    return {
        "to": to + more,
        "cc": tuple(address for address in item.values.get("cc", ()) if address.key not in known),
    }


def _disposition(call: Call) -> str:
    disposition = call.request.get("MessageDisposition")
    if disposition is None:
        raise Refused(
            "The MessageDisposition attribute is required for messages.", reason="MessageDispositionRequired"
        )
    return str(disposition)


def _dispose(call: Call, draft: Draft) -> list[Item]:
    disposition = call.request.get("MessageDisposition")
    if disposition is None:
        raise Refused(
            "The MessageDisposition attribute is required for messages.", reason="MessageDispositionRequired"
        )
    mailbox, folder = saved_folder(call, DISPOSITIONS[disposition])
    if disposition == "SaveOnly":
        me = call.world.named(mailbox)
        own = {
            "from": me,
            "sender": me,
            "message_id": posting.message_id(mailbox),
            "is_draft": True,
            "is_read": True,
        }
        return [posting.put(mailbox, folder, draft, **{**own, **draft.values})]
    posting.send(call.world, call.mailbox, draft, save=folder if disposition == "SendAndSaveCopy" else None)
    return []


def _answer(answer: str) -> Callable[[Call, Xml], list[Item]]:
    def respond(call: Call, element: Xml) -> list[Item]:
        mailbox, item = _referred(call, element)
        disposition = _disposition(call)
        extra = _given(element)
        body = element.find(t("Body"))
        if body is not None:
            extra["body"] = Body(body.text or "", body.get("BodyType") == "HTML")
        save = disposition == "SendAndSaveCopy"
        how = meetings.Answer(answer, send=disposition != "SaveOnly", save=save, extra=extra)
        return meetings.respond(call.world, mailbox, item, how)

    return respond


def _cancel(call: Call, element: Xml) -> list[Item]:
    mailbox, item = _referred(call, element)
    if item.kind != "event" or not meetings.is_organizer(mailbox, item) or not meetings.is_meeting(item):
        raise Refused("Only the organizer cancels a meeting.", reason="InvalidItemForOperationCancelItem")
    found = element.find(t("NewBodyContent"))
    body = Body(found.text or "", found.get("BodyType") == "HTML") if found is not None else None
    meetings.cancel(
        call.world, mailbox, item, save=call.request.get("MessageDisposition") != "SendOnly", body=body
    )
    return [mailbox.move(item, mailbox.role("deleteditems"))]


def _remove(call: Call, element: Xml) -> list[Item]:
    mailbox, item = _referred(call, element)
    if item.kind != "meeting_cancellation":
        raise Refused("Only a cancelled meeting is removed so.", reason="InvalidItemForOperationRemoveItem")
    event = meetings.associated(mailbox, item)
    trash = mailbox.role("deleteditems")
    gone = [mailbox.move(event, trash)] if event is not None and event.folder != trash.id else []
    return [*gone, mailbox.move(mailbox.change(item, {**item.values, "is_read": True}), trash)]


def _suppress(call: Call, element: Xml) -> list[Item]:
    mailbox, item = _referred(call, element)
    if item.kind != "message" or not item.values.get("read_receipt"):
        raise Refused("No read receipt is pending for this item.", reason="ReadReceiptNotPending")
    mailbox.change(item, {**item.values, "read_receipt": False})
    return []


def _post_reply(call: Call, element: Xml) -> list[Item]:
    mailbox, item = _referred(call, element)
    me = call.world.named(mailbox)
    values = {
        "subject": f"RE: {mime.topic(str(item.values.get('subject') or ''))}",
        "body": _body(element, item),
        "from": me,
        "sender": me,
    }
    draft = Draft("post", {**values, **_given(element)})
    return [posting.put(mailbox, mailbox.folder(item.folder), replace(draft), posted=mailbox.moment())]


ANSWERS: Mapping[str, Callable[[Call, Xml], list[Item]]] = {
    "ReplyToItem": _reply,
    "ReplyAllToItem": _reply,
    "ForwardItem": _reply,
    "AcceptItem": _answer("Accept"),
    "TentativelyAcceptItem": _answer("Tentative"),
    "DeclineItem": _answer("Decline"),
    "CancelCalendarItem": _cancel,
    "RemoveItem": _remove,
    "SuppressReadReceipt": _suppress,
    "PostReplyItem": _post_reply,
}
