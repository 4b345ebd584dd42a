"""DeleteItem: three ways to delete, cancellations, and occurrences of series and tasks."""

from procession.sandbox.ews.batch import Call, Operation, item_of, items_of, many
from procession.sandbox.ews.names import Xml, local
from procession.sandbox.mailbox import meetings, series, tasks
from procession.sandbox.mailbox.items import Item
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Refused


def delete_item(call: Call) -> Xml:
    def work(_message: Xml, wanted: Xml) -> None:
        mailbox, item = item_of(call, wanted)
        if item.kind == "task":
            _check_task(call)
        if item.kind == "event":
            _check_event(call, wanted, item)
            _cancel(call, mailbox, item)
        _delete(call, mailbox, item)

    return many(call, "DeleteItem", items_of(call), work)


def _check_task(call: Call) -> None:
    if call.request.get("AffectedTaskOccurrences") is None:
        raise Refused(
            "AffectedTaskOccurrences must be specified for tasks.", reason="AffectedTaskOccurrencesRequired"
        )


def _check_event(call: Call, wanted: Xml, item: Item) -> None:
    if call.request.get("SendMeetingCancellations") is None:
        raise Refused(
            "SendMeetingCancellations must be specified for calendar items.",
            reason="SendMeetingCancellationsRequired",
        )
    if local(wanted) == "RecurringMasterItemId" and not series.is_series(item):
        raise Refused("The specified object was not found in the store.", reason="ItemNotFound")


def _cancel(call: Call, mailbox: Mailbox, item: Item) -> None:
    mode = call.request.get("SendMeetingCancellations")
    if mode == "SendToNone" or not meetings.is_meeting(item):
        return
    save = mode == "SendToAllAndSaveCopy"
    if meetings.is_organizer(mailbox, item):
        if item.values.get("request_sent"):
            meetings.cancel(call.world, mailbox, item, save=save)
    elif not item.values.get("is_cancelled"):
        meetings.answer_back(call.world, mailbox, item, meetings.Answer("Decline", save=save))


def _delete(call: Call, mailbox: Mailbox, item: Item) -> None:
    if series.is_occurrence(item):
        series.drop_occurrence(mailbox, mailbox.item(item.id), item.values["occurrence_of"])
        return
    if (
        item.kind == "task"
        and item.values.get("recurrence")
        and call.request.get("AffectedTaskOccurrences") == "SpecifiedOccurrenceOnly"
    ):
        tasks.delete_occurrence(mailbox, item)
        return
    dispose(mailbox, item, call.request.get("DeleteType"))


def dispose(mailbox: Mailbox, item: Item, how: str) -> None:
    """HardDelete, SoftDelete or MoveToDeletedItems."""
    trash, dumpster = mailbox.role("deleteditems"), mailbox.role("recoverableitemsdeletions")
    if how == "HardDelete" or item.folder == dumpster.id:
        mailbox.remove(item)
    elif how == "SoftDelete" or item.folder == trash.id:
        mailbox.move(item, dumpster)
    else:
        mailbox.move(item, trash)


OPERATIONS = (Operation("DeleteItem", delete_item),)
