"""A finished mail as bytes: RFC 5322 headers, MIME parts (RFC 2045 to 2049, 2183, 2231), CRLF line ends.

Written by hand instead of with `email.message`, whose header parser and folder cost ten times as much;
the tests read every kind of mail back with it. Two rules make header injection impossible:
whatever is free text (subject, names, attachment names) goes through `_line_of`, which leaves no control
character; and `_header` refuses any that got past.

A boundary starts with `=_`, which neither quoted-printable nor base64 can contain (RFC 2045, 6.7), and a
body that contains it is not sent as it is; so no body can end its own part.
"""

import re
from base64 import encodebytes
from binascii import b2a_base64, b2a_qp
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from email.utils import format_datetime
from hashlib import sha256
from urllib.parse import quote

from procession.effects import Attachment, Recipient, SendMail
from procession.errors import PermanentError
from procession.mail.addresses import envelope_address

LINE = 76
"""Characters of a header line, where it can be folded (RFC 2047 allows no more beside encoded words)."""
MAX_LINE = 998
WORD_BYTES = 36
"""Of text in one encoded word: with `=?utf-8?b?…?=` and the longest header name it fits a line."""
PLAIN_NAME = 60
"""A display name up to this length stands as it is, if it is ASCII."""

_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NOT_SEVEN_BIT = re.compile(rb"[^\t\r\n\x20-\x7e]|=_")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]+>")
_WORD = r"[A-Za-z0-9!#$&^_.+-]+"
_MEDIA_TYPE = re.compile(rf"(?!multipart/|message/){_WORD}/{_WORD}", re.IGNORECASE)


def compose(mail: SendMail, at: datetime) -> bytes:
    """The mail as it goes over the wire: text, HTML and an invitation as alternatives, attachments behind them.

    Nothing in it depends on anything but the arguments, so composing again gives the same bytes.

    Raises:
        PermanentError: an address, a Message-ID or an attachment's parameter is not well-formed, or there is no recipient.
    """
    recipients(mail)
    boundary = sha256(mail.message_id.encode("utf-8", "replace")).hexdigest()[:24]
    content = _alternative(mail, boundary)
    if mail.attachments:
        content = _multipart("mixed", f"=_m{boundary}", [content, *map(_attachment, mail.attachments)])
    return b"".join([*_headers(mail, at), b"MIME-Version: 1.0\r\n", content])


def named(mime: bytes, message_id: str) -> bytes:
    """The same mail, of ours, under another Message-ID."""
    return _with(mime, b"Message-ID", _header("Message-ID", _message_ids([message_id])))


def dated(mime: bytes, at: datetime) -> bytes:
    """The same mail, of ours, with the date at which it was ready to go (RFC 5322, 3.6.1)."""
    return _with(mime, b"Date", _header("Date", [format_datetime(at)]))


def _with(mime: bytes, name: bytes, header: bytes) -> bytes:
    """Another header, of one line, in the place of that of this name."""
    head, _, rest = mime.partition(b"\r\n\r\n")
    line = re.compile(rb"^" + name + rb": [^\r\n]*\r\n", re.MULTILINE)
    return line.sub(lambda _match: header, head + b"\r\n", count=1) + b"\r\n" + rest


def recipients(mail: SendMail) -> tuple[str, ...]:
    """The envelope's recipients: To, Cc and Bcc, each once.

    Raises:
        PermanentError: there is none, or one is no address.
    """
    everyone = (*mail.to, *mail.cc, *mail.bcc)
    if not everyone:
        raise PermanentError("the mail has no recipient")
    return tuple(dict.fromkeys(envelope_address(person.address) for person in everyone))


def people_header(name: str, people: Sequence[Recipient]) -> bytes:
    """A header that names people with their addresses."""
    return _header(name, _mailboxes(people))


