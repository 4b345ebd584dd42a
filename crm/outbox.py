"""Outgoing mail: an activity of type e-mail and its message, from draft to sent."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, bindparam, case, delete, insert, null, or_, select, text, update

from crm import ids as numbers
from crm import links
from crm import tables as t
from crm.checks import normal
from crm.dialects import Upsert
from crm.events import Saved, tell
from crm.links import Link
from crm.parameters import IDS, NOW, portions
from crm.part import Part
from procession.effects import Recipient, SendMail
from procession.ports import Envelope, MailState, QueuedMail
from procession.records import Ref

NEVER_LEFT: tuple[MailState, ...] = ("failed", "cancelled")

_M = t.email_message.c
_INSERT = Upsert(t.email_message)
_INSERT_ACTIVITY, _INSERT_SOURCE = insert(t.activity), insert(t.email_source)
_INSERT_PARTICIPANT = insert(t.participant)
_THERE = select(_M.message_id, _M.activity_id).where(
    _M.message_id.in_(bindparam("message_ids", expanding=True))
)
_ACCOUNTS = select(t.contact.c.id, t.contact.c.account_id).where(t.contact.c.id.in_(IDS))
_ENVELOPES = (
    select(
        _M.activity_id, _M.message_id, _M.sender, _M.to, _M.cc, _M.bcc, _M.state, _M.attempts, _M.not_before,
        _M.on_unknown, _M.instance_id, _M.path, _M.round, _M.detail, _M.claimed_by, t.email_source.c.mime,
    )
    .select_from(t.email_message.join(t.email_source))
    .where(_M.direction == "out")
)  # fmt: skip
ON_THE_WAY_OR_THERE: frozenset[MailState] = frozenset({"queued", "sending", "sent"})
_LOOKED_AT = text("email_message.state NOT IN ('queued', 'sending', 'sent')")
_IS_DUE = or_(_M.not_before.is_(None), _M.not_before <= NOW)
_QUEUED, _SENDING = text("email_message.state = 'queued'"), text("email_message.state = 'sending'")
_DUE = (
    _ENVELOPES.where(_QUEUED, _M.not_before <= NOW)
    .order_by(_M.not_before, _M.activity_id)
    .limit(bindparam("limit"))
)
_CLAIM = (
    update(t.email_message)
    .where(
        _M.activity_id.in_(IDS),
        or_(
            and_(_QUEUED, _IS_DUE),
            and_(_SENDING, _M.claimed_by == bindparam("owner"), _M.claimed_at == NOW),
        ),
    )
    .values(
        state="sending",
        claimed_by=bindparam("owner"),
        claimed_at=NOW,
        attempts=_M.attempts + case((_QUEUED, 1), else_=0),
    )
    .returning(_M.activity_id)
)
_SETTLE = (
    update(t.email_message)
    .where(
        _M.activity_id == bindparam("number"),
        text("email_message.state <> 'sent'"),
        or_(_M.claimed_by == bindparam("owner"), bindparam("new_state") == "sent"),
    )
    .values(
        state=bindparam("new_state"),
        detail=bindparam("new_detail"),
        not_before=bindparam("new_not_before"),
        sent_at=bindparam("new_sent_at"),
        claimed_by="",
        claimed_at=null(),
    )
)
_LOST = _ENVELOPES.where(
    _SENDING,
    _M.claimed_by > "",  # true of all of them: the way into their index
    or_(
        _M.claimed_by.in_(bindparam("dead", expanding=True)),
        _M.claimed_at < bindparam("before", type_=_M.claimed_at.type),
    ),
).with_for_update(of=t.email_message, skip_locked=True)
_RELEASE_DRAFT = (
    update(t.activity)
    .where(t.activity.c.id == bindparam("number"), t.activity.c.status == "planned")
    .values(status="done", modified_at=NOW)
)


class CrmOutbox(Part):
    """Implements `procession.ports.Outbox`. An envelope and its activity have the same number."""

    def queue(self, mails: Sequence[QueuedMail], at: datetime) -> list[Envelope]:
        """Connected to what the mail says, to the contacts among its recipients and to their accounts."""
        if not mails:
            return []
        new, known = self._insert_messages(mails)
        if new:
            self._insert_activities(new, at)
        there = {envelope.id: envelope for envelope in self.envelopes(known)} if known else {}
        again = self._not_sent_yet(mails, there.values())
        self._take_new_content(again, at)
        there |= {number: _envelope(number, mail, fresh=False) for number, mail in again.items()}
        there |= {number: _envelope(number, mail, fresh=True) for number, mail in new.items()}
        by_message = {envelope.message_id: envelope for envelope in there.values()}
        return [by_message[mail.mail.message_id] for mail in mails]

    def claim(self, ids: Collection[int], owner: str, now: datetime) -> list[int]:
        won = {
            number
            for some in portions(ids)
            for number in self._connection.execute(
                _CLAIM, {"ids": some, "owner": owner, "now": now}
            ).scalars()
        }
        return [number for number in dict.fromkeys(ids) if number in won]

    def settle(
        self,
        mail: int,
        state: MailState,
        at: datetime,
        *,
        detail: str = "",
        not_before: datetime | None = None,
        owner: str = "",
    ) -> bool:
        """What was sent stays sent, whatever somebody who took over says later."""
        values = {
            "number": mail,
            "new_state": state,
            "new_detail": detail,
            "new_not_before": not_before,
            "new_sent_at": at if state == "sent" else None,
            "owner": owner,
        }
        changed = self._connection.execute(_SETTLE, values).rowcount > 0
        if changed and state == "queued":
            self._connection.execute(_RELEASE_DRAFT, {"number": mail, "now": at})
        return changed

    def envelopes(self, ids: Collection[int] = (), *, message_ids: Collection[str] = ()) -> list[Envelope]:
        """In the order of their numbers."""
        found: dict[int, Envelope] = {}
        for column, values in ((_M.activity_id, ids), (_M.message_id, message_ids)):
            for some in portions(values):
                found |= {
                    envelope.id: envelope for envelope in self._read(_ENVELOPES.where(column.in_(some)))
                }
        return [found[number] for number in sorted(found)]

    def due(self, now: datetime, limit: int) -> list[Envelope]:
        return self._read(_DUE, {"now": now, "limit": limit})

    def lost(self, dead: Collection[str], before: datetime) -> list[Envelope]:
        found = self._read(_LOST, {"dead": list(dead), "before": before})
        return sorted(found, key=lambda mail: mail.id)

    def in_state(self, states: Collection[MailState], limit: int = 100) -> list[Envelope]:
        """Oldest first."""
        query = _ENVELOPES.where(_M.state.in_(states)).order_by(_M.activity_id).limit(limit)
        if not ON_THE_WAY_OR_THERE & set(states):
            query = query.where(_LOOKED_AT)  # said as the index says it, or SQLite would not use it
        return self._read(query)

    def _read(self, query: Select[Any], values: Mapping[str, Any] | None = None) -> list[Envelope]:
        return [_envelope_of(row) for row in self._connection.execute(query, values or {})]

    def _insert_messages(self, mails: Sequence[QueuedMail]) -> tuple[dict[int, QueuedMail], list[int]]:
        """Insert those whose Message-ID is not there: `{number: mail}`, and the numbers of the others."""
        once = {mail.mail.message_id: mail for mail in mails}
        taken = dict(zip(once, numbers.take(self._connection, t.activity, len(once)), strict=True))
        rows = [_message_row(taken[message_id], mail) for message_id, mail in sorted(once.items())]
        self._connection.execute(_INSERT.on(self._connection), rows)
        there: dict[str, int] = {}
        for some in portions(once):
            there.update(self._connection.execute(_THERE, {"message_ids": some}).all())
        new = {number: once[key] for key, number in taken.items() if there[key] == number}
        return new, [number for key, number in there.items() if taken[key] != number]

    def _insert_activities(self, mails: Mapping[int, QueuedMail], at: datetime) -> None:
        insert_rows = self._connection.execute
        insert_rows(_INSERT_ACTIVITY, [_activity_row(n, mail, at) for n, mail in mails.items()])
        sources = [{"activity_id": n, "mime": mail.mime} for n, mail in mails.items()]
        insert_rows(_INSERT_SOURCE, sources)
        accounts = self._accounts(mails.values())
        links.add(self._connection, self._links(mails, accounts))
        insert_rows(_INSERT_PARTICIPANT, _participants(mails, accounts))
        saves = (Saved("added", Ref("activity", number), mail.actor) for number, mail in mails.items())
        tell(self._connection, saves, at)

    @staticmethod
    def _not_sent_yet(mails: Sequence[QueuedMail], there: Iterable[Envelope]) -> dict[int, QueuedMail]:
        by_message = {mail.mail.message_id: mail for mail in mails}
        return {one.id: by_message[one.message_id] for one in there if one.state in NEVER_LEFT}

    def _take_new_content(self, mails: Mapping[int, QueuedMail], at: datetime) -> None:
        for number, queued in mails.items():
            run = self._connection.execute
            run(update(t.email_message).where(_M.activity_id == number).values(_message_row(number, queued)))
            source = t.email_source
            run(update(source).where(source.c.activity_id == number).values(mime=queued.mime))
            content = {"subject": queued.mail.subject, "body": queued.mail.text, "modified_at": at}
            run(update(t.activity).where(t.activity.c.id == number).values(content))
            run(delete(t.participant).where(t.participant.c.activity_id == number))
            accounts = self._accounts([queued])
            run(_INSERT_PARTICIPANT, _participants({number: queued}, accounts))
            known = {ref for _, ref in links.targets(self._connection, [number])}
            wanted = self._links({number: queued}, accounts)
            links.add(self._connection, [link for link in wanted if link.to not in known])

    def _links(self, mails: Mapping[int, QueuedMail], accounts: Mapping[int, int | None]) -> list[Link]:
        """What each mail says, then the contacts it goes to, then their accounts."""
        connected = links.resolve(self._connection, [queued.mail.connected_to for queued in mails.values()])
        found: list[Link] = []
        for (number, queued), refs in zip(mails.items(), connected, strict=True):
            contacts = [ref for _, ref in _contacts_among(queued.mail) if ref.id in accounts]
            works_for = [Ref("account", account) for ref in contacts if (account := accounts[ref.id])]
            found += (Link(number, ref, "connected") for ref in refs)
            found += (Link(number, ref, "recipient") for ref in contacts)
            found += (Link(number, ref, "account of recipient") for ref in works_for)
        return found

    def _accounts(self, mails: Iterable[QueuedMail]) -> dict[int, int | None]:
        """`{contact: account}` of those recipients that are contacts, and still there."""
        contacts = {ref.id for mail in mails for _, ref in _contacts_among(mail.mail)}
        found: dict[int, int | None] = {}
        for some in portions(contacts):
            found.update(self._connection.execute(_ACCOUNTS, {"ids": some}).all())
        return found


def _recipients(mail: SendMail) -> list[tuple[str, Recipient]]:
    return [
        (role, one) for role, some in (("to", mail.to), ("cc", mail.cc), ("bcc", mail.bcc)) for one in some
    ]


def _contacts_among(mail: SendMail) -> list[tuple[str, Ref]]:
    return [(role, one.ref) for role, one in _recipients(mail) if one.ref and one.ref.entity == "contact"]


def _participants(
    mails: Mapping[int, QueuedMail], accounts: Mapping[int, int | None]
) -> list[dict[str, Any]]:
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
        for role, one in _recipients(queued.mail)
    ]


def _message_row(number: int, queued: QueuedMail) -> dict[str, Any]:
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
        "claimed_by": "",
        "not_before": mail.not_before,
        "attempts": 0,
        "detail": "",
        "on_unknown": mail.on_unknown,
        "instance_id": queued.instance,
        "path": queued.path,
        "round": queued.round,
    }


def _activity_row(number: int, queued: QueuedMail, at: datetime) -> dict[str, Any]:
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
    }


def _envelope(number: int, queued: QueuedMail, *, fresh: bool) -> Envelope:
    mail = queued.mail
    return Envelope(
        id=number,
        message_id=mail.message_id,
        sender=mail.sender.address,
        recipients=_addresses(one.address for _, one in _recipients(mail)),
        mime=queued.mime,
        state=queued.state,
        activity=number,
        not_before=mail.not_before,
        on_unknown=mail.on_unknown,
        instance=queued.instance,
        path=queued.path,
        round=queued.round,
        fresh=fresh,
    )


def _envelope_of(row: Row[Any]) -> Envelope:
    people = (*row.to, *(row.cc or ()), *(row.bcc or ()))
    return Envelope(
        id=row.activity_id,
        message_id=row.message_id,
        sender=row.sender,
        recipients=_addresses(address for address, _ in people),
        mime=row.mime,
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
    )


def _addresses(addresses: Iterable[str]) -> tuple[str, ...]:
    """Each address once, as it was first written."""
    return tuple({normal("email", address): address for address in addresses}.values())
