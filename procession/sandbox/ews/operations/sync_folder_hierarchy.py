"""SyncFolderHierarchy: folders made, changed and deleted below a folder since a state ([MS-OXWSSYNC] 3.1.4.1)."""

from procession.sandbox.ews import ids
from procession.sandbox.ews.batch import Call, Operation, folder_of, one
from procession.sandbox.ews.folders import read_folder_shape, write_folder
from procession.sandbox.ews.names import Xml, m, t
from procession.sandbox.ews.soap import add
from procession.sandbox.ews.states import read_state, write_state
from procession.sandbox.mailbox.items import Folder
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Refused

_ALL = 1 << 30


def sync_folder_hierarchy(call: Call) -> Xml:
    return one(call, "SyncFolderHierarchy", lambda message: _work(call, message))


def _work(call: Call, message: Xml) -> None:
    request = call.request
    shape = read_folder_shape(request.find(m("FolderShape")), call.rank)
    mailbox, root = _root(call, request.find(m("SyncFolderId")))
    given = (request.findtext(m("SyncState")) or "").strip()
    if call.faults.get("bad-state") and given:
        raise Refused(
            "Synchronization state data is corrupt or otherwise invalid.", reason="InvalidSyncStateData"
        )
    cursor = read_state(given, "hierarchy", mailbox.guid, root.id)
    page = mailbox.hierarchy.page(cursor, _ALL)
    add(message, m("SyncState"), write_state("hierarchy", mailbox.guid, root.id, page.cursor))
    add(message, m("IncludesLastFolderInRange"), "true")
    changes = add(message, m("Changes"))
    # Creations come newest first; a parent is always older than its children, so the other way round suits a client.
    ordered = sorted(page.changes, key=lambda change: (change[0] != "create", change[1]))
    for kind, number in ordered:
        folder = mailbox.folders.get(number)
        if kind == "delete" or folder is None:
            target = add(changes, t("Delete"))
            add(target, t("FolderId"), None, Id=ids.folder_id(mailbox, number))
        elif folder.id != root.id and _is_below(mailbox, folder, root):
            write_folder(add(changes, t("Create" if kind == "create" else "Update")), mailbox, folder, shape)


def _root(call: Call, wanted: Xml | None) -> tuple[Mailbox, Folder]:
    if wanted is None:
        return call.mailbox, call.mailbox.role("msgfolderroot")
    try:
        return folder_of(call, wanted[0])
    except Refused as refusal:
        if refusal.reason != "FolderNotFound":
            raise
        raise Refused("The folder to synchronise was not found.", reason="SyncFolderNotFound") from refusal


def _is_below(mailbox: Mailbox, folder: Folder, root: Folder) -> bool:
    return any(above.id == root.id for above in mailbox.path(folder))


OPERATIONS = (Operation("SyncFolderHierarchy", sync_folder_hierarchy),)
