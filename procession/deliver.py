"""Hands queued mail to the server, each at most once.

The order of things for one mail (language.md, section 6):

    1. queued     the row, its History and its MIME bytes are committed (`procession.perform`, or a person)
    2. sending    claimed by compare-and-set, committed
    3. hand-over  SMTP
    4. sent       or queued again (deferred), failed (refused), unknown (no answer was read), committed

The unit that settles one mail claims the next, so a crash leaves at most one mail per connection in
doubt. `recover` finds these: a person decides (`hold`), or the definition said `resend`.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from procession.errors import (
    ConfigurationError,
    ProcessionError,
    TemporaryError,
    TransportDeferred,
    TransportRefused,
    UnknownOutcome,
)
from procession.ports import Delivery, Envelope, MailState, Ports, Unit

log = logging.getLogger(__name__)

OUTBOX_ATTEMPTS = 8
"""Tries for a mail that no step looks after (by hand, undo, notify): about two hours in all."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one mail. `error` is None if it was accepted by at least one server."""

    envelope: Envelope
    state: MailState
    delivery: Delivery = field(default_factory=Delivery)
    error: ProcessionError | None = None


Note = Callable[[Unit, Sequence[Settled]], None]
"""Called in the unit that settles mails: what must be true exactly if the settlement is."""


def deliver(mails: Sequence[Envelope], ports: Ports, note: Note) -> None:
    """Hand over `mails`, over as many connections as the mail server is given (`MailOut.connections`).
    Those that another engine claimed, or that are no longer queued, are passed over.

    Raises:
        StoreError, ConfigurationError: the store is gone; what was handed over last stays `sending`.
    """
    hands = min(ports.mail_out.connections, len(mails))
    if hands <= 1:
        _deliver_in_turn(mails, ports, note)
        return
    with ThreadPoolExecutor(hands, thread_name_prefix="mail") as pool:
        waiting = list(mails)
        under_way = _next_round([], waiting, hands, ports, note, pool)
        while under_way:
            done, rest = wait(under_way, return_when=FIRST_COMPLETED)
            settled = [each.result() for each in done]
            under_way = rest | _next_round(settled, waiting, hands - len(rest), ports, note, pool)


def _deliver_in_turn(mails: Sequence[Envelope], ports: Ports, note: Note) -> None:
    waiting, settled = list(mails), list[Settled]()
    while waiting or settled:
        claimed = _settle_and_claim(settled, waiting, 1, ports, note)
        settled = [_hand_over(mail, ports) for mail in claimed]


def _next_round(
    settled: Sequence[Settled], waiting: list[Envelope], free: int, ports: Ports, note: Note, pool: Executor
) -> set[Future[Settled]]:
    if not settled and not waiting:
        return set()
    claimed = _settle_and_claim(settled, waiting, free, ports, note)
    return {pool.submit(_hand_over, mail, ports) for mail in claimed}


def _settle_and_claim(
    settled: Sequence[Settled], waiting: list[Envelope], free: int, ports: Ports, note: Note
) -> list[Envelope]:
    """One unit: what became of some mails, and the claim of as many others as there are hands `free`."""
    with ports.store.unit() as unit:
        now = ports.clock.now()
        if settled:
            for one in settled:
                _settle(unit, one, now)
            note(unit, settled)
        wrong = next((one.error for one in settled if isinstance(one.error, ConfigurationError)), None)
        if wrong:
            # Wrong credentials will not get better in this batch, and each try counts against the account.
            note(unit, [Settled(mail, "queued", error=wrong) for mail in waiting])
            waiting.clear()
        claimed: list[Envelope] = []
        while waiting and len(claimed) < free:
            some = [waiting.pop(0) for _ in range(min(free - len(claimed), len(waiting)))]
            won = set(unit.outbox.claim([mail.id for mail in some], ports.owner, now))
            claimed += [mail for mail in some if mail.id in won]
        unit.commit()
    return claimed


def deliver_due(ports: Ports, limit: int = 100) -> int:
    """Send the mails that no step looks after and whose time has come; returns how many there were."""
    with ports.store.unit(write=False) as unit:
        due = unit.outbox.due(ports.clock.now(), limit)
    deliver(due, ports, lambda _unit, _settled: None)
    return len(due)


def recover(ports: Ports, dead: Collection[str]) -> list[Envelope]:
    """Mails that dead engines had in their hands: `unknown`, for a person, or queued again where the
    definition says `on_unknown: resend`. Returns the held ones."""
    held = []
    with ports.store.unit() as unit:
        for mail in unit.outbox.lost(dead):
            now = ports.clock.now()
            if mail.on_unknown == "resend":
                again = None if mail.instance is not None and mail.not_before is None else now
                unit.outbox.settle(mail.id, "queued", now, detail="sent again", not_before=again)
            else:
                unit.outbox.settle(
                    mail.id, "unknown", now, detail="the engine died before it read the answer"
                )
                held.append(mail)
        unit.commit()
    return held


def _hand_over(mail: Envelope, ports: Ports) -> Settled:
    try:
        delivery = ports.mail_out.send(mail.sender, mail.recipients, mail.mime)
    except UnknownOutcome as error:
        if mail.on_unknown == "resend":
            return Settled(mail, "queued", error=TransportDeferred(error.message))
        return Settled(mail, "unknown", error=error)
    except TransportRefused as error:
        return Settled(mail, "failed", error=error)
    except (TemporaryError, ConfigurationError) as error:
        return Settled(mail, "queued", error=error)
    log.info("mail %s was accepted", mail.id)
    return Settled(mail, "sent", delivery)


def _settle(unit: Unit, settled: Settled, now: datetime) -> None:
    mail, state, detail = settled.envelope, settled.state, settled.delivery.answer
    if settled.error:
        detail = settled.error.message
        log.warning("mail %s was not accepted: %s", mail.id, type(settled.error).__name__)
    again = None
    if state == "queued" and mail.not_before is not None:
        state, again = _next_try(mail, now)
    unit.outbox.settle(mail.id, state, now, detail=detail, not_before=again)


def _next_try(mail: Envelope, now: datetime) -> tuple[MailState, datetime | None]:
    """A mail that no step looks after is tried again by the outbox itself, ever more rarely."""
    if mail.attempts + 1 >= OUTBOX_ATTEMPTS:
        return "failed", None
    return "queued", now + timedelta(seconds=30 * 2**mail.attempts)
