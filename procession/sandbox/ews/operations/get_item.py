"""GetItem: items by id, in the order asked, one response message each."""

from procession.sandbox.ews.batch import Call, Operation, item_of, items_of, many
from procession.sandbox.ews.names import Xml, m
from procession.sandbox.ews.shapes import read_shape, write_item
from procession.sandbox.ews.soap import add
from procession.sandbox.mailbox.items import Item
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Refused

MIME_OF_ALL = 2013
"""Before this version only messages, posts and events could be had as MIME."""


def get_item(call: Call) -> Xml:
    shape = read_shape(call.request.find(m("ItemShape")), call.rank)

    def work(message: Xml, wanted: Xml) -> None:
        mailbox, item = item_of(call, wanted)
        readable(call, item)
        if shape.mime and call.rank < MIME_OF_ALL and item.kind in {"contact", "task", "list"}:
            raise Refused("This kind of item has no MIME content.", reason="UnsupportedMimeConversion")
        write_item(add(message, m("Items")), call.view(current(call, mailbox, item), mailbox), shape)

    return many(call, "GetItem", items_of(call), work, empty="Items")


def readable(call: Call, item: Item) -> None:
    """Raises Refused for an item that a fault made unreadable."""
    if call.faults.is_poison(str(item.values.get("subject") or "")):
        raise Refused("The item is corrupt.", reason="ItemCorrupt")


def current(call: Call, mailbox: Mailbox, item: Item) -> Item:
    """The item; under the fault `stale` what it was before its last change."""
    return mailbox.stale.get(item.id, item) if call.faults.get("stale") else item


OPERATIONS = (Operation("GetItem", get_item),)
