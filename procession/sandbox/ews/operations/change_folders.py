"""CreateFolder, UpdateFolder, DeleteFolder, EmptyFolder, MoveFolder, CopyFolder and MarkAllItemsAsRead."""

from typing import Any

from procession.sandbox.ews.batch import Call, Operation, folder_of, items_of, many
from procession.sandbox.ews.codecs import find_text
from procession.sandbox.ews.drafts import read_property
from procession.sandbox.ews.folders import CLASSES, read_folder_shape, write_folder
from procession.sandbox.ews.names import Xml, local, m, t
from procession.sandbox.ews.operations.delete_item import dispose
from procession.sandbox.ews.operations.move_copy_item import target_folder
from procession.sandbox.ews.paths import ExtendedPath, FieldPath, read_path
from procession.sandbox.ews.soap import add
from procession.sandbox.mailbox.items import Folder
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Refused


def _written(message: Xml, mailbox: Mailbox, folder: Folder) -> None:
    write_folder(add(message, m("Folders")), mailbox, folder, read_folder_shape(None, 2016))


def create_folder(call: Call) -> Xml:
    def work(message: Xml, wanted: Xml) -> None:
        try:
            mailbox, parent = folder_of(call, call.request.find(m("ParentFolderId"))[0])
        except Refused as refusal:
            if refusal.reason != "FolderNotFound":
                raise
            raise Refused("The parent folder was not found.", reason="ParentFolderNotFound") from refusal
        name = find_text(wanted, "DisplayName").strip()
        if not name:
            raise Refused("A folder needs a display name.", reason="FolderSavePropertyError")
        if wanted.find(t("FolderId")) is not None:
            raise Refused("A new folder has no id yet.", reason="InvalidPropertySet")
        folder_class = find_text(wanted, "FolderClass") or CLASSES[local(wanted)]
        if not folder_class.startswith(CLASSES[local(wanted)]) and local(wanted) != "Folder":
            raise Refused("The class is not that of the folder.", reason="NoFolderClassOverride")
        extended = dict(read_property(child) for child in wanted.findall(t("ExtendedProperty")))
        _written(message, mailbox, mailbox.add_folder(parent.id, name, folder_class, extended=extended))

    return many(call, "CreateFolder", items_of(call, "Folders"), work, empty="Folders")


def update_folder(call: Call) -> Xml:
    def work(message: Xml, change: Xml) -> None:
        mailbox, folder = folder_of(call, change[0])
        fields: dict[str, Any] = {}
        extended = dict(folder.extended)
        for step in change.find(t("Updates")):
            _apply(step, fields, extended)
        if fields.get("name", folder.name).lower() != folder.name.lower() and mailbox.child(
            mailbox.folder(folder.parent), fields["name"]
        ):
            raise Refused("A folder with the specified name already exists.", reason="FolderExists")
        _written(message, mailbox, mailbox.change_folder(folder, **fields, extended=extended))

    return many(call, "UpdateFolder", list(call.request.find(m("FolderChanges"))), work, empty="Folders")


def _apply(step: Xml, fields: dict[str, Any], extended: dict[Any, Any]) -> None:
    path = read_path(step[0])
    deleting = local(step) == "DeleteFolderField"
    if local(step) == "AppendToFolderField":
        raise Refused("Nothing can be appended to a folder's properties.", reason="InvalidPropertyAppend")
    match path:
        case ExtendedPath() if deleting:
            extended.pop(path.name, None)
        case ExtendedPath():
            name, value = read_property(step[1].find(t("ExtendedProperty")))
            extended[name] = value
        case FieldPath(uri="folder:DisplayName") if not deleting:
            fields["name"] = find_text(step[1], "DisplayName")
        case FieldPath(uri="folder:FolderClass") if not deleting:
            fields["folder_class"] = find_text(step[1], "FolderClass")
        case FieldPath(uri="folder:PermissionSet"):
            return
        case _:
            raise Refused(
                f"{path.uri} cannot be changed.",
                reason="InvalidPropertyDelete" if deleting else "InvalidPropertySet",
            )


