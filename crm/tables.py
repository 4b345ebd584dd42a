"""The tables of the CRM, and nothing else. `crm.schema` says what people and processes see of them.

A record's number is never given to another record (AUTOINCREMENT on SQLite): History outlives what it is about.
An e-mail is an activity of type e-mail (its subject and text) and one `email_message` (how it travels);
the bytes that were sent stand apart, so that a change of state does not rewrite them.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Column, ForeignKey, LargeBinary, Text, UniqueConstraint, text
from sqlmodel import Field

from crm.columns import ID, Base, Money, index, moment, plain_json, primary_key, reference, string, table_of

NUMBERED = {"sqlite_autoincrement": True}


class User(Base, table=True):
    __tablename__ = "user"
    __table_args__ = (UniqueConstraint("email"), NUMBERED)

    id: int | None = primary_key()
    name: str = string()
    email: str = string()
    timezone: str = string()
    language: str = string()
    team: str = string()
    phone: str = string()
    signature: str = string()


class Account(Base, table=True):
    __tablename__ = "account"
    __table_args__ = (
        index("ix_account_name", "name"),
        index("ix_account_owner_id", "owner_id"),
        NUMBERED,
    )

    id: int | None = primary_key()
    name: str = string()
    website: str = string()
    phone: str = string()
    industry: str = string()
    country: str = string()
    owner_id: int | None = reference("user")


class Contact(Base, table=True):
    __tablename__ = "contact"
    __table_args__ = (
        index("ix_contact_account_id", "account_id"),
        index("ix_contact_name", "name"),
        index("ix_contact_owner_id", "owner_id"),
        NUMBERED,
    )

    id: int | None = primary_key()
    name: str = string()
    salutation: str = string()
    first_name: str = string()
    last_name: str = string()
    job_title: str = string()
    account_id: int | None = reference("account")
    timezone: str = string()
    language: str = string()
    country: str = string()
    opt_out: bool = False
    owner_id: int | None = reference("user")


class ContactAddress(Base, table=True):
    """An e-mail address or phone number; the one with the lowest position is the primary one of its kind.
    `normal` is what it is compared by."""

    __tablename__ = "contact_address"
    __table_args__ = (
        CheckConstraint("kind IN ('email', 'phone')", name="kind"),
        UniqueConstraint("contact_id", "kind", "normal"),
        index("ix_contact_address_normal", "normal", "kind"),
    )

    id: int | None = primary_key()
    contact_id: int = reference("contact", on_delete="CASCADE", required=True)
    kind: str = string()
    value: str = string()
    normal: str = string()
    label: str = string()
    position: int = 0


class Opportunity(Base, table=True):
    __tablename__ = "opportunity"
    __table_args__ = (
        index("ix_opportunity_account_id", "account_id"),
        index("ix_opportunity_contact_id", "contact_id"),
        index("ix_opportunity_name", "name"),
        index("ix_opportunity_owner_id", "owner_id"),
        NUMBERED,
    )

    id: int | None = primary_key()
    name: str = string()
    stage: str = string()
    amount: float | None = Field(default=None, sa_type=Money)
    currency: str = string()
    close_date: date | None = None
    account_id: int | None = reference("account")
    contact_id: int | None = reference("contact")
    owner_id: int | None = reference("user")


class Category(Base, table=True):
    """`is_meeting` makes a task a meeting, an item of the calendar."""

    __tablename__ = "category"
    __table_args__ = (UniqueConstraint("name"),)

    id: int | None = primary_key()
    name: str = string()
    is_meeting: bool = False


class Activity(Base, table=True):
    """`uid` is what calendars of any program know it by (RFC 5545, 3.8.4.7); e-mails have none."""

    __tablename__ = "activity"
    __table_args__ = (
        CheckConstraint("type IN ('email', 'call', 'task')", name="type"),
        CheckConstraint("status IN ('planned', 'in_progress', 'done', 'cancelled')", name="status"),
        CheckConstraint("priority IN ('low', 'normal', 'high')", name="priority"),
        index("ix_activity_start", "start", where=text("start IS NOT NULL")),
        index("ix_activity_due", "due", where=text("due IS NOT NULL")),
        index("ix_activity_category_id", "category_id", where=text("category_id IS NOT NULL")),
        index("ix_activity_owner_id_status", "owner_id", "status"),
        index("ix_activity_uid", "uid"),
        NUMBERED,
    )

    id: int | None = primary_key()
    type: str = string("task")
    category_id: int | None = reference("category")
    subject: str = string()
    status: str = string("planned")
    priority: str = string("normal")
    start: datetime | None = moment()
    end: datetime | None = moment()
    due: datetime | None = moment()
    all_day: bool = False
    timezone: str = string()
    location: str = string()
    body: str = string()
    owner_id: int | None = reference("user")
    created_at: datetime = moment(required=True)
    modified_at: datetime = moment(required=True)
    external: bool = False
    incoming: bool = False
    uid: str = string()


def _to_one(target: str) -> Any:
    """Once per activity; and the way from a record to its activities."""
    column = f"{target}_id"
    where = text(f"{column} IS NOT NULL")
    return index(f"uq_activity_link_{target}", column, "activity_id", where=where, unique=True)


class ActivityLink(Base, table=True):
    """What an activity is connected to: one contact, account or opportunity. `reason` says why (`field`,
    `connected`, `recipient`, `account of recipient`), `confidence` how sure that is, from 0 to 1."""

    __tablename__ = "activity_link"
    __table_args__ = (
        CheckConstraint(
            " + ".join(
                f"CASE WHEN {target}_id IS NULL THEN 0 ELSE 1 END"
                for target in ("contact", "account", "opportunity")
            )
            + " = 1",
            name="one_target",
        ),
        index("ix_activity_link_activity_id", "activity_id"),
        _to_one("contact"),
        _to_one("account"),
        _to_one("opportunity"),
    )

    id: int | None = primary_key()
    activity_id: int = reference("activity", on_delete="CASCADE", required=True)
    contact_id: int | None = reference("contact", on_delete="CASCADE")
    account_id: int | None = reference("account", on_delete="CASCADE")
    opportunity_id: int | None = reference("opportunity", on_delete="CASCADE")
    reason: str = string("field")
    confidence: float = 1.0


class Participant(Base, table=True):
    """Who takes part in a meeting (`role` attendee or organizer) or e-mail (to, cc, bcc): a contact, or an address."""

    __tablename__ = "participant"
    __table_args__ = (
        CheckConstraint("contact_id IS NOT NULL OR address <> ''", name="someone"),
        index("ix_participant_activity_id", "activity_id"),
        index("ix_participant_contact_id", "contact_id", where=text("contact_id IS NOT NULL")),
    )

    id: int | None = primary_key()
    activity_id: int = reference("activity", on_delete="CASCADE", required=True)
    contact_id: int | None = reference("contact", on_delete="CASCADE")
    address: str = string()
    role: str = string()
    response: str = string()


def _of_activity() -> Column[int]:
    """Checked at commit: the message is written before its activity, since whoever gets the Message-ID
    in writes the rest (`crm.outbox`)."""
    activity = ForeignKey("activity.id", ondelete="CASCADE", deferrable=True, initially="DEFERRED")
    return Column(ID, activity, primary_key=True, autoincrement=False)


class EmailMessage(Base, table=True):
    """How an e-mail travels. Outgoing ones have a `state` (`procession.ports.MailState`), received ones none."""

    __tablename__ = "email_message"
    __table_args__ = (
        CheckConstraint("direction IN ('in', 'out')", name="direction"),
        UniqueConstraint("message_id"),
        index("ix_email_message_queued", "bulk", "not_before", where=text("state = 'queued'")),
        index("ix_email_message_sending", "claimed_by", where=text("state = 'sending'")),
        index(
            "ix_email_message_looked_at", "state", where=text("state NOT IN ('queued', 'sending', 'sent')")
        ),
        index(
            "uq_email_message_of_step",
            "instance_id",
            "path",
            "round",
            "part",
            unique=True,
            where=text("instance_id IS NOT NULL"),
        ),
    )

    activity_id: int = Field(sa_column=_of_activity())
    message_id: str = string()
    direction: str = string("out")
    sender: str = string()
    sender_name: str = string()
    to: list[Any] = plain_json()
    cc: list[Any] | None = plain_json()
    bcc: list[Any] | None = plain_json()
    in_reply_to: str = string()
    references: list[str] | None = plain_json()
    template: str = string()
    language: str = string()
    state: str | None = Field(default=None, sa_type=Text)
    claimed_by: int = Field(default=0, sa_type=ID)
    claimed_at: datetime | None = moment()
    not_before: datetime | None = moment()
    attempts: int = 0
    detail: str = string()
    on_unknown: str = string("hold")
    instance_id: int | None = reference("instance", on_delete="SET NULL")
    path: str = string()
    round: str = string()
    part: int = 0
    redirected_to: str = string()
    bulk: bool = False
    sent_at: datetime | None = moment()


class EmailSource(Base, table=True):
    """The bytes of an e-mail (RFC 5322), as they were or will be sent."""

    __tablename__ = "email_source"

    activity_id: int = Field(
        sa_type=ID,
        primary_key=True,
        foreign_key="email_message.activity_id",
        ondelete="CASCADE",
        sa_column_kwargs={"autoincrement": False},
    )
    mime: bytes = Field(sa_type=LargeBinary)


class HistoryLine(Base, table=True):
    """Append-only. `entity` and `record_id` name whose line it is; they may outlive the record."""

    __tablename__ = "history"
    __table_args__ = (
        index("ix_history_record", "entity", "record_id", "at"),
        index("ix_history_activity_id", "activity_id", where=text("activity_id IS NOT NULL")),
    )

    id: int | None = primary_key()
    entity: str = string()
    record_id: int = Field(sa_type=ID)
    at: datetime = moment(required=True)
    kind: str = string()
    text: str = string()
    activity_id: int | None = reference("activity", on_delete="SET NULL")
    actor_kind: str = string()
    actor_name: str = string()
    actor_process: str = string()
    actor_instance: int | None = Field(default=None, sa_type=ID)
    actor_step: str = string()


user, account, contact = table_of(User), table_of(Account), table_of(Contact)
contact_address, opportunity, category = table_of(ContactAddress), table_of(Opportunity), table_of(Category)
activity, activity_link, participant = table_of(Activity), table_of(ActivityLink), table_of(Participant)
email_message, email_source, history = table_of(EmailMessage), table_of(EmailSource), table_of(HistoryLine)
