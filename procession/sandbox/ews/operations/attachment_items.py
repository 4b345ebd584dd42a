"""CreateAttachment, GetAttachment and DeleteAttachment ([MS-OXWSATT])."""

from procession.sandbox.ews import ids
from procession.sandbox.ews.attachments import read_attachments, write_content, write_summary
from procession.sandbox.ews.batch import Call, Operation, item_of, items_of, many
from procession.sandbox.ews.names import Xml, m
from procession.sandbox.ews.shapes import Shape, read_shape, write_item
from procession.sandbox.ews.soap import add
from procession.sandbox.mailbox import posting, series
from procession.sandbox.mailbox.items import Item
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Attachment, Refused


def create_attachment(call: Call) -> Xml:
    parent = call.request.find(m("ParentItemId"))

    def work(message: Xml, wanted: Xml) -> None:
        mailbox, item = item_of(call, parent)
        if series.is_occurrence(item):
            raise Refused(
                "Attachments of a single occurrence are not kept here.",
                reason="InvalidItemForOperationCreateItemAttachment",
            )
        (made,) = posting.numbered(mailbox, read_attachments([wanted], call.zone))
        changed = mailbox.change(item, attachments=(*item.attachments, made), mime=b"")
        summary = write_summary(add(message, m("Attachments")), call.view(changed, mailbox), made, root=True)
        # The reply names the new attachment and what it hangs on, nothing else ([MS-OXWSATT] 3.1.4.1).
        for child in list(summary)[1:]:
            summary.remove(child)

    return many(call, "CreateAttachment", items_of(call, "Attachments"), work, empty="Attachments")


def _attachment(call: Call, wanted: Xml) -> tuple[Mailbox, Item, Attachment]:
    found = ids.read_id(wanted.get("Id"))
    if found.kind != "attachment":
        raise Refused("The id is not that of an attachment.", reason="InvalidAttachmentId")
    plain = ids.mailbox_of(found, call.world.mailboxes.values())
    if plain is None or plain is not call.mailbox:
        raise Refused("The specified object was not found in the store.", reason="ItemNotFound")
    item = plain.item(found.number)
    part = next((part for part in item.attachments if part.number == found.attachments[-1]), None)
    if part is None:
        raise Refused("The specified object was not found in the store.", reason="ItemNotFound")
    return plain, item, part


def get_attachment(call: Call) -> Xml:
    wanted_shape = call.request.find(m("AttachmentShape"))
    shape = read_shape(wanted_shape, call.rank) if wanted_shape is not None else Shape()

    def work(message: Xml, wanted: Xml) -> None:
        mailbox, item, part = _attachment(call, wanted)
        element = write_summary(add(message, m("Attachments")), call.view(item, mailbox), part)
        if part.item is None:
            write_content(element, part)
            return
        inner = Shape(
            "AllProperties", shape.extra, shape.mime, shape.body_type, shape.filter_html, version=call.rank
        )
        written = write_item(element, call.view(part.item, mailbox), inner)
        for name in ("ItemId", "ParentFolderId"):
            for child in written.findall(f"{{*}}{name}"):
                written.remove(child)

    return many(call, "GetAttachment", items_of(call, "AttachmentIds"), work, empty="Attachments")


def delete_attachment(call: Call) -> Xml:
    def work(message: Xml, wanted: Xml) -> None:
        mailbox, item, part = _attachment(call, wanted)
        rest = tuple(other for other in item.attachments if other is not part)
        changed = mailbox.change(item, attachments=rest, mime=b"")
        view = call.view(changed, mailbox)
        add(message, m("RootItemId"), None, RootItemId=view.id, RootItemChangeKey=view.change_key)

    return many(call, "DeleteAttachment", items_of(call, "AttachmentIds"), work)


OPERATIONS = (
    Operation("CreateAttachment", create_attachment),
    Operation("GetAttachment", get_attachment),
    Operation("DeleteAttachment", delete_attachment),
)
