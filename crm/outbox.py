"""Outgoing mail: an activity of type e-mail and its message, from draft to sent."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Select,
    and_,
    bindparam,
    case,
    delete,
    exists,
    false,
    func,
    insert,
    null,
    or_,
    select,
    text,
    true,
    update,
)

from crm import journal as j
from crm import links
from crm import tables as t
from crm.cancelling import withdraw_mails
from crm.engines import NOT_HELD
from crm.events import Saved, tell
from crm.failures import not_unique
from crm.links import Link
from crm.mail_rows import (
    KEEPS_TRIES,
    Key,
    activity_row,
    contacts_among,
    envelope,
    envelope_of,
    key_of,
    links_of,
    listed_of,
    message_row,
    participants,
    takes_new_content,
)
from crm.statements import IDS, NOW, Part, Upsert, portions, take_numbers
from procession.ports import Envelope, ListedMail, MailState, QueuedMail, Settlement
from procession.records import Ref

_M = t.email_message.c
_INSERT = Upsert(t.email_message, returning="activity_id")
_INSERT_ACTIVITY, _INSERT_SOURCE = insert(t.activity), insert(t.email_source)
_INSERT_PARTICIPANT = insert(t.participant)
_OF_STEPS = select(_M.activity_id, _M.message_id, _M.instance_id, _M.path, _M.round, _M.part)
_OF_STEP = _OF_STEPS.where(_M.instance_id.in_(IDS), _M.path == bindparam("path"))
_OF_MESSAGE = _OF_STEPS.where(_M.message_id.in_(bindparam("message_ids", expanding=True)))
_ACCOUNTS = select(t.contact.c.id, t.contact.c.account_id).where(t.contact.c.id.in_(IDS))
_LISTED_OF_IT = (
    _M.activity_id, _M.message_id, _M.to, _M.cc, _M.bcc, _M.state, _M.attempts, _M.not_before, _M.instance_id, _M.path,
    _M.round, _M.detail, _M.claimed_by, _M.redirected_to,
)  # fmt: skip
_IS_OURS = _M.direction == "out"
_KNOWN = select(_M.message_id).where(_M.message_id.in_(bindparam("message_ids", expanding=True)), _IS_OURS)
_ENVELOPES = (
    select(*_LISTED_OF_IT, _M.sender, _M.on_unknown, t.email_source.c.mime)
    .select_from(t.email_message.join(t.email_source))
    .where(_IS_OURS)
)
_LISTED = (
    select(*_LISTED_OF_IT, t.activity.c.subject)
    .select_from(t.email_message.join(t.activity, t.activity.c.id == _M.activity_id))
    .where(_IS_OURS)
)
_COUNTED = select(_M.state, func.count().label("number")).where(_IS_OURS).group_by(_M.state)
ON_THE_WAY_OR_THERE: frozenset[MailState] = frozenset({"queued", "sending", "sent"})
_LOOKED_AT = text("email_message.state NOT IN ('queued', 'sending', 'sent')")
_IS_DUE = or_(_M.not_before.is_(None), _M.not_before <= NOW)
_QUEUED, _SENDING = text("email_message.state = 'queued'"), text("email_message.state = 'sending'")
_DUE, _BULK_DUE = (
    _ENVELOPES.where(_QUEUED, _M.bulk == bulk, _M.not_before <= NOW)
    .order_by(_M.not_before, _M.activity_id)
    .limit(bindparam("limit"))
    for bulk in (false(), true())
)
MOST_BULK_MAILS = 20
"""So many are due at once, of those that let others go first."""
_CLAIM = (
    update(t.email_message)
    .where(
        _M.activity_id.in_(IDS),
        NOT_HELD,
        or_(
            and_(_QUEUED, _IS_DUE),
            and_(_SENDING, _M.claimed_by == bindparam("engine"), _M.claimed_at == NOW),
        ),
    )
    .values(
        state="sending",
        claimed_by=bindparam("engine"),
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
        or_(_M.claimed_by == bindparam("engine"), bindparam("new_state") == "sent"),
    )
    .values(
        state=bindparam("new_state"),
        detail=bindparam("new_detail"),
        not_before=bindparam("new_not_before"),
        sent_at=bindparam("new_sent_at"),
        claimed_by=0,
        claimed_at=null(),
    )
)
_FORGET_RECIPIENTS = delete(t.activity_link).where(
    t.activity_link.c.activity_id == bindparam("number"),
    t.activity_link.c.reason.in_(("recipient", "account of recipient")),
)
_LOST = _ENVELOPES.where(
    _SENDING,
    or_(
        ~exists().where(j.engine.c.id == _M.claimed_by),
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

    def queue(
        self, mails: Sequence[QueuedMail], at: datetime, *, engine: int = 0, hands: int = 0
    ) -> list[Envelope]:
        """Connected to what the mail says, to the contacts among its recipients and to their accounts."""
        if not mails:
            return []
        new, known = self._insert_messages(mails, engine, hands, at)
        if new:
            self._insert_activities({number: mail for number, (mail, _) in new.items()}, at)
        stored = {envelope.id: envelope for envelope in self.envelopes(known)} if known else {}
        wanted = {key_of(mail): mail for mail in reversed(mails)}
        again = {
            known[number]: number
            for number, envelope in stored.items()
            if takes_new_content(envelope.state, envelope.not_before, wanted[known[number]])
        }
        there = {known[number]: envelope for number, envelope in stored.items()}
        if again:
            first = {
                number: named_as(stored[number].message_id, wanted[key]) for key, number in again.items()
            }
            self._take_new_content(first, {number: one.state for number, one in stored.items()}, at)
            renewed = {
                one.id: replace(one, released=stored[one.id].state == "held" and not one.attempts)
                for one in self.envelopes(list(again.values()))
            }
            there |= {key: renewed[number] for key, number in again.items()}
        for number, (mail, claimed_by) in new.items():
            there[key_of(mail)] = envelope(number, mail, claimed_by=claimed_by)
        return [there[key_of(mail)] for mail in mails]

    def claim(self, ids: Collection[int], engine: int, now: datetime) -> list[int]:
        won = {
            number
            for some in portions(ids)
            for number in self._connection.execute(
                _CLAIM, {"ids": some, "engine": engine, "now": now}
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
        engine: int = 0,
    ) -> bool:
        """What was sent stays sent, whatever somebody who took over says later."""
        values = _settled(Settlement(mail, state, detail, not_before, engine), at)
        changed = self._connection.execute(_SETTLE, values).rowcount > 0
        if changed and state == "queued":
            released = self._connection.execute(_RELEASE_DRAFT, {"number": mail, "now": at}).rowcount > 0
            if released:
                self._date(mail, at)
        return changed

    def withdraw(self, steps: Collection[tuple[int, str, str]]) -> None:
        withdraw_mails(self._connection, steps)

    def _date(self, mail: int, at: datetime) -> None:
        """A draft of last week is a mail of today once somebody sends it."""
        from procession.mail.mime import dated  # see `named_as`

        source = t.email_source
        of_mail = source.c.activity_id == mail
        mime = self._connection.execute(select(source.c.mime).where(of_mail)).scalar_one()
        self._connection.execute(update(source).where(of_mail).values(mime=dated(mime, at)))

    def settle_all(self, settlements: Sequence[Settlement], at: datetime) -> None:
        """(A draft is only ever released by a person, one at a time.)"""
        if settlements:
            ordered = sorted(settlements, key=lambda one: one.mail)
            self._connection.execute(_SETTLE, [_settled(one, at) for one in ordered])

    def envelopes(self, ids: Collection[int] = (), *, message_ids: Collection[str] = ()) -> list[Envelope]:
        """In the order of their numbers."""
        found: dict[int, Envelope] = {}
        for column, values in ((_M.activity_id, ids), (_M.message_id, message_ids)):
            for some in portions(values):
                found |= {
                    envelope.id: envelope for envelope in self._read(_ENVELOPES.where(column.in_(some)))
                }
        return [found[number] for number in sorted(found)]

    def known(self, message_ids: Collection[str]) -> set[str]:
        return {
            known
            for some in portions(message_ids)
            for known in self._connection.execute(_KNOWN, {"message_ids": some}).scalars()
        }

    def due(self, now: datetime, limit: int) -> list[Envelope]:
        return self._read(_DUE, {"now": now, "limit": limit}) or self._read(
            _BULK_DUE, {"now": now, "limit": min(limit, MOST_BULK_MAILS)}
        )

    def lost(self, before: datetime) -> list[Envelope]:
        found = self._read(_LOST, {"before": before})
        return sorted(found, key=lambda mail: mail.id)

    def in_state(
        self, states: Collection[MailState], limit: int = 100, *, newest: bool = False
    ) -> list[ListedMail]:
        order = _M.activity_id.desc() if newest else _M.activity_id
        query = _in(_LISTED, states).order_by(order).limit(limit)
        return [listed_of(row, row.subject) for row in self._connection.execute(query)]

    def count(self, states: Collection[MailState]) -> dict[MailState, int]:
        rows = self._connection.execute(_in(_COUNTED, states)).all()
        found = {row.state: row.number for row in rows}
        return {state: found.get(state, 0) for state in states}

    def _read(self, query: Select[Any], values: Mapping[str, Any] | None = None) -> list[Envelope]:
        return [envelope_of(row, row.mime) for row in self._connection.execute(query, values or {})]

    def _insert_messages(
        self, mails: Sequence[QueuedMail], engine: int, hands: int, at: datetime
    ) -> tuple[dict[int, tuple[QueuedMail, int]], dict[int, Key]]:
        """Insert those that are not there: `{number: (mail, engine that has it)}`, and `{number: key}` of the others.
        Nearly always all of them are new, so it is tried first and asked afterwards.

        Raises:
            StoreError: another mail has the Message-ID already.
        """
        once: dict[Key, QueuedMail] = {}
        for mail in mails:
            once.setdefault(key_of(mail), mail)
        taken = dict(zip(take_numbers(self._connection, t.activity, len(once)), once.values(), strict=True))
        at_once = _at_once(taken)
        in_hand = at_once[:hands]
        rows = [message_row(number, mail) for number, mail in taken.items()]
        for row in rows:
            if row["activity_id"] in in_hand:
                row |= {"state": "sending", "claimed_by": engine, "claimed_at": at, "attempts": 1}
        rows.sort(key=lambda row: row["message_id"])
        born = set(self._connection.execute(_INSERT.on(self._connection), rows).scalars())
        known = {key_of(mail): mail for number, mail in taken.items() if number not in born}
        there = self._there(known) if known else {}
        if known.keys() - there.keys():
            raise not_unique("email_message", ["message_id"])
        claimed = [number for number in at_once if number in born][:hands]
        if others := [number for number in claimed if number not in in_hand]:
            self.claim(others, engine, at)  # in the place of those that were there
        new = {
            number: (mail, engine if number in claimed else 0)
            for number, mail in taken.items()
            if number in born
        }
        return new, {number: key for key, number in there.items()}

    def _there(self, wanted: Mapping[Key, QueuedMail]) -> dict[Key, int]:
        """`{key: number}` of those that are there, by their steps or their Message-IDs."""
        paths: dict[str, set[int]] = defaultdict(set)
        for mail in wanted.values():
            if mail.instance is not None:
                paths[mail.path].add(mail.instance)
        rows = [
            row
            for path, instances in paths.items()
            for some in portions(instances)
            for row in self._connection.execute(_OF_STEP, {"ids": some, "path": path})
        ]
        others = [mail.mail.message_id for mail in wanted.values() if mail.instance is None]
        for some in portions(others):
            rows += self._connection.execute(_OF_MESSAGE, {"message_ids": some}).all()
        found = {(row.instance_id or 0, row.path, row.round, row.part): row.activity_id for row in rows}
        found |= {row.message_id: row.activity_id for row in rows if row.message_id in wanted}
        return {key: number for key, number in found.items() if key in wanted}

    def _insert_activities(self, mails: Mapping[int, QueuedMail], at: datetime) -> None:
        insert_rows = self._connection.execute
        insert_rows(_INSERT_ACTIVITY, [activity_row(n, mail, at) for n, mail in mails.items()])
        sources = [{"activity_id": n, "mime": mail.mime} for n, mail in mails.items()]
        insert_rows(_INSERT_SOURCE, sources)
        accounts = self._accounts(mails.values())
        links.add(self._connection, self._links(mails, accounts))
        insert_rows(_INSERT_PARTICIPANT, participants(mails, accounts))
        saves = (Saved("added", Ref("activity", number), mail.actor) for number, mail in mails.items())
        tell(self._connection, saves, at)

    def _take_new_content(
        self, mails: Mapping[int, QueuedMail], before: Mapping[int, MailState], at: datetime
    ) -> None:
        """One that somebody cancelled or sent since it was read stays as it is."""
        for number, queued in mails.items():
            run = self._connection.execute
            row = message_row(number, queued)
            if before[number] in KEEPS_TRIES:
                del row["attempts"]
            is_as_read = and_(_M.activity_id == number, _M.state == before[number])
            if not run(update(t.email_message).where(is_as_read).values(row)).rowcount:
                continue
            source = t.email_source
            run(update(source).where(source.c.activity_id == number).values(mime=queued.mime))
            content = {"subject": queued.mail.subject, "body": queued.mail.text, "modified_at": at}
            run(update(t.activity).where(t.activity.c.id == number).values(content))
            run(delete(t.participant).where(t.participant.c.activity_id == number))
            accounts = self._accounts([queued])
            run(_INSERT_PARTICIPANT, participants({number: queued}, accounts))
            run(_FORGET_RECIPIENTS, {"number": number})
            known = {ref for _, ref in links.targets(self._connection, [number])}
            wanted = self._links({number: queued}, accounts)
            links.add(self._connection, [link for link in wanted if link.to not in known])

    def _links(self, mails: Mapping[int, QueuedMail], accounts: Mapping[int, int | None]) -> list[Link]:
        connected = links.resolve(self._connection, [queued.mail.connected_to for queued in mails.values()])
        return links_of(mails, accounts, connected)

    def _accounts(self, mails: Iterable[QueuedMail]) -> dict[int, int | None]:
        """`{contact: account}` of those recipients that are contacts, and still there."""
        contacts = {ref.id for mail in mails for _, ref in contacts_among(mail.mail)}
        found: dict[int, int | None] = {}
        for some in portions(contacts):
            found.update(self._connection.execute(_ACCOUNTS, {"ids": some}).all())
        return found


def _in(query: Select[Any], states: Collection[MailState]) -> Select[Any]:
    query = query.where(_M.state.in_(states))
    if ON_THE_WAY_OR_THERE & set(states):
        return query
    return query.where(_LOOKED_AT)  # said as the index says it, or SQLite would not use it


def _at_once(mails: Mapping[int, QueuedMail]) -> list[int]:
    """Those that may go as soon as they are committed."""
    return [
        number for number, mail in mails.items() if mail.state == "queued" and mail.mail.not_before is None
    ]


def named_as(stored: str, mail: QueuedMail) -> QueuedMail:
    """New content under the Message-ID that the mail got first: the domain, the incarnation of the database or the
    program may have changed since."""
    if stored == mail.mail.message_id:
        return mail
    from procession.mail.mime import named  # takes templates along, which few need here

    content = replace(mail.mail, message_id=stored)
    return replace(mail, mail=content, mime=named(mail.mime, stored))


def _settled(one: Settlement, at: datetime) -> dict[str, Any]:
    return {
        "number": one.mail,
        "new_state": one.state,
        "new_detail": one.detail,
        "new_not_before": one.not_before,
        "new_sent_at": at if one.state == "sent" else None,
        "engine": one.engine,
    }
