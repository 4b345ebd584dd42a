"""Who a mail goes to and comes from: contacts, users and written addresses become checked recipients.

Addresses are checked by the rules of RFC 5321 and 5322 (email-validator), without asking the network.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from procession.effects import Recipient
from procession.errors import PermanentError
from procession.expressions.kinds import said
from procession.records import Record, fields_of, ref_of
from procession.steps.storing import every

TEXTS = (
    "salutation", "first_name", "last_name", "job_title", "phone", "signature", "team", "language", "timezone", "country"
)  # fmt: skip
"""What a template may ask of whoever writes or reads, besides name and address."""


@dataclass(frozen=True, slots=True)
class Person:
    """A recipient and what is known of them; `about` is what templates see as `recipient` or `sender`."""

    recipient: Recipient
    about: Record | Mapping[str, Any]
    language: str = ""
    timezone: str = ""
    opt_out: bool = False


def people(value: Any, word: str) -> list[Person]:
    """The people of a field: a contact or user, an address (`Anna <anna@acme.example>`), or a list of these.
    Nobody twice; what is empty is left out of a list.

    Raises:
        PermanentError: a record without an address (the message says whose), or text that is no address;
            `word` names the field.
    """
    found: dict[str, Person] = {}
    for one in every(value):
        if one is not None and one != "":
            known = person(one, word)
            found.setdefault(known.recipient.address.lower(), known)
    return list(found.values())


def person(value: Any, word: str) -> Person:
    """Raises:
    PermanentError: see `people`.
    """
    if isinstance(value, Record):
        return _of_record(value, word)
    if isinstance(value, str):
        recipient = Recipient(*_address(value, word))
        return Person(recipient, _unrecorded(recipient))
    raise PermanentError(f"'{word}' needs a contact, a user or an address, not {said(value)}")


def _unrecorded(person: Recipient) -> Mapping[str, str]:
    """What templates see of somebody without a record: what a contact or a user has, mostly empty."""
    known = {"name": person.name or person.address, "email": person.address}
    return dict.fromkeys(TEXTS, "") | known


def _of_record(record: Record, word: str) -> Person:
    ref, fields = ref_of(record), fields_of(record)
    written = fields.get("email")
    if not written:
        raise PermanentError(
            f"{ref.entity} {record} has no e-mail address ('{word}')",
            hint=f"Add one to {ref}, or guard the step with an 'if'.",
        )
    address, _ = _address(str(written), word)
    return Person(
        Recipient(address, str(fields.get("name") or ""), ref), record,
        language=fields.get("language") or "", timezone=fields.get("timezone") or "",
        opt_out=bool(fields.get("opt_out")),
    )  # fmt: skip


def sender(value: Any, default: Recipient) -> Person:
    """Who a mail comes from: a user (their mailbox if they have one), mailbox text, or the default.

    Raises:
        PermanentError: a user without any address, or text that is no mailbox.
    """
    if value is None or value == "":
        return Person(default, _unrecorded(default))
    if not isinstance(value, Record) or not fields_of(value).get("mailbox"):
        return person(value, "from")
    address, name = _address(str(fields_of(value)["mailbox"]), "from")
    return Person(Recipient(address, name or str(value), ref_of(value)), value)


_MAILBOX = re.compile(r'\s*"?(?P<name>[^"<>]*)"?\s*<(?P<address>[^<>]*)>\s*')


@functools.lru_cache(maxsize=4096)
def _address(written: str, word: str) -> tuple[str, str]:
    """(address, display name)."""
    import email_validator  # not needed to check definitions

    mailbox = _MAILBOX.fullmatch(written)
    address, name = (mailbox["address"], mailbox["name"]) if mailbox else (written, "")
    try:
        valid = email_validator.validate_email(
            address.strip(), check_deliverability=False, globally_deliverable=False
        )
    except email_validator.EmailNotValidError as error:
        several = " Write several as a list." if written.count("@") > 1 else ""
        raise PermanentError(f"'{word}' holds no valid e-mail address: {error}{several}") from error
    return valid.normalized, " ".join(name.split())
