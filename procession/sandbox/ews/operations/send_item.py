"""SendItem: a draft leaves, and a copy with a new id stays if that is wanted."""

from procession.sandbox.ews import ids
from procession.sandbox.ews.batch import Call, Operation, item_of, items_of, many
from procession.sandbox.ews.creating import saved_folder
from procession.sandbox.ews.names import Xml, m
from procession.sandbox.mailbox import posting
from procession.sandbox.mailbox.items import Draft
from procession.sandbox.mailbox.words import Refused


def send_item(call: Call) -> Xml:
    save = call.request.get("SaveItemToFolder") in {"true", "1"}

    def work(_message: Xml, wanted: Xml) -> None:
        if not save and call.request.find(m("SavedItemFolderId")) is not None:
            raise Refused(
                "A folder is given, but the item is not to be saved.", reason="InvalidSendItemSaveSettings"
            )
        mailbox, item = item_of(call, wanted)
        key = wanted.get("ChangeKey")
        if not key:
            raise Refused("The change key is required for this operation.", reason="ChangeKeyRequired")
        if ids.read_change_key(key) != item.change:
            raise Refused("The change key is not that of the current item.", reason="StaleObject")
        if item.kind != "message":
            raise Refused("Only messages are sent so.", reason="InvalidItemForOperationSendItem")
        folder = saved_folder(call, "sentitems")[1] if save else None
        draft = Draft(item.kind, item.values, item.item_class, item.extended, item.attachments, item.mime)
        posting.send(call.world, mailbox, draft, save=folder)
        mailbox.remove(item)

    return many(call, "SendItem", items_of(call), work)


OPERATIONS = (Operation("SendItem", send_item),)
