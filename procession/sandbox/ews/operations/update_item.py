"""UpdateItem: properties set, deleted and appended to, with three ways to settle conflicts ([MS-OXWSCORE] 3.1.4.9)."""

from dataclasses import replace

from procession.sandbox.ews import ids
from procession.sandbox.ews.batch import Call, Operation, item_of, many
from procession.sandbox.ews.creating import DISPOSITIONS, saved_folder
from procession.sandbox.ews.drafts import settle
from procession.sandbox.ews.names import Xml, m, t
from procession.sandbox.ews.shapes import Shape, write_item
from procession.sandbox.ews.soap import add
from procession.sandbox.ews.updates import Update, read_update
from procession.sandbox.mailbox import meetings, posting, series, tasks
from procession.sandbox.mailbox.items import MAIL_KINDS, Draft, Item
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Refused


def update_item(call: Call) -> Xml:
    def work(message: Xml, change: Xml) -> None:
        wanted = change[0]
        mailbox, item = item_of(call, wanted)
        _check_key(call, item, wanted.get("ChangeKey"))
        changed = _update(call, mailbox, item, change.find(t("Updates")))
        items = add(message, m("Items"))
        if changed is not None:
            write_item(items, call.view(changed, mailbox), Shape(version=call.rank))
        add(add(message, m("ConflictResults")), t("Count"), "0")

    return many(call, "UpdateItem", list(call.request.find(m("ItemChanges"))), work, empty="Items")


def _check_key(call: Call, item: Item, key: str | None) -> None:
    """Raises Refused when the caller's version is not the current one and its way to settle that says so."""
    how = call.request.get("ConflictResolution")
    if not key:
        if how == "AlwaysOverwrite":
            return
        raise Refused(
            "The change key is required for this operation.", reason="ChangeKeyRequiredForWriteOperations"
        )
    number = ids.read_change_key(key)
    if how == "NeverOverwrite" and number != item.change:
        raise Refused("The send or update operation could not be performed because the change key passed in the request does not match the current change key for the item.", reason="IrresolvableConflict")  # fmt: skip


def _update(call: Call, mailbox: Mailbox, item: Item, changes: Xml) -> Item | None:
    update = read_update(item, changes, call.zone)
    values = settle(item.kind, update.values, frozenset(update.changed), mailbox.moment(), call.zone)
    values = posting.introduced(call.world, values)
    if series.is_occurrence(item):
        return _update_occurrence(call, mailbox, item, (values, update))
    if item.kind == "event":
        return _update_event(call, mailbox, item, (values, update))
    if item.kind == "task" and values.get("recurrence") and values["status"] == "Completed":
        return tasks.complete(mailbox, item, values)
    changed = _write(mailbox, item, values, update)
    return _send(call, mailbox, changed) if item.kind in MAIL_KINDS else changed


def _write(mailbox: Mailbox, item: Item, values: dict[str, object], update: Update) -> Item:
    added = item.attachments if update.attachments is None else posting.numbered(mailbox, update.attachments)
    return mailbox.change(
        item,
        values,
        extended=update.extended,
        item_class=update.item_class,
        mime=update.mime,
        attachments=added,
    )


def _send(call: Call, mailbox: Mailbox, item: Item) -> Item | None:
    """A message that is updated may be sent at once."""
    disposition = call.request.get("MessageDisposition")
    if disposition is None and item.values.get("is_draft"):
        raise Refused(
            "The MessageDisposition attribute is required for messages.", reason="MessageDispositionRequired"
        )
    if disposition in {None, "SaveOnly"}:
        return item
    _, folder = saved_folder(call, DISPOSITIONS[str(disposition)])
    draft = Draft(item.kind, item.values, item.item_class, item.extended, item.attachments, item.mime)
    posting.send(call.world, mailbox, draft, save=folder if disposition == "SendAndSaveCopy" else None)
    mailbox.remove(item)
    return None


def _mode(call: Call) -> str:
    mode = call.request.get("SendMeetingInvitationsOrCancellations")
    if mode is None:
        raise Refused(
            "The SendMeetingInvitationsOrCancellations attribute is required for calendar items.",
            reason="SendMeetingInvitationsOrCancellationsRequired",
        )
    return str(mode)


def _update_event(call: Call, mailbox: Mailbox, item: Item, new: tuple[dict[str, object], Update]) -> Item:
    values, update = new
    mode = _mode(call)
    moved = any(item.values.get(word) != values.get(word) for word in meetings.TIMES)
    if moved and meetings.is_meeting(item) and meetings.is_organizer(mailbox, item):
        values["sequence"] = item.values.get("sequence", 0) + 1
    if any(values.get(word) for word in meetings.LISTS) and values.get("my_response") == "Unknown":
        values["my_response"] = "Organizer"
    base = item
    if item.values.get("recurrence") != values.get("recurrence") or (moved and item.values.get("recurrence")):
        # Another pattern or another time makes other occurrences: the exceptions of the old ones go.
        base = (
            mailbox.change(item, overrides={}, dropped=frozenset())
            if item.overrides or item.dropped
            else item
        )
    changed = _write(mailbox, base, values, update)
    return meetings.update(call.world, mailbox, item, changed, mode)


def _update_occurrence(
    call: Call, mailbox: Mailbox, item: Item, new: tuple[dict[str, object], Update]
) -> Item:
    values, update = new
    mode = _mode(call)
    if "recurrence" in values:
        raise Refused("An occurrence has no recurrence of its own.", reason="CalendarInvalidPropertyState")
    if update.extended != item.extended or update.attachments is not None:
        raise Refused(
            "Extended properties and attachments of a single occurrence are not kept here.",
            reason="InvalidPropertySet",
        )
    master = mailbox.item(item.id)
    changed = series.change_occurrence(mailbox, master, item.values["occurrence_of"], values)
    people = replace(
        changed, values={**changed.values, "request_sent": master.values.get("request_sent", False)}
    )
    if mode != "SendToNone" and meetings.is_meeting(changed):
        before = replace(
            item, values={**item.values, "request_sent": master.values.get("request_sent", False)}
        )
        meetings.update(call.world, mailbox, before, people, mode)
    return changed


OPERATIONS = (Operation("UpdateItem", update_item),)
