"""Hands queued mail to the server, each at most once.

The order of things for one mail (language.md, section 6):

    1. queued     the row, its History and its MIME bytes are committed (`procession.perform`, or a person)
    2. sending    claimed by compare-and-set, committed
    3. hand-over  SMTP
    4. sent       or queued again (deferred), failed (refused), unknown (no answer was read), committed

The unit that settles one mail claims the next, so a crash leaves at most one mail per connection in
doubt. `recover` finds these: a person decides (`hold`), or the definition said `resend`.

A mail that a step sends is claimed only under the lease of its instance: an engine that slept while another
took over sends no more than what it had in its hands.
"""

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from procession.errors import (
    ConfigurationError,
    PermanentError,
    ProcessionError,
    TemporaryError,
    TransportDeferred,
    Unforeseen,
    UnknownOutcome,
    foreseen,
)
from procession.ports import Delivery, Envelope, MailState, Ports, Unit

log = logging.getLogger(__name__)

OUTBOX_ATTEMPTS = 8
"""Tries for a mail that no step looks after (by hand, undo, notify): about two hours in all."""

LONGEST_HAND_OVER = timedelta(minutes=15)
"""A mail that was claimed longer ago is in nobody's hands any more: its engine died on another machine, or
broke off. The longest wait of SMTP is ten minutes (RFC 5321, 4.5.3.2.6)."""

STORE_PAUSES_SECONDS = (0.02, 0.1, 0.5, 1, 2, 4, 8, 15, 30)
"""How often an outcome is written again while the store is away."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one mail. `error` is None if it was accepted by at least one server."""

    envelope: Envelope
    state: MailState
    delivery: Delivery = field(default_factory=Delivery)
    error: ProcessionError | None = None


Note = Callable[[Unit, Sequence[Settled]], None]
"""Called in the unit that settles mails: what must be true exactly if the settlement is."""


@dataclass(frozen=True, slots=True)
class _Round:
    """Mails on their way; `waiting` are those that nobody has in hand yet."""

    ports: Ports
    note: Note
    leases: Mapping[int, int]
    waiting: list[Envelope]


def deliver(
    mails: Sequence[Envelope], ports: Ports, note: Note, leases: Mapping[int, int] | None = None
) -> None:
    """Hand over `mails`, over as many connections as the mail server is given (`MailOut.connections`).
    Those that another engine claimed, or that are no longer queued, are passed over.

    Args:
        leases: `{instance: claim}` of the steps whose mails these are (`Journal.fence`). Mails of an instance
            whose lease was lost, or that was asked to stop, are passed over and not noted.

    Raises:
        TemporaryError, ConfigurationError: the store is gone; what was handed over last stays `sending`.
    """
    round_ = _Round(ports, note, leases or {}, list(mails))
    hands = min(ports.mail_out.connections, len(mails))
    if hands <= 1:
        claimed = _settle_and_claim(round_, [], hands, ports.clock.now())
        while claimed:
            claimed = _kept_at(round_, [_hand_over(mail, ports) for mail in claimed], 1)
        return
    with ThreadPoolExecutor(hands, thread_name_prefix="mail") as pool:
        under_way: set[Future[Settled]] = set()
        claimed = _settle_and_claim(round_, [], hands, ports.clock.now())
        while claimed or under_way:
            under_way |= {pool.submit(_hand_over, mail, ports) for mail in claimed}
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            claimed = _kept_at(round_, [each.result() for each in done], hands - len(under_way))


def _kept_at(round_: _Round, settled: Sequence[Settled], free: int) -> list[Envelope]:
    """`_settle_and_claim`, tried again while the store is away: what is known of a mail must not be forgotten.
    The moment stays the same, so that a try whose commit was not answered is the same try again."""
    now = round_.ports.clock.now()
    for pause in STORE_PAUSES_SECONDS:
        try:
            return _settle_and_claim(round_, settled, free, now)
        except (TemporaryError, ConfigurationError) as error:
            log.warning("what became of %d mails is not written yet: %s", len(settled), error)
            time.sleep(pause)
    return _settle_and_claim(round_, settled, free, now)


def _settle_and_claim(round_: _Round, settled: Sequence[Settled], free: int, now: datetime) -> list[Envelope]:
    """One unit: what became of some mails, and the claim of as many others as there are hands `free`."""
    waiting, ports = round_.waiting, round_.ports
    with ports.store.unit() as unit:
        for one in settled:
            _settle(unit, one, now, ports.owner)
        wrong = next((one.error for one in settled if isinstance(one.error, ConfigurationError)), None)
        offered = 0 if wrong else min(free, len(waiting))
        ours = _ours(unit, round_, [*(one.envelope for one in settled), *waiting[:offered]], now)
        if settled:
            round_.note(unit, [one for one in settled if one.envelope.id in ours])
        if wrong:
            _put_off(unit, round_, wrong, now)
            offered = len(waiting)
        claimed = _claim(unit, ports, [m for m in waiting[:offered] if m.id in ours and not wrong], now)
        while offered < len(waiting) and len(claimed) < free:
            more = waiting[offered : offered + free - len(claimed)]
            offered += len(more)
            ours = _ours(unit, round_, more, now)
            claimed += _claim(unit, ports, [mail for mail in more if mail.id in ours], now)
        unit.commit()
    del waiting[:offered]
    return claimed


