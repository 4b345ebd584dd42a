"""What FETCH gives of a message: attributes, sections (RFC 3501 6.4.5), envelope and structure (7.4.2)."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from email import policy
from email.message import Message
from email.parser import BytesParser
from email.utils import getaddresses
from functools import lru_cache
from typing import Any

from procession.sandbox.imap.flags import flags_of
from procession.sandbox.imap.selected import Selected
from procession.sandbox.imap.syntax import Malformed, listed, literal, quoted
from procession.sandbox.mailbox import mime
from procession.sandbox.mailbox.items import Item

MACROS: Mapping[str, tuple[str, ...]] = {
    "ALL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"),
    "FAST": ("FLAGS", "INTERNALDATE", "RFC822.SIZE"),
    "FULL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"),
}
_SECTION = re.compile(
    r"(?P<name>BODY|BODY\.PEEK)\[(?P<section>[^\]]*)\](?:<(?P<start>\d+)\.(?P<size>\d+)>)?$", re.IGNORECASE
)
_FIELDS = re.compile(r"(?P<kind>HEADER\.FIELDS(?:\.NOT)?)\s*\((?P<names>[^)]*)\)$", re.IGNORECASE)
_DATE = "%d-%b-%Y %H:%M:%S +0000"


@lru_cache(maxsize=64)
def _parsed(data: bytes) -> Message:
    return BytesParser(policy=policy.compat32).parsebytes(data)


def marks_read(words: list[str]) -> bool:
    r"""Does fetching these set \\Seen?"""
    return any(
        word.upper() in {"RFC822", "RFC822.TEXT"} or word.upper().startswith("BODY[") for word in words
    )


def attribute(selected: Selected, item: Item, word: str) -> tuple[str, bytes]:
    """(name, value) of one attribute.

    Raises:
        Malformed: no such attribute.
    """
    match = _SECTION.match(word)
    if match:
        return _sectioned(item, match)
    compute = _ATTRIBUTES.get(word.upper())
    if compute is None:
        raise Malformed(f"There is no attribute {word}.")
    return word.upper(), compute(selected, item)


def _sectioned(item: Item, match: re.Match[str]) -> tuple[str, bytes]:
    data = section(mime.content(item), match["section"])
    name = f"BODY[{match['section'].upper()}]"
    if match["start"] is not None:
        start = int(match["start"])
        data, name = data[start : start + int(match["size"])], f"{name}<{start}>"
    return name, literal(data)


def section(data: bytes, wanted: str) -> bytes:
    """A section of a message: `` (all), HEADER, TEXT, HEADER.FIELDS (…), 1, 2.1, 2.MIME and so on; empty if there is none."""
    path, _, rest = _split(wanted)
    if not path:
        return _of_message(data, rest)
    part = _part(_parsed(data), path)
    if part is None:
        return b""
    if not rest:
        return _content(part)
    if rest.upper() == "MIME":
        return _head(part.as_bytes(policy=policy.compat32.clone(linesep="\r\n")))
    inner = part.get_payload()
    if part.get_content_type() == "message/rfc822" and isinstance(inner, list):
        whole: Any = inner[0]
        return _of_message(whole.as_bytes(policy=policy.compat32.clone(linesep="\r\n")), rest)
    return b""


def _split(wanted: str) -> tuple[list[int], str, str]:
    path, words = [], wanted.split(".")
    while words and words[0].isdigit():
        path.append(int(words.pop(0)))
    return path, ".", ".".join(words)


def _of_message(data: bytes, wanted: str) -> bytes:
    head = _head(data)
    match wanted.upper():
        case "":
            return data
        case "HEADER":
            return head
        case "TEXT":
            return data[len(head) :]
    fields = _FIELDS.match(wanted)
    if fields is None:
        raise Malformed(f"There is no section {wanted}.")
    names = {name.strip('"').lower() for name in fields["names"].split()}
    return _fields(head, names, without=fields["kind"].upper().endswith("NOT"))


def _head(data: bytes) -> bytes:
    """The header lines and the empty line after them."""
    end = data.find(b"\r\n\r\n")
    return data if end < 0 else data[: end + 4]


def _fields(head: bytes, names: set[str], *, without: bool) -> bytes:
    kept, keep = [], False
    for line in head.removesuffix(b"\r\n").split(b"\r\n"):
        if not line:
            continue
        if line[:1] not in b" \t":
            keep = (line.partition(b":")[0].decode("latin-1").strip().lower() in names) is not without
        if keep:
            kept.append(line + b"\r\n")
    return b"".join(kept) + b"\r\n"


def _part(message: Message, path: list[int]) -> Message | None:
    for number in path:
        payload: Any = message.get_payload()
        if message.get_content_type() == "message/rfc822" and isinstance(payload, list):
            message, payload = payload[0], payload[0].get_payload()
        if not message.is_multipart():
            return message if number == 1 else None
        if not 1 <= number <= len(payload):
            return None
        message = payload[number - 1]
    return message


def _content(part: Message) -> bytes:
    payload: Any = part.get_payload()
    if isinstance(payload, list):
        whole = part.as_bytes(policy=policy.compat32.clone(linesep="\r\n"))
        return whole[len(_head(whole)) :]
    return str(payload).encode("utf-8", "surrogateescape").replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def envelope(item: Item) -> bytes:
    message = _parsed(mime.content(item))
    sender = _people(message, "From")
    lists = [_people(message, name) for name in ("To", "Cc", "Bcc")]
    return listed(
        [
            _string(message, "Date"),
            _string(message, "Subject"),
            sender,
            _people(message, "Sender") if message.get("Sender") else sender,
            _people(message, "Reply-To") if message.get("Reply-To") else sender,
            *lists,
            _string(message, "In-Reply-To"),
            _string(message, "Message-ID"),
        ]
    )


def _string(message: Message, name: str) -> bytes:
    value = message.get(name)
    return quoted(" ".join(str(value).split()) if value is not None else None)


def _people(message: Message, name: str) -> bytes:
    rows = getaddresses([str(value) for value in message.get_all(name, [])])
    people = []
    for display, address in rows:
        user, _, domain = address.rpartition("@")
        people.append(listed([quoted(display or None), b"NIL", quoted(user or address), quoted(domain)]))
    return b"(" + b"".join(people) + b")" if people else b"NIL"


def structure(message: Message, *, extended: bool) -> bytes:
    """BODY or BODYSTRUCTURE."""
    payload: Any = message.get_payload()
    if message.is_multipart() and message.get_content_type() != "message/rfc822":
        parts = b"".join(structure(part, extended=extended) for part in payload)
        more = [_parameters(message), b"NIL", b"NIL", b"NIL"] if extended else []
        return b"(" + b" ".join([parts, quoted(message.get_content_subtype().upper()), *more]) + b")"
    data = _content(message)
    rows = [
        quoted(message.get_content_maintype().upper()), quoted(message.get_content_subtype().upper()), _parameters(message),
        _string(message, "Content-ID"), _string(message, "Content-Description"),
        quoted(str(message.get("Content-Transfer-Encoding", "7BIT")).upper()), str(len(data)).encode(),
    ]  # fmt: skip
    if message.get_content_maintype() == "text":
        rows.append(str(data.count(b"\n")).encode())
    elif message.get_content_type() == "message/rfc822" and isinstance(payload, list):
        rows += [
            b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)",
            structure(payload[0], extended=extended),
            str(data.count(b"\n")).encode(),
        ]
    if extended:
        rows += [b"NIL", _disposition(message), b"NIL", b"NIL"]
    return listed(rows)


def _parameters(message: Message) -> bytes:
    found = message.get_params(failobj=[])[1:]
    parts = [piece for name, value in found for piece in (quoted(name.upper()), quoted(str(value)))]
    return listed(parts) if parts else b"NIL"


def _disposition(message: Message) -> bytes:
    kind = message.get_content_disposition()
    if kind is None:
        return b"NIL"
    name = message.get_filename()
    return listed([quoted(kind.upper()), listed([b'"FILENAME"', quoted(name)]) if name else b"NIL"])


def internal_date(moment: datetime) -> str:
    return moment.strftime(_DATE)


def _flags(_selected: Selected, item: Item) -> bytes:
    return b"(" + " ".join(sorted(flags_of(item))).encode() + b")"


_ATTRIBUTES: Mapping[str, Callable[[Selected, Item], bytes]] = {
    "FLAGS": _flags,
    "UID": lambda _selected, item: str(item.arrival).encode(),
    "INTERNALDATE": lambda _selected, item: quoted(internal_date(item.received)),
    "RFC822.SIZE": lambda _selected, item: str(len(mime.content(item))).encode(),
    "RFC822": lambda _selected, item: literal(mime.content(item)),
    "RFC822.HEADER": lambda _selected, item: literal(_head(mime.content(item))),
    "RFC822.TEXT": lambda _selected, item: literal(section(mime.content(item), "TEXT")),
    "ENVELOPE": lambda _selected, item: envelope(item),
    "BODY": lambda _selected, item: structure(_parsed(mime.content(item)), extended=False),
    "BODYSTRUCTURE": lambda _selected, item: structure(_parsed(mime.content(item)), extended=True),
    "MODSEQ": lambda selected, item: f"({selected.modseq(item)})".encode(),
}