def _headers(mail: SendMail, at: datetime) -> Iterator[bytes]:
    yield _header("From", _mailboxes([mail.sender]))
    if mail.to or not mail.cc:
        yield _header("To", _mailboxes(mail.to) or ["undisclosed-recipients:;"])
    if mail.cc:
        yield _header("Cc", _mailboxes(mail.cc))
    yield _header("Subject", _text(_line_of(mail.subject)))
    yield _header("Date", [format_datetime(at)])
    yield _header("Message-ID", _message_ids([mail.message_id]))
    if mail.in_reply_to:
        yield _header("In-Reply-To", _message_ids([mail.in_reply_to]))
    if mail.references:
        yield _header("References", _message_ids(mail.references))
    if mail.automatic:
        yield b"Auto-Submitted: auto-generated\r\n"
    if re.fullmatch(r"[A-Za-z0-9-]+", mail.language):
        yield _header("Content-Language", [mail.language])


def _header(name: str, words: Iterable[str]) -> bytes:
    """One header, folded between its words where a line grows too long."""
    lines, line = [], f"{name}:"
    for number, word in enumerate(words):
        if number and len(line) + len(word) >= LINE:
            lines.append(line)
            line = ""
        line += f" {word}"
    lines.append(line)
    if any(_CONTROL.search(part) or len(part) > MAX_LINE for part in lines):
        raise PermanentError(f"the header {name} of the mail would not be well-formed")
    return "\r\n".join([*lines, ""]).encode()


def _line_of(text: str) -> str:
    """Free text on one line: control characters and every run of white space become one blank."""
    return " ".join(_CONTROL.sub(" ", text).encode("utf-8", "replace").decode().split())


def _text(line: str) -> list[str]:
    """Unstructured text as words: as it stands, or as encoded words (RFC 2047)."""
    words = line.split(" ")
    if line.isascii() and "=?" not in line and max(map(len, words)) < LINE:
        return words
    return _encoded_words(line)


def _encoded_words(line: str) -> list[str]:
    """Each holds whole characters, as RFC 2047, 5 asks."""
    return [f"=?utf-8?b?{b2a_base64(piece, newline=False).decode()}?=" for piece in _pieces(line, WORD_BYTES)]


def _pieces(text: str, size: int) -> Iterator[bytes]:
    """UTF-8 in pieces of at most `size` bytes that split no character."""
    data = text.encode()
    start = 0
    while start < len(data):
        end = start + size
        while end < len(data) and data[end] & 0xC0 == 0x80:  # noqa: PLR2004  the mark of a continuation byte
            end -= 1
        yield data[start:end]
        start = end


def _mailboxes(people: Sequence[Recipient]) -> list[str]:
    words: list[str] = []
    for person in people:
        if words:
            words[-1] += ","
        words.extend(_mailbox(person))
    return words


def _mailbox(person: Recipient) -> list[str]:
    address = envelope_address(person.address)
    name = _line_of(person.name)
    if not name:
        return [address]
    if not name.isascii() or "=?" in name or len(name) > PLAIN_NAME:
        return [*_encoded_words(name), f"<{address}>"]
    return [name if _ATOMS.fullmatch(name) else _quoted(name), f"<{address}>"]


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _message_ids(ids: Sequence[str]) -> list[str]:
    for one in ids:
        if not _MESSAGE_ID.fullmatch(one):
            raise PermanentError(f"{one!r:.80} is no Message-ID", hint="It looks like <id@domain>.")
    return list(ids)


def _alternative(mail: SendMail, boundary: str) -> bytes:
    """An invitation is the last alternative, as Exchange writes it (MS-OXCMAIL 2.1.3.3.8.2), and has no
    Content-Disposition: Outlook takes an attachment for a file that nobody can accept (MS-STANOICAL 2.2.174, 2.2.175).
    """
    parts = [
        _text_part(subtype, text) for subtype, text in (("plain", mail.text), ("html", mail.html)) if text
    ]
    parts += [_invitation(file) for file in mail.attachments if _asks(file)][:1]
    if len(parts) > 1:
        return _multipart("alternative", f"=_a{boundary}", parts)
    return parts[0] if parts else _text_part("plain", "")


