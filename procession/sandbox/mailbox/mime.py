"""Messages as MIME: written from an item's values, read into them.

A message that came as MIME keeps it, byte for byte, until somebody changes what it says.
"""

import html
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from typing import Any

from typing_extensions import override

from procession.sandbox.mailbox import calendars
from procession.sandbox.mailbox.items import Draft, Item
from procession.sandbox.mailbox.words import Address, Attachment, Body

_TAGS = re.compile(r"<(script|style|head)\b.*?</\1>|<[^>]+>", re.IGNORECASE | re.DOTALL)
_PREFIX = re.compile(r"^\s*((re|fw|fwd|aw|wg|sv|tr|rv)\s*:\s*)+", re.IGNORECASE)
_POLICY = policy.SMTP.clone(max_line_length=998)
_ADDRESS_HEADERS = (("From", "from"), ("Sender", "sender"))
_LIST_HEADERS = (("To", "to"), ("Cc", "cc"), ("Bcc", "bcc"), ("Reply-To", "reply_to"))
_TEXT_HEADERS = (
    ("Subject", "subject"), ("Message-ID", "message_id"), ("In-Reply-To", "in_reply_to"), ("References", "references"),
)  # fmt: skip


def plain_text(body: Body) -> str:
    """A body as text: tags dropped, breaks kept."""
    if not body.html:
        return body.text
    broken = re.sub(r"<br\s*/?>|</p>|</div>|</tr>", "\n", body.text, flags=re.IGNORECASE)
    return html.unescape(_TAGS.sub("", broken)).strip()


def topic(subject: str) -> str:
    """A subject without its Re: and Fw:."""
    return _PREFIX.sub("", subject)


def size(item: Item) -> int:
    """An item's size in bytes, near enough, without writing it out."""
    body = item.values.get("body")
    text = len(body.text) if body is not None else 0
    return len(item.mime) or 512 + text + len(item.values.get("subject") or "") + sum(
        part.size for part in item.attachments
    )


def content(item: Item) -> bytes:
    """The item as MIME: what it came as, or written from its values."""
    return item.mime or _composed(_Key(item))


class _Key:
    """An item as a key of the cache: an item is replaced whenever it changes, so its change number will do."""

    __slots__ = ("item",)

    def __init__(self, item: Item) -> None:
        self.item = item

    @override
    def __hash__(self) -> int:
        return hash((self.item.id, self.item.change))

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.item == other.item


@lru_cache(maxsize=512)
def _composed(key: _Key) -> bytes:
    item = key.item
    return compose(item.kind, item.values, item.attachments, item.created)


def headers(item: Item) -> tuple[tuple[str, str], ...]:
    """The header lines of a message that was sent or received; none for anything else."""
    mail = item.kind in {"message", "meeting_request", "meeting_response", "meeting_cancellation"}
    return _headers(_Key(item)) if mail and not item.values.get("is_draft") else ()


@lru_cache(maxsize=512)
def _headers(key: _Key) -> tuple[tuple[str, str], ...]:
    parsed = BytesParser(policy=policy.compat32).parsebytes(content(key.item), headersonly=True)
    return tuple((name, " ".join(str(value).split())) for name, value in parsed.items())


def compose(kind: str, values: Any, attachments: Iterable[Attachment], at: datetime) -> bytes:
    """A message of an item's values. An event or a contact becomes a message that holds it as a part."""
    message = EmailMessage(policy=_POLICY)
    _write_headers(message, values, at)
    _write_body(message, values.get("body"))
    if kind in calendars.METHODS:
        message.add_alternative(
            calendars.event(kind, values, at), subtype="calendar", params={"method": calendars.METHODS[kind]}
        )
    elif kind == "contact":
        message.add_attachment(calendars.card(values), subtype="vcard", filename="contact.vcf")
    for part in attachments:
        _attach(message, part, at)
    return message.as_bytes()


def _write_headers(message: EmailMessage, values: Any, at: datetime) -> None:
    for name, word in _ADDRESS_HEADERS:
        if values.get(word) and (name == "From" or values[word] != values.get("from")):
            message[name] = _header(values[word])
    for name, word in _LIST_HEADERS:
        if values.get(word):
            message[name] = tuple(_header(address) for address in values[word])
    for name, word in _TEXT_HEADERS:
        if values.get(word):
            message[name] = " ".join(str(values[word]).split())
    message["Date"] = format_datetime(values.get("sent") or at)
    if values.get("importance", "Normal") != "Normal":
        message["Importance"] = str(values["importance"])


def _write_body(message: EmailMessage, body: Body | None) -> None:
    if body is None or not body.html:
        message.set_content(body.text if body else "")
        return
    message.set_content(plain_text(body))
    message.add_alternative(body.text, subtype="html")


