"""Folders as XML, and which folder properties a request asks for."""

from dataclasses import dataclass

from procession.sandbox.ews import ids
from procession.sandbox.ews.codecs import RIGHTS, find_text
from procession.sandbox.ews.mapi import folder_property
from procession.sandbox.ews.names import Xml, t
from procession.sandbox.ews.paths import ExtendedPath, FieldPath, IndexedPath, paths_in
from procession.sandbox.ews.shapes import write_property
from procession.sandbox.ews.soap import add
from procession.sandbox.mailbox.items import Folder
from procession.sandbox.mailbox.store import Mailbox

ELEMENTS = {
    "IPF.Appointment": "CalendarFolder",
    "IPF.Contact": "ContactsFolder",
    "IPF.Task": "TasksFolder",
}
CLASSES = {
    "Folder": "IPF.Note",
    "SearchFolder": "IPF.Note",
    **{name: folder_class for folder_class, name in ELEMENTS.items()},
}
_DEFAULT = frozenset(
    {
        "folder:FolderId",
        "folder:DisplayName",
        "folder:TotalCount",
        "folder:ChildFolderCount",
        "folder:UnreadCount",
    }
)
_ALL = _DEFAULT | {
    "folder:ParentFolderId",
    "folder:FolderClass",
    "folder:EffectiveRights",
    "folder:DistinguishedFolderId",
}


@dataclass(frozen=True, slots=True)
class FolderShape:
    uris: frozenset[str]
    extra: tuple[ExtendedPath, ...] = ()
    version: int = 2016


def read_folder_shape(element: Xml | None, version: int) -> FolderShape:
    if element is None:
        return FolderShape(frozenset({"folder:FolderId"}), (), version)
    paths: tuple[FieldPath | IndexedPath | ExtendedPath, ...] = paths_in(
        element.find(t("AdditionalProperties"))
    )
    base = {"Default": _DEFAULT, "AllProperties": _ALL}.get(find_text(element, "BaseShape"), frozenset())
    asked = {path.uri for path in paths if isinstance(path, FieldPath)}
    extended = tuple(path for path in paths if isinstance(path, ExtendedPath))
    return FolderShape(base | asked | {"folder:FolderId"}, extended, version)


def element_name(folder: Folder) -> str:
    if folder.role == "searchfolders":
        return "Folder"
    return next((name for start, name in ELEMENTS.items() if folder.folder_class.startswith(start)), "Folder")


def write_folder_id(parent: Xml, mailbox: Mailbox, folder: Folder, tag: str = "FolderId") -> None:
    add(parent, t(tag), None, Id=ids.folder_id(mailbox, folder.id), ChangeKey=ids.folder_key(mailbox, folder))


def write_folder(parent: Xml, mailbox: Mailbox, folder: Folder, shape: FolderShape) -> Xml:
    """A folder as an element of its kind, in the order of the schema."""
    element = add(parent, t(element_name(folder)))
    asked, order = shape.uris, mailbox.orders[folder.id]
    write_folder_id(element, mailbox, folder)
    if "folder:ParentFolderId" in asked and folder.parent in mailbox.folders:
        write_folder_id(element, mailbox, mailbox.folders[folder.parent], "ParentFolderId")
    if "folder:FolderClass" in asked and folder.folder_class:
        add(element, t("FolderClass"), folder.folder_class)
    if "folder:DisplayName" in asked:
        add(element, t("DisplayName"), folder.name)
    if "folder:TotalCount" in asked:
        add(element, t("TotalCount"), str(len(order.entries)))
    if "folder:ChildFolderCount" in asked:
        add(element, t("ChildFolderCount"), str(len(mailbox.children.get(folder.id, ()))))
    _write_extended(element, mailbox, folder, shape)
    if "folder:EffectiveRights" in asked:
        RIGHTS.write(element, t("EffectiveRights"), True)
    if "folder:DistinguishedFolderId" in asked and folder.role and shape.version >= 2013:  # noqa: PLR2004 - since Exchange 2013
        add(element, t("DistinguishedFolderId"), folder.role)
    if "folder:UnreadCount" in asked and element_name(folder) in {"Folder", "TasksFolder"}:
        add(element, t("UnreadCount"), str(order.unread))
    return element


def _write_extended(element: Xml, mailbox: Mailbox, folder: Folder, shape: FolderShape) -> None:
    for path in shape.extra:
        value = folder_property(mailbox, folder, path.name)
        if value is not None:
            write_property(element, path.element, value)
