"""Folders as IMAP names: paths with slashes, INBOX, modified UTF-7 (RFC 3501 5.1.3), and what is special (RFC 6154)."""

import base64
import fnmatch
import re
from collections.abc import Iterator

from procession.sandbox.mailbox.items import Folder
from procession.sandbox.mailbox.store import Mailbox

SPECIAL = {"drafts": "\\Drafts", "sentitems": "\\Sent", "deleteditems": "\\Trash", "junkemail": "\\Junk"}
_CODED = re.compile(r"[^\x20-\x7e]+")


def encode(name: str) -> str:
    """A name in modified UTF-7."""
    plain = name.replace("&", "&-")
    return _CODED.sub(
        lambda match: (
            "&" + base64.b64encode(match[0].encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"
        ),
        plain,
    )


def decode(name: str) -> str:
    """A name from modified UTF-7; what is not such stays as it is."""

    def replaced(match: re.Match[str]) -> str:
        coded = match[1]
        if not coded:
            return "&"
        try:
            return base64.b64decode(coded.replace(",", "/") + "=" * (-len(coded) % 4)).decode("utf-16-be")
        except ValueError:
            return match[0]

    return re.sub(r"&([^-]*)-", replaced, name)


def is_mail(folder: Folder) -> bool:
    return folder.folder_class.startswith("IPF.Note") or folder.folder_class == "IPF"


def folders(mailbox: Mailbox) -> Iterator[tuple[str, Folder]]:
    """(name, folder) of every mail folder, parents first."""
    top = mailbox.role("msgfolderroot")
    yield from _below(mailbox, top, "")


def _below(mailbox: Mailbox, parent: Folder, prefix: str) -> Iterator[tuple[str, Folder]]:
    for number in mailbox.children.get(parent.id, ()):
        folder = mailbox.folders[number]
        if is_mail(folder):
            name = "INBOX" if folder.role == "inbox" else prefix + folder.name
            yield name, folder
            yield from _below(mailbox, folder, f"{name}/")


def find(mailbox: Mailbox, name: str) -> Folder | None:
    wanted = decode(name).strip("/")
    wanted = "INBOX" + wanted[5:] if wanted[:5].upper() == "INBOX" and wanted[5:6] in {"", "/"} else wanted
    return next((folder for known, folder in folders(mailbox) if known == wanted), None)


def matching(mailbox: Mailbox, reference: str, pattern: str) -> Iterator[tuple[str, Folder]]:
    """Folders that a LIST pattern fits: `*` is anything, `%` anything but the separator."""
    wanted = decode(reference + pattern)
    expression = re.compile(
        "".join({"*": ".*", "%": "[^/]*"}.get(letter, re.escape(letter)) for letter in wanted)
    )
    for name, folder in folders(mailbox):
        if expression.fullmatch(name) or (
            name == "INBOX" and fnmatch.fnmatchcase("INBOX", wanted.upper().replace("%", "*"))
        ):
            yield name, folder


def attributes(mailbox: Mailbox, folder: Folder) -> str:
    has = any(is_mail(mailbox.folders[number]) for number in mailbox.children.get(folder.id, ()))
    parts = [
        "\\HasChildren" if has else "\\HasNoChildren",
        *([SPECIAL[folder.role]] if folder.role in SPECIAL else []),
    ]
    return " ".join(parts)
