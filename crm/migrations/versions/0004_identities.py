"""What calendars know an activity by: kept from the invitations that version 0.1 sent, else made anew. And whether the
database is held, since it was put back from a backup or copied; and where the mails of a test system go."""

import re
from collections.abc import Iterator
from email import message_from_bytes

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text()
JSON = sa.JSON(none_as_null=True)
AT_ONCE = 500

_UID = re.compile(rb"^UID:(activity-(\d+)@\S+)", re.MULTILINE)
_RANDOM = {
    "sqlite": "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'"
    " || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))",
    "postgresql": "CAST(gen_random_uuid() AS TEXT)",
}
_HOLDS_A_CALENDAR = {
    "sqlite": "instr(mime, CAST('text/calendar' AS BLOB)) > 0",
    "postgresql": "position(CAST('text/calendar' AS BYTEA) IN mime) > 0",
}


def upgrade() -> None:
    _calendar_uids()
    _installation()
    op.add_column("email_message", sa.Column("redirected_to", TEXT, nullable=False, server_default=""))


def _installation() -> None:
    op.add_column("installation", sa.Column("former", JSON, nullable=True))
    for name in ("is_witnessed", "held"):
        op.add_column("installation", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("installation", sa.Column("held_because", TEXT, nullable=False, server_default=""))
    op.add_column("installation", sa.Column("held_after", ID, nullable=False, server_default="0"))


def _calendar_uids() -> None:
    """Version 0.1 made the UID of a meeting of its number and the sender's domain, and stored it nowhere but in the
    mails: what was sent last is what calendars have. Of a meeting with no invitation among the mails nobody has one."""
    op.add_column("activity", sa.Column("uid", TEXT, nullable=False, server_default=""))
    connection = op.get_bind()
    database = connection.dialect.name
    op.execute(f"UPDATE activity SET uid = {_RANDOM[database]} WHERE type <> 'email'")
    sent: dict[int, str] = {}
    for left in (False, True):
        for mime in _invitations(connection, left=left):
            sent |= {number: uid for uid, number in _uids(mime)}
    keep = sa.text("UPDATE activity SET uid = :uid WHERE id = :number AND type <> 'email'")
    rows = [{"number": number, "uid": uid} for number, uid in sorted(sent.items())]
    if rows:
        connection.execute(keep, rows)
    op.create_index("ix_activity_uid", "activity", ["uid"])


def _invitations(connection: sa.Connection, *, left: bool) -> Iterator[bytes]:
    """The mails with a calendar file that went out or may have, or the others; in the order they were written in."""
    states = "('sent', 'sending', 'unknown')"
    query = sa.text(
        "SELECT email_source.activity_id, mime FROM email_source"
        " JOIN email_message ON email_message.activity_id = email_source.activity_id"
        f" WHERE direction = 'out' AND state {'IN' if left else 'NOT IN'} {states}"
        f" AND {_HOLDS_A_CALENDAR[connection.dialect.name]} AND email_source.activity_id > :after"
        f" ORDER BY email_source.activity_id LIMIT {AT_ONCE}"
    )
    after = 0
    while rows := connection.execute(query, {"after": after}).all():
        yield from (row.mime for row in rows)
        after = rows[-1].activity_id


def _uids(mime: bytes) -> Iterator[tuple[str, int]]:
    """The UIDs in its calendar files, with the numbers of the activities."""
    for part in message_from_bytes(mime).walk():
        if part.get_content_type() == "text/calendar":
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            lines = re.sub(rb"\r?\n[ \t]", b"", content)  # RFC 5545, 3.1: unfolded
            yield from ((uid.decode(), int(number)) for uid, number in _UID.findall(lines))
