"""Sample records and a schema for tests of mail templates."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from procession.expressions import Scope
from procession.mail import Templates
from procession.records import (
    BOOL,
    DATE,
    DATETIME,
    NUMBER,
    TEXT,
    Entity,
    Field,
    Record,
    Ref,
    Schema,
    Type,
    list_of,
    record_of,
)

SHIPPED = Path(__file__).parents[1] / "templates"
START = datetime(2026, 3, 6, 9, tzinfo=UTC)
UID = "5c6a1c2e-9b1f-4f2e-8a53-8f0e6d1f7b11"

OWNER = Record(
    Ref("user", 1), {"name": "Anna Berg", "email": "anna@us.example", "phone": "+49 30 1", "signature": ""}
)
ACCOUNT = Record(Ref("account", 2), {"name": "Acme & Söhne"})
CONTACT = Record(
    Ref("contact", 3),
    {
        "name": "Ann Becker", "salutation": "Frau", "first_name": "Ann", "last_name": "Becker",
        "email": "ann@acme.example", "account": ACCOUNT, "owner": OWNER,
    },
)  # fmt: skip
OPPORTUNITY = Record(
    Ref("opportunity", 4),
    {
        "name": "Press line <2>", "amount": 184000.0, "currency": "EUR", "close_date": date(2026, 4, 15),
        "contact": CONTACT, "owner": OWNER, "account": ACCOUNT,
    },
)  # fmt: skip


def activity(**changes: Any) -> Record:
    fields = {
        "subject": "The offer", "start": START, "end": START + timedelta(hours=1, minutes=30), "due": START,
        "all_day": False, "timezone": "Europe/Berlin", "location": "Werk 2\nMünchen", "body": "Bring <tea>.",
        "priority": "normal", "status": "planned", "owner": OWNER, "contact": CONTACT, "opportunity": OPPORTUNITY,
        "account": ACCOUNT, "participants": (CONTACT,), "created_at": START, "modified_at": START,
        "uid": UID,
    }  # fmt: skip
    return Record(Ref("activity", 17), fields | changes)


def bare(**changes: Any) -> Record:
    """An activity of which little is known."""
    contact = Record(
        Ref("contact", 5), {"name": "Pat", "salutation": None, "first_name": None, "last_name": None}
    )
    nothing = dict.fromkeys(("end", "due", "location", "body", "opportunity", "account", "timezone"))
    owner = Record(Ref("user", 6), {"name": "Dev", "signature": None, "phone": None})
    return activity(**({**nothing, "contact": contact, "owner": owner} | changes))


def names(**given: Any) -> dict[str, Any]:
    return {
        "meeting": activity(), "task": activity(), "email": activity(), "contact": CONTACT, "opportunity": OPPORTUNITY,
        "recipient": CONTACT, "sender": OWNER,
    } | given  # fmt: skip


def templates(**files: str) -> Templates:
    """Templates of files written `mail__subject_txt="…"` (`/` is `__`, `.j2` is left out)."""
    return Templates.of_files(
        {
            f"{path.replace('__', '/').replace('_txt', '.txt').replace('_html', '.html')}.j2": text
            for path, text in files.items()
        }
    )


def _entity(name: str, /, **fields: Type) -> Entity:
    return Entity(name, name, {field: Field(type_, field) for field, type_ in fields.items()})


USER, PERSON, DEAL, COMPANY = (record_of(name) for name in ("user", "contact", "opportunity", "account"))
SCHEMA = Schema(
    {
        "user": _entity("user", name=TEXT, email=TEXT, phone=TEXT, signature=TEXT, timezone=TEXT),
        "account": _entity("account", name=TEXT, owner=USER),
        "contact": _entity(
            "contact", name=TEXT, salutation=TEXT, first_name=TEXT, last_name=TEXT, email=TEXT, account=COMPANY, owner=USER
        ),
        "opportunity": _entity(
            "opportunity", name=TEXT, amount=NUMBER, currency=TEXT, close_date=DATE, contact=PERSON, owner=USER, account=COMPANY
        ),
        "activity": _entity(
            "activity", subject=TEXT, start=DATETIME, end=DATETIME, due=DATETIME, all_day=BOOL, timezone=TEXT,
            location=TEXT, body=TEXT, priority=TEXT, status=TEXT, owner=USER, contact=PERSON, opportunity=DEAL,
            account=COMPANY, participants=list_of(PERSON),
        ),
    }
)  # fmt: skip
TYPES: Mapping[str, Any] = {
    "meeting": record_of("activity"), "task": record_of("activity"), "email": record_of("activity"), "contact": PERSON, "opportunity": DEAL,
    "inputs": {"meeting": record_of("activity")}, "outputs": {"invite": {"message_id": TEXT}},
}  # fmt: skip
SCOPE = Scope(TYPES, SCHEMA)