def delete_folder(call: Call) -> Xml:
    def work(_message: Xml, wanted: Xml) -> None:
        mailbox, folder = folder_of(call, wanted)
        _no_distinguished(folder, "DeleteDistinguishedFolder")
        trash = mailbox.role("deleteditems")
        in_trash = any(above.id == trash.id for above in mailbox.path(folder))
        if call.request.get("DeleteType") == "MoveToDeletedItems" and not in_trash:
            mailbox.change_folder(folder, parent=trash.id, name=_free_name(mailbox, trash, folder.name))
        else:
            mailbox.remove_folder(folder)

    return many(call, "DeleteFolder", items_of(call, "FolderIds"), work)


def _no_distinguished(folder: Folder, reason: str) -> None:
    if folder.role:
        raise Refused("Distinguished folders stay where they are.", reason=reason)


def _free_name(mailbox: Mailbox, parent: Folder, name: str) -> str:
    number, free = 1, name
    while mailbox.child(parent, free):
        number, free = number + 1, f"{name} {number}"
    return free


def empty_folder(call: Call) -> Xml:
    def work(_message: Xml, wanted: Xml) -> None:
        mailbox, folder = folder_of(call, wanted)
        if folder.folder_class.startswith(("IPF.Appointment", "IPF.Contact")) or folder.role in {
            "root",
            "searchfolders",
        }:
            raise Refused("This folder cannot be emptied.", reason="CannotEmptyFolder")
        for item in mailbox.contents(folder):
            dispose(mailbox, item, call.request.get("DeleteType"))
        if call.request.get("DeleteSubFolders") in {"true", "1"}:
            for child in [mailbox.folders[number] for number in mailbox.children.get(folder.id, ())]:
                mailbox.remove_folder(child)

    return many(call, "EmptyFolder", items_of(call, "FolderIds"), work)


def move_folder(call: Call) -> Xml:
    def work(message: Xml, wanted: Xml) -> None:
        target, parent = target_folder(call)
        mailbox, folder = folder_of(call, wanted)
        _no_distinguished(folder, "MoveDistinguishedFolder")
        if target is not mailbox or any(above.id == folder.id for above in mailbox.path(parent)):
            raise Refused("A folder cannot be moved there.", reason="MoveCopyFailed")
        if mailbox.child(parent, folder.name):
            raise Refused("A folder with the specified name already exists.", reason="FolderExists")
        _written(message, mailbox, mailbox.change_folder(folder, parent=parent.id))

    return many(call, "MoveFolder", items_of(call, "FolderIds"), work, empty="Folders")


def copy_folder(call: Call) -> Xml:
    def work(message: Xml, wanted: Xml) -> None:
        target, parent = target_folder(call)
        mailbox, folder = folder_of(call, wanted)
        if target is mailbox and any(above.id == folder.id for above in mailbox.path(parent)):
            raise Refused("A folder cannot be copied into itself.", reason="MoveCopyFailed")
        _written(message, target, _copy(mailbox, folder, target, parent))

    return many(call, "CopyFolder", items_of(call, "FolderIds"), work, empty="Folders")


def _copy(mailbox: Mailbox, folder: Folder, target: Mailbox, parent: Folder) -> Folder:
    made = target.add_folder(parent.id, folder.name, folder.folder_class, extended=folder.extended)
    for item in mailbox.contents(folder):
        target.duplicate(item, made)
    for number in list(mailbox.children.get(folder.id, ())):
        _copy(mailbox, mailbox.folders[number], target, made)
    return made


def mark_all(call: Call) -> Xml:
    read = (call.request.findtext(m("ReadFlag")) or "").strip() in {"true", "1"}

    def work(_message: Xml, wanted: Xml) -> None:
        mailbox, folder = folder_of(call, wanted)
        for item in mailbox.contents(folder):
            if item.is_read != read:
                mailbox.change(item, {**item.values, "is_read": read})

    return many(call, "MarkAllItemsAsRead", items_of(call, "FolderIds"), work)


OPERATIONS = (
    Operation("CreateFolder", create_folder),
    Operation("UpdateFolder", update_folder),
    Operation("DeleteFolder", delete_folder),
    Operation("EmptyFolder", empty_folder, since=2010),
    Operation("MoveFolder", move_folder),
    Operation("CopyFolder", copy_folder),
    Operation("MarkAllItemsAsRead", mark_all, since=2013),
)
