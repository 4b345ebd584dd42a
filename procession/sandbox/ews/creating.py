"""A new item put where it belongs, sent or not: what CreateItem and its response objects have in common."""

from procession.sandbox.ews.batch import Call, folder_of
from procession.sandbox.ews.drafts import settle
from procession.sandbox.ews.names import m
from procession.sandbox.mailbox import meetings, posting
from procession.sandbox.mailbox.items import Draft, Folder, Item
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Refused

_HOMES = {"event": "calendar", "contact": "contacts", "list": "contacts", "task": "tasks", "post": "inbox"}
_WRONG_HOME = {
    "event": ("IPF.Appointment", "CannotCreateCalendarItemInNonCalendarFolder"),
    "contact": ("IPF.Contact", "CannotCreateContactInNonContactFolder"),
    "list": ("IPF.Contact", "CannotCreateContactInNonContactFolder"),
    "task": ("IPF.Task", "CannotCreateTaskInNonTaskFolder"),
}
DISPOSITIONS = {"SaveOnly": "drafts", "SendAndSaveCopy": "sentitems", "SendOnly": "sentitems"}


def saved_folder(call: Call, role: str) -> tuple[Mailbox, Folder]:
    """The folder that `SavedItemFolderId` names, or the usual one."""
    wanted = call.request.find(m("SavedItemFolderId"))
    if wanted is None:
        return call.mailbox, call.mailbox.role(role)
    try:
        return folder_of(call, wanted[0])
    except Refused as refusal:
        if refusal.reason != "FolderNotFound":
            raise
        raise Refused("The folder to save into was not found.", reason="SavedItemFolderNotFound") from refusal


def create(call: Call, draft: Draft) -> list[Item]:
    """A new item; what CreateItem answers with.

    Raises:
        Refused: it cannot be made, or the request lacks what its kind needs.
    """
    values = settle(draft.kind, draft.values, frozenset(draft.values), call.mailbox.moment(), call.zone)
    values = posting.introduced(call.world, values)
    settled = Draft(draft.kind, values, draft.item_class, draft.extended, draft.attachments, draft.mime)
    if draft.kind == "event":
        return [create_event(call, settled)]
    if draft.kind in _HOMES:
        mailbox, folder = saved_folder(call, _HOMES[draft.kind])
        check_home(folder, draft.kind)
        owned = {"task_owner": mailbox.name} if draft.kind == "task" else {}
        posted = (
            {"posted": call.mailbox.moment(), "from": call.world.named(mailbox)}
            if draft.kind == "post"
            else {}
        )
        return [posting.put(mailbox, folder, settled, **owned, **posted)]
    return create_message(call, settled)


def check_home(folder: Folder, kind: str) -> None:
    wanted, reason = _WRONG_HOME.get(kind, ("", ""))
    if reason and not folder.folder_class.startswith(wanted):
        raise Refused("The folder is not for items of this kind.", reason=reason)


def create_message(call: Call, draft: Draft) -> list[Item]:
    disposition = call.request.get("MessageDisposition")
    if disposition is None:
        raise Refused(
            "The MessageDisposition attribute is required for messages.", reason="MessageDispositionRequired"
        )
    mailbox, folder = saved_folder(call, DISPOSITIONS[disposition])
    if disposition != "SaveOnly":
        posting.send(
            call.world, call.mailbox, draft, save=folder if disposition == "SendAndSaveCopy" else None
        )
        return []
    me = call.world.named(mailbox)
    own = {
        "is_read": draft.values.get("is_read", True),
        "from": draft.values.get("from", me),
        "sender": draft.values.get("sender", me),
    }
    own |= {"message_id": draft.values.get("message_id") or posting.message_id(mailbox)}
    # A note that says by its flags that it was received is no draft: how a client files mail it fetched elsewhere.
    return [posting.put(mailbox, folder, draft, is_draft=not _is_filed(draft), **own)]


def _is_filed(draft: Draft) -> bool:
    """Does an extended property say that the message is not a draft (PR_MESSAGE_FLAGS without MSGFLAG_UNSENT)?"""
    unsent = 8
    flags = next((value for name, value in draft.extended.items() if name.tag == 0x0E07), None)  # noqa: PLR2004 - PR_MESSAGE_FLAGS
    return flags is not None and not int(flags) & unsent


def create_event(call: Call, draft: Draft) -> Item:
    mode = call.request.get("SendMeetingInvitations")
    if mode is None:
        raise Refused(
            "The SendMeetingInvitations attribute is required for calendar items.",
            reason="SendMeetingInvitationsRequired",
        )
    mailbox, folder = saved_folder(call, "calendar")
    check_home(folder, "event")
    values = meetings.organized(mailbox, draft.values, call.world.named(mailbox))
    item = posting.put(
        mailbox, folder, Draft("event", values, draft.item_class, draft.extended, draft.attachments)
    )
    people = meetings.attendees(item)
    if mode != "SendToNone" and people:
        item = meetings.invite(call.world, mailbox, item, people, save=mode == "SendToAllAndSaveCopy")
    return item
