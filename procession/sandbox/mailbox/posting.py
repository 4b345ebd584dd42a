"""Mail that leaves and mail that arrives.

Every mail that leaves for an address is a line of the ledger. One for a user of the sandbox arrives in the
inbox at once; one for an unknown address of a local domain comes back; any other goes nowhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from procession.sandbox.mailbox import mime
from procession.sandbox.mailbox.items import ITEM_CLASS, Draft, Folder, Item
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Address, Attachment, Body, Posted, Refused
from procession.sandbox.mailbox.world import Late, World

LEDGER_KINDS = {
    "meeting_request": "request",
    "meeting_response": "response",
    "meeting_cancellation": "cancellation",
}
_OF_SENDER = frozenset({"bcc", "is_draft", "is_submitted", "is_from_me"})
HTML = (
    "<html>\r\n<head>\r\n"
    '<meta http-equiv="Content-Type" content="text/html; charset=utf-8">\r\n'
    "</head>\r\n<body>\r\n{}\r\n</body>\r\n</html>\r\n"
)


def kept_body(body: Body) -> Body:
    """A body as the store keeps it: HTML that is only a piece becomes a document, as in Exchange."""
    if not body.html or "<html" in body.text.lower():
        return body
    return Body(HTML.format(body.text), html=True)


def introduced(world: World, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values in which users of the sandbox who came as a bare address have their names, as the directory knows them."""

    def known(address: Address) -> Address:
        mailbox = world.mailbox(address.email)
        return replace(address, name=mailbox.name) if mailbox is not None and not address.name else address

    found = dict(values)
    for word in ("to", "cc", "bcc", "reply_to"):
        if found.get(word):
            found[word] = tuple(known(address) for address in found[word])
    for word in ("required", "optional", "resources"):
        if found.get(word):
            found[word] = tuple(
                replace(attendee, address=known(attendee.address)) for attendee in found[word]
            )
    for word in ("from", "sender"):
        if found.get(word):
            found[word] = known(found[word])
    return found


def message_id(mailbox: Mailbox) -> str:
    return f"<{uuid4().hex}@{mailbox.address.rpartition('@')[2]}>"


def numbered(mailbox: Mailbox, attachments: Iterable[Attachment]) -> tuple[Attachment, ...]:
    """Attachments with numbers of this mailbox."""
    moment = mailbox.moment()
    return tuple(
        replace(part, number=mailbox.ticker.next(), modified=part.modified or moment) for part in attachments
    )


def put(mailbox: Mailbox, folder: Folder, draft: Draft, **more: Any) -> Item:
    """A draft put into a folder; `more` are further values."""
    values = {**draft.values, **more}
    return mailbox.add(
        folder,
        draft.kind,
        values,
        item_class=draft.item_class or ITEM_CLASS[draft.kind],
        extended=draft.extended,
        attachments=numbered(mailbox, draft.attachments),
        mime=draft.mime,
    )


def recipients(values: Mapping[str, Any]) -> tuple[Address, ...]:
    """Everybody a mail goes to, each once; a member of a list for each of the list's."""
    found = {address.key: address for word in ("to", "cc", "bcc") for address in values.get(word, ())}
    return tuple(found.values())


def send(world: World, mailbox: Mailbox, draft: Draft, *, save: Folder | None) -> Item | None:
    """Send a message from a mailbox and keep a copy in a folder, if one is given.

    Raises:
        Refused: nobody to send it to, or an address that is none.
    """
    to = recipients(draft.values)
    if not to:
        raise Refused(
            "At least one recipient is required.",
            reason="MissingRecipients" if not save else "InvalidRecipients",
        )
    for address in to:
        if "@" not in address.email.strip("@") or " " in address.email:
            raise Refused(f"'{address.email}' is not an e-mail address.", reason="InvalidRecipients")
    moment, me = mailbox.moment(), world.named(mailbox)
    values = {"message_id": message_id(mailbox), "sender": me, "from": me, **draft.values, "sent": moment}
    values = {word: value for word, value in values.items() if word not in {"is_draft", "received"}}
    sent = replace(draft, values=values)
    for address in to:
        hand_over(world, mailbox, address, sent)
    if save is None:
        return None
    sent = replace(sent, values={**values, "is_read": True, "is_from_me": True, "received": moment})
    if world.copies_late:
        world.late.append(Late(moment + world.copies_late, mailbox.address, save.id, sent))
        return None
    return put(mailbox, save, sent)


def settle(world: World) -> None:
    """Let copies show whose time has come."""
    due = [late for late in world.late if late.at <= world.moment()]
    for late in due:
        world.late.remove(late)
        mailbox = world.mailbox(late.mailbox)
        if mailbox is not None and late.folder in mailbox.folders:
            put(mailbox, mailbox.folder(late.folder), late.draft)


def hand_over(world: World, sender: Mailbox, to: Address, draft: Draft, *, kind: str = "") -> None:
    """One mail for one address: into the ledger, and to the user if there is one."""
    receiver = world.mailbox(to.email)
    values = draft.values
    world.post(
        Posted(
            world.moment(), kind or LEDGER_KINDS.get(draft.kind, "mail"), sender.address, to.email, values.get("subject") or "",
            values.get("message_id") or "", values.get("uid") or "", receiver is not None,
        )
    )  # fmt: skip
    if receiver is not None:
        deliver(receiver, draft)
    elif to.email.rpartition("@")[2].lower() in domains(world):
        bounce(world, sender, to, draft)


def deliver(receiver: Mailbox, draft: Draft, *, role: str = "inbox") -> Item:
    """A message arrives in a mailbox, unread."""
    values = {word: value for word, value in draft.values.items() if word not in _OF_SENDER}
    return receiver.add(
        receiver.role(role),
        draft.kind,
        values | {"is_read": False, "received": receiver.moment()},
        new_mail=True,
        item_class=draft.item_class or ITEM_CLASS[draft.kind],
        attachments=numbered(receiver, draft.attachments),
        extended=draft.extended,
        mime=draft.mime,
    )


def domains(world: World) -> frozenset[str]:
    return frozenset(address.rpartition("@")[2] for address in world.mailboxes)


def bounce(world: World, sender: Mailbox, to: Address, draft: Draft) -> None:
    """A report that an address is not known (RFC 3464 in its short form)."""
    subject = f"Undeliverable: {draft.values.get('subject') or ''}"
    text = f"Your message could not be delivered to {to.email}: 5.1.1 the address was not found.\r\n"
    values = {
        "subject": subject,
        "body": Body(text),
        "from": Address(f"postmaster@{sender.address.rpartition('@')[2]}", "Microsoft Outlook"),
        "to": (world.named(sender),),
        "message_id": message_id(sender),
        "in_reply_to": draft.values.get("message_id") or "",
        "sent": world.moment(),
    }
    deliver(sender, Draft("message", values, "REPORT.IPM.Note.NDR"))


def receive(world: World, data: bytes, to: Iterable[str], *, sender: str) -> list[str]:
    """A MIME message for addresses, from outside or a client's submission; the addresses nobody has."""
    draft = mime.read(data)
    unknown = []
    for address in to:
        mailbox = world.mailbox(address)
        world.post(
            Posted(
                world.moment(), "mail", sender, address, draft.values.get("subject", ""), draft.values.get("message_id", ""),
                local=mailbox is not None,
            )
        )  # fmt: skip
        if mailbox is None:
            unknown.append(address)
        else:
            deliver(mailbox, draft)
    return unknown