def _ours(unit: Unit, round_: _Round, mails: Sequence[Envelope], now: datetime) -> set[int]:
    """Numbers of the mails that no lease covers, or whose instance's lease is still ours."""
    leases = {i: claim for mail in mails if (i := mail.instance) and (claim := round_.leases.get(i))}
    alive = unit.journal.fence(leases, round_.ports.owner, now + round_.ports.lease) if leases else set()
    return {mail.id for mail in mails if mail.instance in alive or mail.instance not in leases}


def _claim(unit: Unit, ports: Ports, mails: Sequence[Envelope], now: datetime) -> list[Envelope]:
    won = set(unit.outbox.claim([mail.id for mail in mails], ports.owner, now)) if mails else set()
    return [mail for mail in mails if mail.id in won]


def _put_off(unit: Unit, round_: _Round, wrong: ConfigurationError, now: datetime) -> None:
    """Wrong credentials will not get better in this batch, and each try counts against the account."""
    of_steps = [mail for mail in round_.waiting if mail.instance in round_.leases]
    round_.note(unit, [Settled(mail, "queued", error=wrong) for mail in of_steps])
    others = [mail for mail in round_.waiting if mail.instance not in round_.leases]
    for mail in _claim(unit, round_.ports, others, now):
        _settle(unit, Settled(mail, "queued", error=wrong), now, round_.ports.owner)


def deliver_due(ports: Ports, limit: int = 100) -> int:
    """Send the mails that no step looks after and whose time has come; returns how many were settled."""
    with ports.store.unit(write=False) as unit:
        due = unit.outbox.due(ports.clock.now(), limit)
    done: set[int] = set()
    if due:
        deliver(due, ports, lambda _unit, settled: done.update(one.envelope.id for one in settled))
    return len(done)


def recover(ports: Ports, dead: Collection[str]) -> list[Envelope]:
    """Mails that dead engines had in their hands: `unknown`, for a person, or queued again where the
    definition says `on_unknown: resend`. Returns the held ones."""
    with ports.store.unit() as unit:
        now = ports.clock.now()
        lost = unit.outbox.lost(dead, now - LONGEST_HAND_OVER)
        held = [mail for mail in lost if take_over(unit, mail, now) == "unknown"]
        unit.commit()
    return held


def take_over(unit: Unit, mail: Envelope, now: datetime) -> MailState:
    """Take a mail out of hands that will not settle it. Should they do it yet, and it was sent, that holds."""
    is_sent_again = mail.on_unknown == "resend"
    is_of_a_step = mail.instance is not None and mail.not_before is None
    state: MailState = "queued" if is_sent_again else "unknown"
    detail = "sent again" if is_sent_again else "the engine died before it read the answer"
    again = now if is_sent_again and not is_of_a_step else None
    unit.outbox.settle(mail.id, state, now, detail=detail, not_before=again, owner=mail.claimed_by)
    return state


def _hand_over(mail: Envelope, ports: Ports) -> Settled:
    try:
        with foreseen("the hand-over of a mail"):
            delivery = ports.mail_out.send(mail.sender, mail.recipients, mail.mime)
    except (UnknownOutcome, Unforeseen) as error:  # either way nobody knows whether the server has it
        if mail.on_unknown == "resend":
            return Settled(mail, "queued", error=TransportDeferred(error.message))
        return Settled(mail, "unknown", error=UnknownOutcome(error.message, hint=error.hint))
    except PermanentError as error:
        return Settled(mail, "failed", error=error)
    except (TemporaryError, ConfigurationError) as error:
        return Settled(mail, "queued", error=error)
    log.info("mail %s was accepted", mail.id)
    return Settled(mail, "sent", delivery)


def _settle(unit: Unit, settled: Settled, now: datetime, owner: str) -> None:
    mail, state, detail = settled.envelope, settled.state, settled.delivery.answer
    if settled.error:
        detail = settled.error.message
        log.warning("mail %s was not accepted: %s", mail.id, type(settled.error).__name__)
    again = None
    if state == "queued" and mail.not_before is not None:
        state, again = _next_try(mail, now, settled.error)
    unit.outbox.settle(mail.id, state, now, detail=detail, not_before=again, owner=owner)


def _next_try(
    mail: Envelope, now: datetime, error: ProcessionError | None
) -> tuple[MailState, datetime | None]:
    """A mail that no step looks after is tried again by the outbox itself, ever more rarely. A setting that is
    wrong is no reason to give a mail up."""
    if mail.attempts + 1 >= OUTBOX_ATTEMPTS and not isinstance(error, ConfigurationError):
        return "failed", None
    return "queued", now + timedelta(seconds=30 * 2 ** min(mail.attempts, OUTBOX_ATTEMPTS))
