"""CreateItem: new items, sent or saved; and the response objects that answer an item."""

from procession.sandbox.ews.answers import ANSWERS
from procession.sandbox.ews.batch import Call, Operation, items_of, many
from procession.sandbox.ews.creating import create
from procession.sandbox.ews.drafts import read_item
from procession.sandbox.ews.fields import KINDS
from procession.sandbox.ews.names import Xml, local, m
from procession.sandbox.ews.shapes import Shape, write_item
from procession.sandbox.ews.soap import add
from procession.sandbox.mailbox.words import Refused

_CREATABLE = frozenset({"item", "message", "event", "contact", "task", "list", "post"})


def create_item(call: Call) -> Xml:
    def work(message: Xml, wanted: Xml) -> None:
        name = local(wanted)
        if name in ANSWERS:
            created = ANSWERS[name](call, wanted)
        elif KINDS.get(name) in _CREATABLE:
            created = create(call, read_item(wanted, call.zone))
        else:
            raise Refused(f"A {name} cannot be created.", reason="InvalidItemForOperationCreateItem")
        items = add(message, m("Items"))
        for item in created:
            write_item(items, call.view(item), Shape(version=call.rank))

    return many(call, "CreateItem", items_of(call, "Items"), work, empty="Items")


OPERATIONS = (Operation("CreateItem", create_item),)
