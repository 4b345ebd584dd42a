"""Commands about folders: SELECT, LIST, STATUS, CREATE and their like."""

from collections.abc import Mapping
from typing import Any

from procession.sandbox.imap import names
from procession.sandbox.imap.flags import SYSTEM
from procession.sandbox.imap.selected import Selected
from procession.sandbox.imap.session import Command, No, Session
from procession.sandbox.imap.syntax import Malformed, quoted, text
from procession.sandbox.mailbox.items import Folder
from procession.sandbox.mailbox.store import Mailbox


def select(session: Session, words: list[Any]) -> str:
    return _open(session, words, read_only=False)


def examine(session: Session, words: list[Any]) -> str:
    return _open(session, words, read_only=True)


def _open(session: Session, words: list[Any], *, read_only: bool) -> str:
    folder = session.find(text(words[0]))
    if (
        len(words) > 1
        and isinstance(words[1], list)
        and "CONDSTORE" in {text(word).upper() for word in words[1]}
    ):
        session.condstore = True
    selected = Selected(session.user, folder, read_only, session.condstore)
    selected.open()
    session.selected = selected
    order = session.user.orders[folder.id]
    session.put(f"* FLAGS ({' '.join(SYSTEM)})")
    session.put(
        f"* OK [PERMANENTFLAGS ({'' if read_only else ' '.join(SYSTEM) + ' ' + chr(92) + '*'})] Flags that stay"
    )
    session.put(f"* {len(selected.known)} EXISTS")
    session.put("* 0 RECENT")
    if order.unread:
        first = next((number for number, _, item in selected.items() if not item.is_read), None)
        if first is not None:
            session.put(f"* OK [UNSEEN {first}] First unread")
    session.put(f"* OK [UIDVALIDITY {folder.created}] UIDs are valid")
    session.put(f"* OK [UIDNEXT {session.world.ticker.last + 1}] Next UID")
    session.put(f"* OK [HIGHESTMODSEQ {selected.highest}] Highest modification")
    return "[READ-ONLY] Opened" if read_only else "[READ-WRITE] Opened"


def close(session: Session, _words: list[Any]) -> str:
    selected = session.folder
    if not selected.read_only:
        for _, _, item in list(selected.items()):
            if item.values.get("imap_deleted"):
                session.user.remove(item)
    session.selected = None
    return "Closed"


def unselect(session: Session, _words: list[Any]) -> str:
    session.selected = None
    return "Closed"


def list_folders(session: Session, words: list[Any]) -> str:
    return _list(session, words, "LIST")


def lsub(session: Session, words: list[Any]) -> str:
    return _list(session, words, "LSUB")


def _list(session: Session, words: list[Any], reply: str) -> str:
    special = isinstance(words[0], list)
    reference, patterns = words[1 if special else 0], words[2 if special else 1]
    if text(patterns if not isinstance(patterns, list) else "") == "" and not isinstance(patterns, list):
        session.put(f'* {reply} (\\Noselect) "/" ""')
        return "Listed"
    for pattern in patterns if isinstance(patterns, list) else [patterns]:
        for name, folder in names.matching(session.user, text(reference), text(pattern)):
            if (
                special
                and "SPECIAL-USE" in {text(word).upper() for word in words[0]}
                and folder.role not in names.SPECIAL
            ):
                continue
            session.put(
                b'* %b (%b) "/" %b'
                % (
                    reply.encode(),
                    names.attributes(session.user, folder).encode(),
                    quoted(names.encode(name)),
                )
            )
    return "Listed"


def status(session: Session, words: list[Any]) -> str:
    folder, mailbox = session.find(text(words[0])), session.user
    if len(words) < 2 or not isinstance(words[1], list):  # noqa: PLR2004 - a folder and what is asked
        raise Malformed("STATUS asks for a list of things.")
    order = mailbox.orders[folder.id]
    values = {
        "MESSAGES": len(order.entries),
        "RECENT": 0,
        "UIDNEXT": session.world.ticker.last + 1,
        "UIDVALIDITY": folder.created,
        "UNSEEN": order.unread,
        "HIGHESTMODSEQ": max(mailbox.logs[folder.id].last, folder.created),
    }
    asked = [text(word).upper() for word in words[1]]
    session.condstore |= "HIGHESTMODSEQ" in asked
    unknown = [word for word in asked if word not in values]
    if unknown:
        raise Malformed(f"STATUS knows no {unknown[0]}.")
    row = " ".join(f"{word} {values[word]}" for word in asked)
    session.put(b"* STATUS %b (%b)" % (quoted(text(words[0])), row.encode()))
    return "Status given"


def create(session: Session, words: list[Any]) -> str:
    mailbox = session.user
    name = names.decode(text(words[0])).strip("/")
    if names.find(mailbox, text(words[0])) is not None:
        raise No("There is such a folder already.", code="ALREADYEXISTS")
    parent = mailbox.role("msgfolderroot")
    for part in name.split("/"):
        found = (
            mailbox.role("inbox")
            if part.upper() == "INBOX" and parent.role == "msgfolderroot"
            else mailbox.child(parent, part)
        )
        parent = found or mailbox.add_folder(parent.id, part, "IPF.Note")
    return "Created"


def delete(session: Session, words: list[Any]) -> str:
    folder = session.find(text(words[0]))
    if folder.role:
        raise No("This folder stays.", code="CANNOT")
    session.user.remove_folder(folder)
    return "Deleted"


def rename(session: Session, words: list[Any]) -> str:
    mailbox, folder = session.user, session.find(text(words[0]))
    if folder.role:
        raise No("This folder keeps its name.", code="CANNOT")
    path = names.decode(text(words[1])).strip("/").split("/")
    parent = _parent(mailbox, path[:-1])
    if mailbox.child(parent, path[-1]):
        raise No("There is such a folder already.", code="ALREADYEXISTS")
    mailbox.change_folder(folder, name=path[-1], parent=parent.id)
    return "Renamed"


def _parent(mailbox: Mailbox, path: list[str]) -> Folder:
    parent = mailbox.role("msgfolderroot")
    for part in path:
        found = (
            mailbox.role("inbox")
            if part.upper() == "INBOX" and parent.role == "msgfolderroot"
            else mailbox.child(parent, part)
        )
        if found is None:
            raise No("There is no such folder.", code="TRYCREATE")
        parent = found
    return parent


def subscribe(session: Session, words: list[Any]) -> str:
    session.find(text(words[0]))
    return "All folders are subscribed"


def namespace(session: Session, _words: list[Any]) -> str:
    session.put('* NAMESPACE (("" "/")) NIL NIL')
    return "Namespaces given"


COMMANDS: Mapping[str, Command] = {
    "SELECT": select,
    "EXAMINE": examine,
    "CLOSE": close,
    "UNSELECT": unselect,
    "LIST": list_folders,
    "LSUB": lsub,
    "STATUS": status,
    "CREATE": create,
    "DELETE": delete,
    "RENAME": rename,
    "SUBSCRIBE": subscribe,
    "UNSUBSCRIBE": subscribe,
    "NAMESPACE": namespace,
}
