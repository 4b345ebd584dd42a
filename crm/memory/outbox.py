"""Outgoing mail: an activity of type e-mail and its message, from draft to sent. See `crm.outbox`."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from crm import links
from crm.cancelling import WITHDRAWN, why_cancelled
from crm.events import Saved
from crm.mail_rows import (
    KEEPS_TRIES,
    activity_row,
    contacts_among,
    envelope_of,
    links_of,
    listed_of,
    message_row,
    participants,
    takes_new_content,
)
from crm.memory.reading import targets
from crm.memory.records import connect, tell
from crm.memory.shapes import Row
from crm.memory.tables import Tables
from crm.outbox import MOST_BULK_MAILS, named_as
from procession.ports import Envelope, ListedMail, MailState, QueuedMail, Settlement
from procession.records import Ref

_STEP = ("instance_id", "path", "round", "part")
_NOBODY: Mapping[str, Any] = {"claimed_by": 0, "claimed_at": None}


class MemoryOutbox:
    """Implements `procession.ports.Outbox`. An envelope and its activity have the same number."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def queue(
        self, mails: Sequence[QueuedMail], at: datetime, *, engine: int = 0, hands: int = 0
    ) -> list[Envelope]:
        numbers, fresh, again, released = [], set(), set(), set()
        last = self._tables["activity"].last
        for place, mail in enumerate(mails, 1):
            row = self._there(mail)
            if row is None:
                free = mail.state == "queued" and mail.mail.not_before is None and hands > 0
                hands -= free
                row = self._insert(last + place, mail, at, engine if free else 0)
                fresh.add(row.activity_id)
            elif takes_new_content(row.state, row.not_before, mail) and row.activity_id not in again:
                again.add(row.activity_id)
                released |= {row.activity_id} if row.state == "held" and not row.attempts else set()
                self._take_new_content(row.activity_id, named_as(row.message_id, mail), at)
            numbers.append(row.activity_id)
        rows = self._tables["email_message"].rows
        return [
            replace(self._envelope(rows[number], fresh=number in fresh), released=number in released)
            for number in numbers
        ]

    def claim(self, ids: Collection[int], engine: int, now: datetime) -> list[int]:
        won: list[int] = []
        if self._tables.is_held:
            return won
        for number in dict.fromkeys(ids):
            row = self._tables["email_message"].rows.get(number)
            if row is None:
                continue
            is_due = row.state == "queued" and (row.not_before is None or row.not_before <= now)
            mine = row.state == "sending" and (row.claimed_by, row.claimed_at) == (engine, now)
            if is_due:
                self._change(
                    number, state="sending", claimed_by=engine, claimed_at=now, attempts=row.attempts + 1
                )
            if is_due or mine:
                won.append(number)
        return won

    def settle(
        self,
        mail: int,
        state: MailState,
        at: datetime,
        *,
        detail: str = "",
        not_before: datetime | None = None,
        engine: int = 0,
    ) -> bool:
        changed = self._settle(Settlement(mail, state, detail, not_before, engine), at)
        if changed and state == "queued" and self._tables["activity"].rows[mail].status == "planned":
            from procession.mail.mime import dated  # see `crm.outbox.named_as`

            self._tables.change("activity", mail, status="done", modified_at=at)
            source = self._tables["email_source"].rows[mail]
            self._tables.change("email_source", mail, mime=dated(source.mime, at))
        return changed

    def withdraw(self, steps: Collection[tuple[int, str, str]]) -> None:
        for number, path, round_ in steps:
            row = self._tables["email_message"].known(_STEP, number, path, round_, 0)
            if row and (row.state == "held" or (row.state == "queued" and row.not_before is None)):
                self._change(row.activity_id, state="withdrawn", detail=WITHDRAWN, not_before=None)

    def settle_all(self, settlements: Sequence[Settlement], at: datetime) -> None:
        for one in settlements:
            self._settle(one, at)

    def envelopes(self, ids: Collection[int] = (), *, message_ids: Collection[str] = ()) -> list[Envelope]:
        """In the order of their numbers."""
        table = self._tables["email_message"]
        found = {number for number in ids if number in table.rows}
        found |= {row.activity_id for one in message_ids if (row := table.known(("message_id",), one))}
        return self._sorted(table.rows[number] for number in found)

    def known(self, message_ids: Collection[str]) -> set[str]:
        table = self._tables["email_message"]
        return {one for one in message_ids if table.known(("message_id",), one)}

    def due(self, now: datetime, limit: int) -> list[Envelope]:
        rows = [
            row
            for row in self._tables["email_message"].waiting()
            if row.state == "queued" and row.not_before is not None and row.not_before <= now
        ]
        rows.sort(key=lambda row: (row.bulk, row.not_before, row.activity_id))
        urgent = [row for row in rows if not row.bulk]
        return [self._envelope(row) for row in urgent[:limit] or rows[: min(limit, MOST_BULK_MAILS)]]

    def lost(self, before: datetime) -> list[Envelope]:
        engines = self._tables["engine"].rows
        return self._sorted(
            row
            for row in self._tables["email_message"].waiting()
            if row.state == "sending"
            and (row.claimed_by not in engines or (row.claimed_at is not None and row.claimed_at < before))
        )

    def in_state(
        self, states: Collection[MailState], limit: int = 100, *, newest: bool = False
    ) -> list[ListedMail]:
        found = sorted(self._of(states), key=lambda row: row.activity_id, reverse=newest)
        activities = self._tables["activity"].rows
        return [listed_of(row, activities[row.activity_id].subject) for row in found[:limit]]

    def count(self, states: Collection[MailState]) -> dict[MailState, int]:
        found = Counter(row.state for row in self._of(states))
        return {state: found[state] for state in states}

    def _of(self, states: Collection[MailState]) -> list[Row]:
        return [row for row in self._tables["email_message"].rows.values() if row.state in states]

    def _there(self, mail: QueuedMail) -> Row | None:
        """By its step, or if it has none by its Message-ID."""
        table = self._tables["email_message"]
        if mail.instance is None:
            return table.known(("message_id",), mail.mail.message_id)
        return table.known(_STEP, mail.instance, mail.path, mail.round, mail.part)

    def _insert(self, number: int, mail: QueuedMail, at: datetime, claimed_by: int) -> Row:
        row = message_row(number, mail)
        if claimed_by:
            row |= {"state": "sending", "claimed_by": claimed_by, "claimed_at": at, "attempts": 1}
        accounts = self._accounts(mail)
        connected = links.resolved([mail.mail.connected_to], partial(targets, self._tables))
        self._tables.insert("activity", [activity_row(number, mail, at)])
        (message,) = self._tables.insert("email_message", [row])
        self._tables.insert("email_source", [{"activity_id": number, "mime": mail.mime}])
        connect(self._tables, links_of({number: mail}, accounts, connected))
        self._tables.insert("participant", participants({number: mail}, accounts))
        tell(self._tables, [Saved("added", Ref("activity", number), mail.actor)], at)
        return message

    def _take_new_content(self, number: int, mail: QueuedMail, at: datetime) -> None:
        row = message_row(number, mail)
        if self._tables["email_message"].rows[number].state in KEEPS_TRIES:
            del row["attempts"]
        self._change(**row)
        self._tables.change("email_source", number, mime=mail.mime)
        content = {"subject": mail.mail.subject, "body": mail.mail.text, "modified_at": at}
        self._tables.change("activity", number, **content)
        old = [row.id for row in self._tables["participant"].of("activity_id", number)]
        self._tables.delete("participant", old)
        accounts = self._accounts(mail)
        self._tables.insert("participant", participants({number: mail}, accounts))
        connected = links.resolved([mail.mail.connected_to], partial(targets, self._tables))
        forgotten = [
            row.id
            for row in self._tables["activity_link"].of("activity_id", number)
            if row.reason in ("recipient", "account of recipient")
        ]
        self._tables.delete("activity_link", forgotten)
        known = {ref for _, ref in targets(self._tables, [number])}
        wanted = links_of({number: mail}, accounts, connected)
        connect(self._tables, [link for link in wanted if link.to not in known])

    def _accounts(self, mail: QueuedMail) -> dict[int, int | None]:
        """`{contact: account}` of those recipients that are contacts, and still there."""
        contacts = self._tables["contact"].rows
        found = {ref.id for _, ref in contacts_among(mail.mail) if ref.id in contacts}
        return {number: contacts[number].account_id for number in found}

    def _settle(self, one: Settlement, at: datetime) -> bool:
        """What was sent stays sent, whatever somebody who took over says later."""
        row = self._tables["email_message"].rows.get(one.mail)
        if row is None or row.state in (None, "sent"):
            return False
        if row.claimed_by != one.engine and one.state != "sent":
            return False
        values = {"state": one.state, "detail": one.detail, "not_before": one.not_before}
        self._change(one.mail, **values, sent_at=at if one.state == "sent" else None, **_NOBODY)
        return True

    def _change(self, activity_id: int, **values: Any) -> None:
        self._tables.change("email_message", activity_id, **values)

    def _sorted(self, rows: Iterable[Row]) -> list[Envelope]:
        return [self._envelope(row) for row in sorted(rows, key=lambda row: row.activity_id)]

    def _envelope(self, row: Row, *, fresh: bool = False) -> Envelope:
        source = self._tables["email_source"].rows[row.activity_id]
        return envelope_of(row, source.mime, fresh=fresh)


def cancel_mails(tables: Tables, instances: Collection[int], reason: str) -> None:
    """Of cancelled instances: mails that nobody will send. See `crm.outbox.cancel_mails`."""
    for row in tables["email_message"].waiting():
        if row.state in ("held", "queued") and row.instance_id in instances:
            values = {"state": "cancelled", "detail": why_cancelled(reason), "not_before": None}
            tables.change("email_message", row.activity_id, **values)
