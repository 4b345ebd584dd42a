"""Outgoing mails as rows of their tables, and back."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from crm.checks import normal
from crm.links import Link
from procession.effects import Recipient, SendMail
from procession.ports import Envelope, ListedMail, MailState, QueuedMail
from procession.records import Ref


def recipients(mail: SendMail) -> list[tuple[str, Recipient]]:
    return [
        (role, one) for role, some in (("to", mail.to), ("cc", mail.cc), ("bcc", mail.bcc)) for one in some
    ]


def contacts_among(mail: SendMail) -> list[tuple[str, Ref]]:
    return [(role, one.ref) for role, one in recipients(mail) if one.ref and one.ref.entity == "contact"]


def participants(mails: Mapping[int, QueuedMail], accounts: Mapping[int, int | None]) -> list[dict[str, Any]]:
    return [
        {
            "activity_id": number,
            "contact_id": one.ref.id
            if one.ref and one.ref.entity == "contact" and one.ref.id in accounts
            else None,
            "address": one.address,
            "role": role,
            "response": "",
        }
        for number, queued in mails.items()
        for role, one in recipients(queued.mail)
    ]


def links_of(
    mails: Mapping[int, QueuedMail],
    accounts: Mapping[int, int | None],
    connected: Sequence[Sequence[Ref]],
) -> list[Link]:
    """What each mail says (`connected`), then the contacts it goes to, then their accounts."""
    found: list[Link] = []
    for (number, queued), refs in zip(mails.items(), connected, strict=True):
        contacts = [ref for _, ref in contacts_among(queued.mail) if ref.id in accounts]
        works_for = [Ref("account", account) for ref in contacts if (account := accounts[ref.id])]
        found += (Link(number, ref, "connected") for ref in refs)
        found += (Link(number, ref, "recipient") for ref in contacts)
        found += (Link(number, ref, "account of recipient") for ref in works_for)
    return found


def message_row(number: int, queued: QueuedMail) -> dict[str, Any]:
    mail = queued.mail
    return {
        "activity_id": number,
        "message_id": mail.message_id,
        "direction": "out",
        "sender": mail.sender.address,
        "sender_name": mail.sender.name,
        "to": [[one.address, one.name] for one in mail.to],
        "cc": [[one.address, one.name] for one in mail.cc] or None,
        "bcc": [[one.address, one.name] for one in mail.bcc] or None,
        "in_reply_to": mail.in_reply_to,
        "references": list(mail.references) or None,
        "template": mail.template,
        "language": mail.language,
        "state": queued.state,
        "claimed_by": 0,
        "claimed_at": None,
        "not_before": mail.not_before,
        "attempts": 0,
        "detail": "",
        "on_unknown": mail.on_unknown,
        "instance_id": queued.instance,
        "path": queued.path,
        "round": queued.round,
        "part": queued.part,
        "redirected_to": queued.redirected_to,
        "bulk": queued.bulk,
    }


def activity_row(number: int, queued: QueuedMail, at: datetime) -> dict[str, Any]:
    """A mail that is on its way is done; a draft is still to do."""
    sender = queued.mail.sender.ref
    return {
        "id": number,
        "type": "email",
        "subject": queued.mail.subject,
        "body": queued.mail.text,
        "status": "planned" if queued.state == "draft" else "done",
        "priority": "normal",
        "all_day": False,
        "timezone": "",
        "location": "",
        "owner_id": sender.id if sender and sender.entity == "user" else None,
        "created_at": at,
        "modified_at": at,
        "external": False,
        "uid": "",
    }


def envelope(number: int, queued: QueuedMail, *, claimed_by: int) -> Envelope:
    mail = queued.mail
    return Envelope(
        id=number,
        message_id=mail.message_id,
        sender=mail.sender.address,
        recipients=(queued.redirected_to,)
        if queued.redirected_to
        else addresses(one.address for _, one in recipients(mail)),
        mime=queued.mime,
        state="sending" if claimed_by else queued.state,
        activity=number,
        attempts=1 if claimed_by else 0,
        not_before=mail.not_before,
        on_unknown=mail.on_unknown,
        instance=queued.instance,
        path=queued.path,
        round=queued.round,
        claimed_by=claimed_by,
        fresh=True,
    )


def envelope_of(row: Any, mime: bytes, *, fresh: bool = False) -> Envelope:
    return Envelope(
        id=row.activity_id,
        message_id=row.message_id,
        sender=row.sender,
        recipients=_recipients_of(row),
        mime=mime,
        state=row.state,
        activity=row.activity_id,
        attempts=row.attempts,
        not_before=row.not_before,
        on_unknown=row.on_unknown,
        instance=row.instance_id,
        path=row.path,
        round=row.round,
        error=row.detail,
        claimed_by=row.claimed_by,
        fresh=fresh,
    )


def listed_of(row: Any, subject: str) -> ListedMail:
    return ListedMail(
        id=row.activity_id,
        message_id=row.message_id,
        recipients=_recipients_of(row),
        subject=subject,
        state=row.state,
        activity=row.activity_id,
        attempts=row.attempts,
        not_before=row.not_before,
        instance=row.instance_id,
        path=row.path,
        round=row.round,
        error=row.detail,
        claimed_by=row.claimed_by,
    )


def _recipients_of(row: Any) -> tuple[str, ...]:
    if row.redirected_to:
        return (row.redirected_to,)
    people = (*row.to, *(row.cc or ()), *(row.bcc or ()))
    return addresses(address for address, _ in people)


def addresses(addresses: Iterable[str]) -> tuple[str, ...]:
    """Each address once, as it was first written."""
    return tuple({normal("email", address): address for address in addresses}.values())


# --- by what a mail is known

Key = str | tuple[int, str, str, int]

NEVER_LEFT: tuple[MailState, ...] = ("held", "failed", "withdrawn")
KEEPS_TRIES: tuple[MailState, ...] = ("held", "queued")
"""Their tries so far count on when they take new content; whoever failed for good begins anew."""


def takes_new_content(state: MailState, not_before: datetime | None, mail: QueuedMail) -> bool:
    """A mail that waited for its next try takes it too, if it is to be held back now; not one that a person sends."""
    return state in NEVER_LEFT or (state == "queued" and not_before is None and mail.state == "held")


def key_of(queued: QueuedMail) -> Key:
    """By what a mail is known: by its step, or if it has none by its Message-ID."""
    if queued.instance is None:
        return queued.mail.message_id
    return queued.instance, queued.path, queued.round, queued.part