def _attach(message: EmailMessage, part: Attachment, at: datetime) -> None:
    if part.item is not None:
        inner = compose(part.item.kind, part.item.values, part.item.attachments, at)
        message.add_attachment(BytesParser(policy=_POLICY).parsebytes(inner), filename=part.name)
        return
    main, _, sub = (part.content_type or "application/octet-stream").partition("/")
    message.add_attachment(
        part.content,
        maintype=main if main not in {"text", "message", "multipart"} else "application",
        subtype=sub or "octet-stream",
        filename=part.name,
        cid=f"<{part.content_id.strip('<>')}>" if part.content_id else None,
        disposition="inline" if part.inline else "attachment",
    )


def _header(address: Address) -> HeaderAddress | str:
    user, _, domain = address.email.rpartition("@")
    if not user or not address.email.isascii():
        return address.email
    name = "".join(letter for letter in address.name if letter.isprintable())
    return HeaderAddress(name if name != address.email else "", user, domain)


def read(data: bytes) -> Draft:
    """A message's values and attachments (numbered 0; the mailbox numbers them). Never fails: a bad header is left out."""
    parsed = BytesParser(policy=policy.default).parsebytes(data)
    values: dict[str, Any] = {}
    for name, word in _ADDRESS_HEADERS:
        found = _addresses(parsed, name)
        if found:
            values[word] = found[0]
    for name, word in _LIST_HEADERS:
        if found := _addresses(parsed, name):
            values[word] = found
    for name, word in _TEXT_HEADERS:
        if text := _text(parsed, name):
            values[word] = text
    values.setdefault("sender", values.get("from"))
    values |= {"sent": _date(parsed), "importance": _importance(parsed), "body": _body(parsed)}
    kept = {word: value for word, value in values.items() if value is not None}
    return Draft("message", kept, attachments=tuple(_attachments(parsed)), mime=data)


def _addresses(parsed: EmailMessage, name: str) -> tuple[Address, ...]:
    try:
        found = [entry for header in parsed.get_all(name, []) for entry in header.addresses]
    except (AttributeError, ValueError, IndexError):
        return ()
    return tuple(
        Address(entry.addr_spec, entry.display_name) for entry in found if entry.addr_spec not in {"", "<>"}
    )


def _text(parsed: EmailMessage, name: str) -> str:
    try:
        return " ".join(str(parsed.get(name, "")).split())
    except (ValueError, IndexError):
        return ""


def _date(parsed: EmailMessage) -> datetime | None:
    try:
        value = parsedate_to_datetime(_text(parsed, "Date"))
    except (ValueError, TypeError):
        return None
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)


def _importance(parsed: EmailMessage) -> str:
    return {"high": "High", "low": "Low"}.get(_text(parsed, "Importance").lower(), "Normal")


def _body(parsed: EmailMessage) -> Body | None:
    part = parsed.get_body(preferencelist=("html", "plain"))
    if part is None:
        return None
    return Body(_decoded(part), part.get_content_subtype() == "html")


def _decoded(part: MIMEPart) -> str:
    try:
        return str(part.get_content())
    except (LookupError, KeyError, UnicodeError, AttributeError):
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else str(payload)


def _attachments(parsed: EmailMessage) -> Iterable[Attachment]:
    if not parsed.is_multipart():
        return
    for part in parsed.iter_attachments():
        payload = part.get_payload(decode=True)
        content_bytes = payload if isinstance(payload, bytes) else b"".join(
            inner.as_bytes() for inner in part.get_payload() if hasattr(inner, "as_bytes")
        )  # fmt: skip
        yield Attachment(
            0,
            part.get_filename() or "attachment",
            content_bytes,
            part.get_content_type(),
            str(part.get("Content-ID", "")).strip("<> "),
            inline=part.get_content_disposition() == "inline",
        )


def as_html(body: Body) -> str:
    """A text body as HTML, as the store converts it."""
    if body.html:
        return body.text
    lines = html.escape(body.text, quote=False).replace("\r\n", "\n").split("\n")
    return "<html><body><div>" + "<br>\r\n".join(lines) + "</div></body></html>"


_SCRIPTS = re.compile(r"<script\b.*?</script>|<script\b[^>]*>", re.IGNORECASE | re.DOTALL)
_BEACONS = re.compile(r"""<img\b[^>]*\bsrc\s*=\s*["']?https?://[^>]*>""", re.IGNORECASE)
_HANDLERS = re.compile(r"""\son\w+\s*=\s*("[^"]*"|'[^']*'|[^\s>]+)""", re.IGNORECASE)


def filtered(text: str) -> str:
    """HTML without scripts and pictures from elsewhere (what FilterHtmlContent asks for)."""
    return _HANDLERS.sub("", _BEACONS.sub("", _SCRIPTS.sub("", text)))
