"""Mails that were in the hands of an engine which will not settle them: it died, or broke off.

Nobody knows whether the server has such a mail: a person decides (`on_unknown: hold`), or the definition said `resend`.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from procession.ports import Envelope, MailState, Ports, Unit

LONGEST_HAND_OVER = timedelta(minutes=15)
"""A mail that this engine claimed longer ago is not in its hands any more: it broke off. The longest wait of SMTP is
ten minutes (RFC 5321, 4.5.3.2.6)."""


def recover(ports: Ports) -> list[Envelope]:
    """Mails that engines which are no more had in their hands, or with which this one broke off: `unknown`, for a person,
    or queued again where the definition says `on_unknown: resend`, or where this engine knows that it only claimed them.
    Returns them as they are then. Those of other engines are left to them, however long ago it is by our clock, which
    may not be theirs."""
    engine, now = ports.engine.id, ports.clock.now()
    with ports.store.unit() as unit:
        found = unit.outbox.lost(now - LONGEST_HAND_OVER)
        others = {row.id for row in unit.journal.engines()} - {engine} if found else set()
        lost = [mail for mail in found if mail.claimed_by not in others]
        claimed_only = {mail.id for mail in lost if mail.claimed_by == engine} - ports.engine.in_hand
        taken = [
            replace(mail, state=take_over(unit, mail, now, untried=mail.id in claimed_only), claimed_by=0)
            for mail in lost
        ]
        unit.commit()
    return taken


def take_over(unit: Unit, mail: Envelope, now: datetime, *, untried: bool = False) -> MailState:
    """Take a mail from an engine that will not settle it. Should that one settle it yet, and it was sent, that holds.
    `untried`: it certainly was not handed over."""
    is_sent_again = untried or mail.on_unknown == "resend"
    is_of_a_step = mail.instance is not None and mail.not_before is None
    state: MailState = "queued" if is_sent_again else "unknown"
    detail = "sent again" if is_sent_again else "the engine died before it read the answer"
    again = now if is_sent_again and not is_of_a_step else None
    unit.outbox.settle(mail.id, state, now, detail=detail, not_before=again, engine=mail.claimed_by)
    return state
