"""MoveItem and CopyItem: items put into another folder, where they have new ids."""

from collections.abc import Callable

from procession.sandbox.ews.batch import Call, Operation, folder_of, item_of, items_of, many
from procession.sandbox.ews.creating import check_home
from procession.sandbox.ews.names import Xml, m
from procession.sandbox.ews.shapes import Shape, write_item
from procession.sandbox.ews.soap import add
from procession.sandbox.mailbox import series
from procession.sandbox.mailbox.items import Folder, Item
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Refused


def _moving(name: str, act: Callable[[Mailbox, Item, Folder], Item]) -> Operation:
    def run(call: Call) -> Xml:
        def work(message: Xml, wanted: Xml) -> None:
            target, folder = target_folder(call)
            mailbox, item = item_of(call, wanted)
            if series.is_occurrence(item):
                raise Refused(
                    "An occurrence cannot be moved or copied.", reason="CalendarCannotMoveOrCopyOccurrence"
                )
            if folder.folder_class.startswith("IPF.Note") is False and folder.role not in {
                "deleteditems",
                "recoverableitemsdeletions",
            }:
                check_home(folder, item.kind)
            if target is not mailbox and name == "MoveItem":
                result = target.duplicate(item, folder)
                mailbox.remove(item)
            else:
                result = act(target, item, folder)
            items = add(message, m("Items"))
            if call.request.findtext(m("ReturnNewItemIds")) not in {"false", "0"}:
                write_item(items, call.view(result, target), Shape(version=call.rank))

        return many(call, name, items_of(call), work, empty="Items")

    return Operation(name, run)


def target_folder(call: Call) -> tuple[Mailbox, Folder]:
    try:
        return folder_of(call, call.request.find(m("ToFolderId"))[0])
    except Refused as refusal:
        if refusal.reason != "FolderNotFound":
            raise
        raise Refused("The destination folder was not found.", reason="ToFolderNotFound") from refusal


OPERATIONS = (
    _moving("MoveItem", lambda mailbox, item, folder: mailbox.move(item, folder)),
    _moving("CopyItem", lambda mailbox, item, folder: mailbox.duplicate(item, folder)),
)
