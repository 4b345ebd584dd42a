"""FindFolder: the folders below others, one level or all, filtered and paged."""

from collections.abc import Callable
from typing import Any

from procession.sandbox.ews.batch import Call, Operation, folder_of, items_of, many
from procession.sandbox.ews.folders import read_folder_shape, write_folder
from procession.sandbox.ews.mapi import folder_property
from procession.sandbox.ews.names import Xml, local, m, t
from procession.sandbox.ews.paths import ExtendedPath, read_path
from procession.sandbox.ews.soap import add
from procession.sandbox.mailbox.items import Folder
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Refused

Test = Callable[[Mailbox, Folder], bool]
_VALUES: dict[str, Callable[[Mailbox, Folder], Any]] = {
    "folder:DisplayName": lambda _mailbox, folder: folder.name,
    "folder:FolderClass": lambda _mailbox, folder: folder.folder_class,
    "folder:TotalCount": lambda mailbox, folder: len(mailbox.orders[folder.id].entries),
    "folder:UnreadCount": lambda mailbox, folder: mailbox.orders[folder.id].unread,
    "folder:ChildFolderCount": lambda mailbox, folder: len(mailbox.children.get(folder.id, ())),
}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "IsEqualTo": lambda value, wanted: value == wanted,
    "IsNotEqualTo": lambda value, wanted: value != wanted,
    "IsGreaterThan": lambda value, wanted: value > wanted,
    "IsGreaterThanOrEqualTo": lambda value, wanted: value >= wanted,
    "IsLessThan": lambda value, wanted: value < wanted,
    "IsLessThanOrEqualTo": lambda value, wanted: value <= wanted,
}


def find_folder(call: Call) -> Xml:
    shape = read_folder_shape(call.request.find(m("FolderShape")), call.rank)
    restriction = call.request.find(m("Restriction"))

    def work(message: Xml, wanted: Xml) -> None:
        mailbox, root = folder_of(call, wanted)
        test = _test(restriction[0]) if restriction is not None else None
        found = [folder for folder in _below(call, mailbox, root) if test is None or test(mailbox, folder)]
        offset, limit = _page(call.request, len(found))
        last = offset + limit >= len(found)
        place = {"IndexedPagingOffset": str(min(offset + limit, len(found)))}
        target = add(message, m("RootFolder"), None, **place, TotalItemsInView=str(len(found)), IncludesLastItemInRange="true" if last else "false")  # fmt: skip
        folders = add(target, t("Folders"))
        for folder in found[offset : offset + limit]:
            write_folder(folders, mailbox, folder, shape)

    return many(call, "FindFolder", items_of(call, "ParentFolderIds"), work)


def _below(call: Call, mailbox: Mailbox, root: Folder) -> list[Folder]:
    if call.request.get("Traversal") == "Deep":
        return list(mailbox.below(root))
    if call.request.get("Traversal") == "SoftDeleted":
        return []
    return [mailbox.folders[number] for number in mailbox.children.get(root.id, ())]


def _page(request: Xml, total: int) -> tuple[int, int]:
    view = request.find(m("IndexedPageFolderView"))
    if view is None:
        return 0, max(total, 1)
    limit, offset = int(view.get("MaxEntriesReturned", max(total, 1))), int(view.get("Offset"))
    if offset < 0 or limit < 1:
        raise Refused("The offset of a page is 0 or more.", reason="InvalidIndexedPagingParameters")
    return (max(0, total - offset - limit) if view.get("BasePoint") == "End" else offset), limit


def _test(element: Xml) -> Test:
    """A restriction as a test of a folder.

    Raises:
        Refused: of a property that folders cannot be searched by.
    """
    match local(element):
        case "And":
            parts = [_test(child) for child in element]
            return lambda mailbox, folder: all(part(mailbox, folder) for part in parts)
        case "Or":
            parts = [_test(child) for child in element]
            return lambda mailbox, folder: any(part(mailbox, folder) for part in parts)
        case "Not":
            inner = _test(element[0])
            return lambda mailbox, folder: not inner(mailbox, folder)
        case "Exists":
            present = _value(element[0])
            return lambda mailbox, folder: present(mailbox, folder) not in (None, "")
        case "Contains":
            value, wanted = _value(element[0]), element.find(t("Constant")).get("Value").casefold()
            return lambda mailbox, folder: wanted in str(value(mailbox, folder) or "").casefold()
        case name if name in _COMPARE:
            return _comparison(name, element)
        case name:
            raise Refused(f"The search expression {name} is not supported.", reason="UnsupportedQueryFilter")


def _comparison(name: str, element: Xml) -> Test:
    compare, value, wanted = _COMPARE[name], _value(element[0]), element[1][0].get("Value", "")

    def test(mailbox: Mailbox, folder: Folder) -> bool:
        found = value(mailbox, folder)
        if found is None:
            return name == "IsNotEqualTo"
        return (
            compare(found, type(found)(wanted))
            if not isinstance(found, str)
            else compare(found.casefold(), wanted.casefold())
        )

    return test


def _value(element: Xml) -> Callable[[Mailbox, Folder], Any]:
    path = read_path(element)
    if isinstance(path, ExtendedPath):
        return lambda mailbox, folder: folder_property(mailbox, folder, path.name)
    if path.uri not in _VALUES:
        raise Refused(f"Folders cannot be searched by {path.uri}.", reason="UnsupportedPathForQuery")
    return _VALUES[path.uri]


OPERATIONS = (Operation("FindFolder", find_folder),)
