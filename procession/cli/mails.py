"""What people see of the outbox: a mail found by its number, read back from its bytes, and moved from state to state."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from typing import Any

from procession.cli.session import Session
from procession.errors import InputError
from procession.ports import Envelope, HistoryRow, ListedMail, MailState, Unit
from procession.records import Ref

HEADERS = ("From", "To", "Cc", "Reply-To", "Subject", "Date", "Message-ID", "In-Reply-To", "Auto-Submitted")


@dataclass(frozen=True, slots=True)
class Written:
    """A mail as its reader sees it. `attachments` are (name, media type, bytes)."""

    subject: str
    to: str
    headers: dict[str, str]
    text: str
    html: str
    attachments: tuple[tuple[str, str, int], ...]

    @property
    def at(self) -> datetime | None:
        date = self.headers.get("Date")
        return parsedate_to_datetime(date) if date else None


def written(mime: bytes) -> Written:
    """Read a mail back from its bytes."""
    message = message_from_bytes(mime, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return Written(
        subject=str(message["Subject"] or ""),
        to=str(message["To"] or ""),
        headers={name: str(message[name]) for name in HEADERS if message[name]},
        text=_body(message, "plain"),
        html=_body(message, "html"),
        attachments=tuple(
            (part.get_filename() or "", part.get_content_type(), len(part.get_payload(decode=True) or b""))
            for part in message.iter_attachments()
        ),
    )


def _body(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    return str(part.get_content()).replace("\r\n", "\n").strip() if part is not None else ""


def read(now: Session, number: int) -> Envelope:
    """Raises:
    InputError: there is no mail of this number.
    """
    with now.application.store.unit(write=False) as unit:
        return _in(unit, number)


def _in(unit: Unit, number: int) -> Envelope:
    found = unit.outbox.envelopes([number])
    if not found:
        raise InputError(f"there is no mail {number}", hint="See: procession email list --state sent")
    return found[0]


def move(
    now: Session, number: int, allowed: Collection[MailState], state: MailState, what: str,
    *, not_before: datetime | None = None, resume: bool = False,
) -> Envelope:  # fmt: skip
    """Put a mail into another state, as a person's decision: with a line of History.

    Args:
        what: "marked as sent", "cancelled": what was done, for History and for the error.
        resume: let the incident that waits for this mail go on.

    Raises:
        InputError: there is no such mail, or it is in another state than allowed.
    """
    application = now.application
    at = application.clock.now()
    with application.store.unit() as unit:
        mail = _in(unit, number)
        if mail.state == "held" and mail.instance is not None:  # its step is over, whatever was to come
            unit.journal.wake(mail.instance, mail.path, mail.round, at, hasten=True)
        if mail.state not in allowed:
            raise InputError(f"mail {number} cannot be {what}: it is {mail.state}", hint=_why(mail))
        detail = f"{what} by {application.user}"
        if not unit.outbox.settle(number, state, at, detail=detail, not_before=not_before):
            raise InputError(f"mail {number} cannot be {what}: somebody else has it in hand", hint=_why(mail))
        about = Ref("activity", mail.activity)
        text = f"E-mail “{written(mail.mime).subject}” {what}"
        unit.history.append([HistoryRow(about, at, now.actor, "email", text, mail.activity)])
        if resume and mail.instance is not None:
            unit.journal.resume(mail.instance, at)
        unit.commit()
    return mail


def _why(mail: Envelope) -> str:
    if mail.state == "sending":
        return "An engine has it in hand; see `procession incidents` if that one died."
    return "See: procession email show " + str(mail.id)


def document(mail: Envelope | ListedMail) -> dict[str, Any]:
    subject = mail.subject if isinstance(mail, ListedMail) else written(mail.mime).subject
    return {
        "mail": mail.id, "state": mail.state, "to": list(mail.recipients), "subject": subject,
        "message_id": mail.message_id, "activity": Ref("activity", mail.activity), "attempts": mail.attempts,
        "not_before": mail.not_before, "instance": mail.instance, "error": mail.error,
    }  # fmt: skip
