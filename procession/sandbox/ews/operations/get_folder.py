"""GetFolder: folders by id or distinguished name, one response message each."""

from procession.sandbox.ews.batch import Call, Operation, folder_of, items_of, many
from procession.sandbox.ews.folders import read_folder_shape, write_folder
from procession.sandbox.ews.names import Xml, m
from procession.sandbox.ews.soap import add


def get_folder(call: Call) -> Xml:
    shape = read_folder_shape(call.request.find(m("FolderShape")), call.rank)

    def work(message: Xml, wanted: Xml) -> None:
        mailbox, folder = folder_of(call, wanted)
        write_folder(add(message, m("Folders")), mailbox, folder, shape)

    return many(call, "GetFolder", items_of(call, "FolderIds"), work, empty="Folders")


OPERATIONS = (Operation("GetFolder", get_folder),)