def _asks(file: Attachment) -> bool:
    """Whether it is a message of iMIP (RFC 6047, 2.4), and not a calendar to look at."""
    return file.media_type == "text/calendar" and "method" in file.parameters


def _invitation(file: Attachment) -> bytes:
    content_type = _header("Content-Type", _separated([file.media_type, *_parameters(file)]))
    return content_type + b"Content-Transfer-Encoding: base64\r\n\r\n" + base64_lines(file.content)


def _multipart(subtype: str, boundary: str, parts: Sequence[bytes]) -> bytes:
    """The line end before a boundary belongs to it (RFC 2046, 5.1.1), so every part keeps its own."""
    head = f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n'
    opened = b"".join(f"\r\n--{boundary}\r\n".encode() + part for part in parts)
    return head.encode() + opened + f"\r\n--{boundary}--\r\n".encode()


def _text_part(subtype: str, text: str) -> bytes:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    data = (lines if lines.endswith("\n") else f"{lines}\n").replace("\n", "\r\n").encode("utf-8", "replace")
    encoding, body = _encoded(data)
    head = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return head.encode() + body


def _encoded(data: bytes) -> tuple[str, bytes]:
    """Readable where it can be, short where it cannot: one byte in six beyond ASCII is where base64 wins."""
    if not _NOT_SEVEN_BIT.search(data) and max(map(len, data.split(b"\r\n"))) <= MAX_LINE:
        return "7bit", data
    beyond = len(data) - len(data.translate(None, _BEYOND_ASCII))
    if beyond * 6 > len(data):
        return "base64", base64_lines(data)
    soft_breaks_as_crlf = b2a_qp(data, istext=True).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return "quoted-printable", soft_breaks_as_crlf


_BEYOND_ASCII = bytes(range(128, 256))


def base64_lines(data: bytes) -> bytes:
    """As the body of a part."""
    return encodebytes(data).replace(b"\n", b"\r\n")


def _attachment(file: Attachment) -> bytes:
    """An invitation is also a file, of a type that no program takes for a second invitation."""
    media_type = file.media_type if _MEDIA_TYPE.fullmatch(file.media_type) else "application/octet-stream"
    name = _line_of(file.name).replace("/", "_").replace("\\", "_") or "attachment"
    kind = ["application/ics"] if _asks(file) else [media_type, *_parameters(file)]
    return b"".join([
        _header("Content-Type", _separated(kind)),
        _header("Content-Disposition", _separated(["attachment", *_parameter("filename", name)])),
        b"Content-Transfer-Encoding: base64\r\n\r\n",
        base64_lines(file.content),
    ])  # fmt: skip


def _separated(words: Sequence[str]) -> list[str]:
    return [f"{word};" for word in words[:-1]] + [words[-1]]


def _parameters(file: Attachment) -> list[str]:
    return [word for key, value in file.parameters.items() for word in _parameter(key, value)]


def _parameter(key: str, value: str) -> list[str]:
    """`key=value`, quoted where needed; beyond ASCII or too long in numbered pieces (RFC 2231)."""
    if not re.fullmatch(r"[A-Za-z0-9-]+", key):
        raise PermanentError(f"{key!r:.40} cannot be a parameter of an attachment")
    text = _line_of(value)
    if text.isascii() and len(text) <= PLAIN_NAME:
        return [f"{key}={text if re.fullmatch(_WORD, text) else _quoted(text)}"]
    pieces = [quote(piece, safe="") for piece in _pieces(text, 18)]
    if len(pieces) == 1:
        return [f"{key}*=utf-8''{pieces[0]}"]
    pieces[0] = f"utf-8''{pieces[0]}"
    return [f"{key}*{number}*={piece}" for number, piece in enumerate(pieces)]
