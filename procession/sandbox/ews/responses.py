"""What an item can be answered with, as `ResponseObjects` list it."""

from procession.sandbox.ews.computed import View
from procession.sandbox.ews.names import Xml, t
from procession.sandbox.ews.soap import add
from procession.sandbox.mailbox import meetings

_MAIL = ("ReplyToItem", "ReplyAllToItem", "ForwardItem")
_ANSWERS = ("AcceptItem", "TentativelyAcceptItem", "DeclineItem")


def possible(view: View) -> tuple[str, ...]:
    """The response objects that CreateItem takes for an item, by element name."""
    item = view.item
    match item.kind:
        case "message" | "meeting_response":
            if item.values.get("is_draft"):
                return ()
            receipt = ("SuppressReadReceipt",) if item.values.get("read_receipt") and not item.is_read else ()
            return _MAIL + receipt
        case "meeting_request":
            return (*_ANSWERS, *_MAIL)
        case "meeting_cancellation":
            return ("RemoveItem", *_MAIL)
        case "event" if meetings.is_meeting(item) and not meetings.is_organizer(view.mailbox, item):
            return (*_ANSWERS, *_MAIL)
        case "event" if meetings.is_meeting(item):
            return ("CancelCalendarItem", "ForwardItem")
        case "event":
            return ("ForwardItem",)
        case "post":
            return ("PostReplyItem", "ReplyToItem", "ForwardItem")
        case _:
            return ()


def write_response_objects(element: Xml, view: View) -> None:
    names = possible(view)
    if names:
        target = add(element, t("ResponseObjects"))
        for name in names:
            add(target, t(name))
