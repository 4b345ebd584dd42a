"""The job without an engine: plain Python, raw SQL, smtplib. Nothing of it survives a crash."""

import smtplib
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from flows.wiring import Application
from procession.effects import Recipient, SendMail
from procession.mail import Templates, compose
from procession.records import Record, Ref

MEETING = """
    SELECT a.id, a.subject, a.start, a."end", a.location, a.timezone, a.created_at, a.modified_at,
           c.id AS contact_id, c.name AS contact, c.first_name, c.last_name, c.salutation, c.language, c.timezone AS zone, e.value AS email,
           u.id AS owner_id, u.name AS owner, u.email AS owner_email, u.timezone AS owner_zone, u.phone, u.signature,
           o.id AS deal_id, o.name AS deal
    FROM activity a
    JOIN activity_link lc ON lc.activity_id = a.id AND lc.contact_id IS NOT NULL
    JOIN contact c ON c.id = lc.contact_id
    JOIN contact_address e ON e.contact_id = c.id AND e.kind = 'email' AND e.position = 0
    JOIN activity_link lo ON lo.activity_id = a.id AND lo.opportunity_id IS NOT NULL
    JOIN opportunity o ON o.id = lo.opportunity_id
    LEFT JOIN "user" u ON u.id = a.owner_id
    WHERE a.id = ? ORDER BY lc.id, lo.id LIMIT 1
"""
HISTORY = """
    INSERT INTO history (entity, record_id, at, actor_kind, actor_name, actor_process, actor_step, kind, text, activity_id)
    VALUES ('opportunity', ?, ?, 'process', 'loop', '', '', 'email', ?, ?)
"""


class Job:
    """load, render, send, log: four steps that somebody would write by hand."""

    def __init__(self, app: Application, port: int) -> None:
        self.database = sqlite3.connect(app.data / "procession.sqlite", isolation_level=None)
        self.database.row_factory = sqlite3.Row
        self.database.execute("PRAGMA journal_mode=WAL")
        self.database.execute("PRAGMA synchronous=NORMAL")
        self.templates = Templates(app.template_folder)
        self.port = port

    def load(self, number: int) -> dict[str, Any]:
        return dict(self.database.execute(MEETING, (number,)).fetchone())

    def render(self, row: dict[str, Any]) -> tuple[SendMail, bytes]:
        sender = Recipient(row["owner_email"], row["owner"])
        to = Recipient(row["email"], row["contact"])
        meeting = _meeting(row)
        names = {"meeting": meeting, "recipient": to, "sender": meeting.owner, "now": datetime.now(UTC)}
        zone, language = row["zone"] or "UTC", row["language"] or "en"
        rendered = self.templates.render(
            "meeting_new", {**names, "recipient": meeting.contact}, language=language, timezone=zone
        )
        mail = SendMail(
            f"<{row['id']}.loop@bench.example>", sender, (to,), rendered.subject, rendered.text, rendered.html,
            attachments=(self.templates.invitation(meeting, sender=sender, to=[to]),),
        )  # fmt: skip
        return mail, compose(mail, datetime.now(UTC))

    def log(self, row: dict[str, Any], mail: SendMail) -> None:
        self.database.execute("BEGIN IMMEDIATE")
        at = datetime.now(UTC).isoformat()
        self.database.execute(HISTORY, (row["deal_id"], at, f"E-mail {mail.subject}", row["id"]))
        self.database.execute("COMMIT")


def _meeting(row: dict[str, Any]) -> Record:
    def moment(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    owner = Record(Ref("user", row["owner_id"]), {
        "name": row["owner"], "email": row["owner_email"], "timezone": row["owner_zone"], "phone": row["phone"],
        "signature": row["signature"]})  # fmt: skip
    contact = Record(Ref("contact", row["contact_id"]), {
        "name": row["contact"], "first_name": row["first_name"], "last_name": row["last_name"], "salutation": row["salutation"],
        "language": row["language"], "timezone": row["zone"], "email": row["email"]})  # fmt: skip
    return Record(Ref("activity", row["id"]), {
        "subject": row["subject"], "start": moment(row["start"]), "end": moment(row["end"]), "location": row["location"],
        "all_day": False, "timezone": row["timezone"], "status": "planned", "created_at": moment(row["created_at"]),
        "modified_at": moment(row["modified_at"]), "owner": owner, "contact": contact, "is_meeting": True,
        "opportunity": Record(Ref("opportunity", row["deal_id"]), {"name": row["deal"]})})  # fmt: skip


def loop(app: Application, port: int, numbers: Sequence[int], *, keep: bool) -> None:
    """One transaction for each meeting; one connection for each mail, or one for all (`keep`)."""
    job = Job(app, port)
    connect = partial(smtplib.SMTP, "127.0.0.1", port, local_hostname="localhost")
    kept = connect() if keep else None
    for number in numbers:
        row = job.load(number)
        mail, mime = job.render(row)
        connection = kept or connect()
        connection.sendmail(mail.sender.address, [mail.to[0].address], mime)
        if kept is None:
            connection.quit()
        job.log(row, mail)
    if kept:
        kept.quit()
