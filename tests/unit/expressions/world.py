"""A small CRM schema, the scope of a process on it, and values to run expressions on."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from procession.errors import Place
from procession.expressions import Checked, Expression, Finding, Scope, check, evaluate
from procession.records import (
    BOOL,
    DATE,
    DATETIME,
    DURATION,
    INT,
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


def entity(name: str, /, **types: Type) -> Entity:
    return Entity(name, name.title(), {field: Field(type_, field) for field, type_ in types.items()})


STATUS = Field(TEXT, "Status", options=("planned", "done", "cancelled"))
SCHEMA = Schema(
    {
        "account": entity("account", name=TEXT, industry=TEXT),
        "contact": entity(
            "contact", name=TEXT, first_name=TEXT, email=TEXT, emails=list_of(TEXT), timezone=TEXT, language=TEXT,
            opt_out=BOOL, account=record_of("account"), owner=record_of("user"),
        ),
        "opportunity": entity(
            "opportunity", name=TEXT, amount=NUMBER, close_date=DATE, account=record_of("account"),
            owner=record_of("user"),
        ),
        "user": entity("user", name=TEXT, email=TEXT, mailbox=TEXT, timezone=TEXT, language=TEXT),
        "activity": Entity(
            "activity", "Activity",
            {
                **entity(
                    "activity", subject=TEXT, start=DATETIME, end=DATETIME, due=DATETIME, is_meeting=BOOL, body=TEXT,
                    location=TEXT, contact=record_of("contact"), opportunity=record_of("opportunity"),
                    owner=record_of("user"), participants=list_of(record_of("contact")),
                ).fields,
                "status": STATUS,
            },
        ),
    }
)  # fmt: skip

MEETING_TYPE = record_of("activity")
SCOPE = Scope(
    {
        "meeting": MEETING_TYPE,
        "record": MEETING_TYPE,
        "remind_before": DURATION,
        "inputs": {"meeting": MEETING_TYPE, "remind_before": DURATION},
        "outputs": {"find": {"records": list_of(MEETING_TYPE), "first": MEETING_TYPE, "count": INT}},
        "vars": {"greeting": TEXT},
        "trigger": {"id": TEXT, "event": TEXT, "changed": list_of(TEXT)},
        "process": {"id": TEXT, "title": TEXT, "instance": INT},
        "item": record_of("contact"),
        "day": DATE,
    },
    SCHEMA,
)

ACME = Record(Ref("account", 3), {"name": "Acme", "industry": "IT"})
BOB = Record(Ref("user", 2), {"name": "Bob", "email": "bob@us.example"})
ANN = Record(
    Ref("contact", 1),
    {
        "name": "Ann Bauer", "first_name": None, "email": "ann@acme.example", "timezone": "Europe/Berlin",
        "language": "de", "account": ACME, "opt_out": False, "owner": BOB, "emails": ("ann@acme.example",),
    },
)  # fmt: skip
CAL = Record(Ref("contact", 7), {"name": "Cal", "first_name": "Cal", "email": None, "account": None})
MEETING = Record(
    Ref("activity", 5),
    {
        "subject": "Kick-off", "start": datetime(2026, 3, 6, 9, tzinfo=UTC), "end": datetime(2026, 3, 6, 10, 30, tzinfo=UTC),
        "due": None, "is_meeting": True, "status": "planned", "contact": ANN, "opportunity": None, "owner": BOB,
        "participants": (ANN, CAL), "body": "Call ann@acme.example first.", "location": "Room 4",
    },
)  # fmt: skip
CALL = Record(
    Ref("activity", 6),
    {
        "subject": "Call",
        "start": datetime(2026, 3, 4, 9, tzinfo=UTC),
        "due": None,
        "status": "done",
        "contact": CAL,
    },
)
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
"""A Monday, 9:00 in Berlin."""

NAMES: Mapping[str, Any] = {
    "meeting": MEETING,
    "record": MEETING,
    "remind_before": timedelta(days=1),
    "inputs": {"meeting": MEETING, "remind_before": timedelta(days=1)},
    "outputs": {"find": {"records": (MEETING, CALL), "first": MEETING, "count": 2}},
    "vars": {"greeting": "Hello"},
    "trigger": {"id": "saved", "event": "modified", "changed": ("start", "contact")},
    "process": {"id": "p", "title": "P", "instance": 4, "timezone": "Europe/Berlin"},
    "item": CAL,
    "day": date(2026, 3, 6),
    "now": NOW,
}
AT = Place("processes/p.yaml", 12, 9)


def value(source: str, **more: Any) -> Any:
    return evaluate(Expression(source, AT), {**NAMES, **more})


def checked(source: str) -> Checked:
    return check(source, SCOPE)


def only_finding(source: str) -> Finding:
    (finding,) = checked(source).findings
    return finding


def pointed_at(source: str) -> list[str]:
    """What each finding points at: the source from its offset on."""
    return [source[finding.offset :] for finding in checked(source).findings]
