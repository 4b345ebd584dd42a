"""SyncFolderItems: what changed in a folder since a state, in pages ([MS-OXWSSYNC] 3.1.4.2)."""

from procession.sandbox.ews import ids
from procession.sandbox.ews.batch import Call, Operation, folder_of, one
from procession.sandbox.ews.names import Xml, m, t
from procession.sandbox.ews.shapes import Shape, check_lists, read_shape, write_item
from procession.sandbox.ews.soap import add
from procession.sandbox.ews.states import read_state, write_state
from procession.sandbox.mailbox.changes import ChangeKind
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Refused

_TAGS = {"create": "Create", "update": "Update"}
LIMIT = 512


def sync_folder_items(call: Call) -> Xml:
    return one(call, "SyncFolderItems", lambda message: _work(call, message))


def _work(call: Call, message: Xml) -> None:
    request = call.request
    shape = read_shape(request.find(m("ItemShape")), call.rank, lists=True)
    check_lists(shape)
    try:
        mailbox, folder = folder_of(call, request.find(m("SyncFolderId"))[0])
    except Refused as refusal:
        if refusal.reason != "FolderNotFound":
            raise
        raise Refused("The folder to synchronise was not found.", reason="SyncFolderNotFound") from refusal
    given = (request.findtext(m("SyncState")) or "").strip()
    if call.faults.get("bad-state") and given:
        raise Refused(
            "Synchronization state data is corrupt or otherwise invalid.", reason="InvalidSyncStateData"
        )
    cursor = read_state(given, "items", mailbox.guid, folder.id)
    ignored = request.find(m("Ignore"))
    skip = (
        frozenset(ids.read_id(one.get("Id")).number for one in ignored)
        if ignored is not None
        else frozenset()
    )
    page = mailbox.logs[folder.id].page(cursor, int(request.findtext(m("MaxChangesReturned"))), skip=skip)
    same = call.faults.get("same-page") is not None
    state = (
        given
        if same and given
        else write_state("items", mailbox.guid, folder.id, cursor if same else page.cursor)
    )
    add(message, m("SyncState"), state)
    add(message, m("IncludesLastItemInRange"), "true" if page.last and not same else "false")
    changes = add(message, m("Changes"))
    if call.faults.get("stale") is None:
        for kind, number in page.changes:
            _write(call, changes, mailbox, (kind, number), shape)
    call.notes.append(f"{len(page.changes)} changes")


def _write(call: Call, changes: Xml, mailbox: Mailbox, change: tuple[ChangeKind, int], shape: Shape) -> None:
    kind, number = change
    item = mailbox.items.get(number)
    if kind == "delete" or item is None:
        add(add(changes, t("Delete")), t("ItemId"), None, Id=ids.item_id(mailbox, number))
    elif kind == "read":
        target = add(changes, t("ReadFlagChange"))
        add(
            target,
            t("ItemId"),
            None,
            Id=ids.id_of(mailbox, item),
            ChangeKey=ids.change_key(item.change, mailbox.guid),
        )
        add(target, t("IsRead"), "true" if item.is_read else "false")
    else:
        write_item(add(changes, t(_TAGS[kind])), call.view(item, mailbox), shape)


OPERATIONS = (Operation("SyncFolderItems", sync_folder_items),)
