"""Hands queued mail to the server, each at most once.

The order of things for one mail (decision 0005):

    1. queued     the row, its History and its MIME bytes are committed (`procession.perform`, or a person)
    2. sending    claimed by compare-and-set, committed; the first ones in the same unit as 1
    3. hand-over  SMTP
    4. sent       or queued again (deferred), failed (refused), unknown (no answer was read), committed

The unit that settles one mail claims the next, so a crash leaves at most one mail per connection in doubt
(`procession.takeover`).

A mail that a step sends is claimed only under the fencing token of its instance: an engine that slept while another
took over sends no more than what it had in its hands. One that may be taken for dead soon puts back what it has claimed
and not handed over.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from procession.errors import (
    FINAL,
    ConfigurationError,
    NotTried,
    PermanentError,
    ProcessionError,
    TemporaryError,
    TransportDeferred,
    Unforeseen,
    UnknownOutcome,
    foreseen,
)
from procession.ports import Delivery, Envelope, MailState, Ports, SentMail, Settlement, Unit

log = logging.getLogger(__name__)

OUTBOX_ATTEMPTS = 8
"""Tries for a mail that no step looks after (by hand, undo, notify): about two hours in all."""

STORE_PAUSES_SECONDS = (0.02, 0.1, 0.5, 1, 2, 4, 8, 15, 30)
"""How often an outcome is written again while the store is away."""

LINGER_SECONDS = 0.001
"""How long the first of several mails under way waits for others, to be settled in one unit."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one mail. `error` is None if it was accepted by at least one server. One that is not `tried` was
    claimed and put back."""

    envelope: Envelope
    state: MailState
    delivery: Delivery = field(default_factory=Delivery)
    error: ProcessionError | None = None
    tried: bool = True


class Steps(Protocol):
    """The steps whose mails are handed over. Both are called in the unit that settles mails, for what must be true
    exactly if the settlement is; they may be called again with the same mails, if the store was away at the commit."""

    def close(self, unit: Unit, settled: Sequence[Settled]) -> None:
        """These are settled, and their instances go on."""
        ...

    def stop(self, unit: Unit, settled: Sequence[Settled]) -> None:
        """These are settled, and their instances were cancelled while the mail was in hand."""
        ...


@dataclass(frozen=True, slots=True)
class _Batch:
    """Mails on their way; `waiting` are those that nobody has in hand yet. `put_back` says why it ended early."""

    ports: Ports
    engine: int
    steps: Steps
    fencing_tokens: Mapping[int, int]
    waiting: list[Envelope]
    put_back: list[ProcessionError] = field(default_factory=list)


def deliver(mails: Sequence[Envelope], ports: Ports, steps: Steps, fencing_tokens: Mapping[int, int] | None = None) -> None:  # fmt: skip
    """Hand over `mails`, over as many connections as the mail server is given (`MailOut.connections`). Those that are
    `sending` this engine has claimed for this call; those that another one claimed meanwhile are passed over.

    Args:
        fencing_tokens: `{instance: fencing token}` of the steps whose mails these are. Mails of an instance that was
            claimed again since, or that was asked to stop, are passed over and not told of.

    Raises:
        TemporaryError, ConfigurationError: the store is gone, and what was handed over last stays `sending`; or this
            engine may be taken for dead, and the rest waits as before.
    """
    claimed = [mail for mail in mails if mail.state == "sending"]
    waiting = [mail for mail in mails if mail.state != "sending"]
    batch = _Batch(ports, ports.engine.id, steps, fencing_tokens or {}, waiting)
    hands = min(ports.mail_out.connections, len(mails))
    if not claimed:
        ports.engine.check()
        claimed = _settle_and_claim(batch, [], hands, ports.clock.now())
    if hands <= 1:
        while claimed:
            claimed = _kept_at(batch, [_hand_over(mail, batch) for mail in claimed], 1)
    else:
        _side_by_side(claimed, batch, hands)
    if batch.put_back:
        raise batch.put_back[0]


def _side_by_side(claimed: Sequence[Envelope], batch: _Batch, hands: int) -> None:
    with ThreadPoolExecutor(hands, thread_name_prefix="mail") as pool:
        under_way: set[Future[Settled]] = set()
        while claimed or under_way:
            under_way |= {pool.submit(_hand_over, mail, batch) for mail in claimed}
            wait(under_way, return_when=FIRST_COMPLETED)
            done, under_way = wait(under_way, LINGER_SECONDS)
            claimed = _kept_at(batch, [each.result() for each in done], hands - len(under_way))


def _kept_at(batch: _Batch, settled: Sequence[Settled], free: int) -> list[Envelope]:
    """`_settle_and_claim`, tried again while the store is away: what is known of a mail must not be forgotten.
    The moment stays the same, so that a try whose commit was not answered is the same try again."""
    now = batch.ports.clock.now()
    for pause in STORE_PAUSES_SECONDS:
        try:
            return _settle_and_claim(batch, settled, free, now)
        except (TemporaryError, ConfigurationError) as error:
            log.warning("what became of the mails handed over last is not written yet: %s", error)
            time.sleep(pause)
    return _settle_and_claim(batch, settled, free, now)


def _settle_and_claim(batch: _Batch, settled: Sequence[Settled], free: int, now: datetime) -> list[Envelope]:
    """One unit: what became of some mails, and the claim of as many others as there are hands `free`. If what their
    steps have come to cannot be written, the mails are settled all the same, and nothing more is claimed: their
    instances are gone on with from there, each by itself."""
    try:
        with foreseen("what the steps of mails have come to"):
            return _unit_of(batch, settled, free, now)
    except FINAL as error:
        if not settled:
            raise
        batch.put_back.append(error)
        batch.waiting.clear()
    with batch.ports.store.unit() as unit:
        unit.outbox.settle_all([_settlement(one, now, batch.engine) for one in settled], now)
        unit.commit()
    _let_go(batch, settled)
    return []


def _unit_of(batch: _Batch, settled: Sequence[Settled], free: int, now: datetime) -> list[Envelope]:
    wrong = next((one.error for one in settled if isinstance(one.error, ConfigurationError)), None)
    batch.put_back.extend(one.error for one in settled if one.error and not one.tried)
    if batch.put_back:
        batch.waiting.clear()
    waiting = batch.waiting
    offered = 0 if wrong else min(free, len(waiting))
    with batch.ports.store.unit() as unit:
        unit.outbox.settle_all([_settlement(one, now, batch.engine) for one in settled], now)
        ours = _ours(unit, batch, [*(one.envelope for one in settled), *waiting[:offered]])
        if settled:
            _tell(unit, batch, [one for one in settled if one.tried], ours)
        if wrong:
            _put_off(unit, batch, wrong, now)
            offered = len(waiting)
        claimed = [] if wrong else _claim(unit, batch, waiting[:offered], ours, now)
        while offered < len(waiting) and len(claimed) < free:
            more = waiting[offered : offered + free - len(claimed)]
            offered += len(more)
            claimed += _claim(unit, batch, more, _ours(unit, batch, more), now)
        unit.commit()
    _let_go(batch, settled)
    del waiting[:offered]
    return claimed


def _let_go(batch: _Batch, settled: Sequence[Settled]) -> None:
    batch.ports.engine.in_hand.difference_update(one.envelope.id for one in settled)
    sent = [one.envelope for one in settled if one.state == "sent"]
    batch.ports.engine.sent([SentMail(mail.activity, mail.message_id) for mail in sent])


def _tell(unit: Unit, batch: _Batch, settled: Sequence[Settled], ours: set[int]) -> None:
    batch.steps.close(unit, [one for one in settled if one.envelope.id in ours])
    others = {one.envelope.instance for one in settled if one.envelope.id not in ours}
    if tokens := {i: token for i in others if i and (token := batch.fencing_tokens.get(i))}:
        stopped = unit.journal.stopped(tokens)
        batch.steps.stop(unit, [one for one in settled if one.envelope.instance in stopped])


def _ours(unit: Unit, batch: _Batch, mails: Sequence[Envelope]) -> set[int]:
    """Numbers of the mails that are of no step, or whose instance is still ours."""
    tokens = {i: token for mail in mails if (i := mail.instance) and (token := batch.fencing_tokens.get(i))}
    alive = unit.journal.fence(tokens) if tokens else set()
    return {mail.id for mail in mails if mail.instance in alive or mail.instance not in tokens}


def _claim(
    unit: Unit, batch: _Batch, mails: Sequence[Envelope], ours: set[int], now: datetime
) -> list[Envelope]:
    mine = [mail.id for mail in mails if mail.id in ours]
    won = set(unit.outbox.claim(mine, batch.engine, now)) if mine else set()
    return [mail for mail in mails if mail.id in won]


def _put_off(unit: Unit, batch: _Batch, wrong: ConfigurationError, now: datetime) -> None:
    """Wrong credentials will not get better in this batch, and each try counts against the account."""
    of_steps = [mail for mail in batch.waiting if mail.instance in batch.fencing_tokens]
    batch.steps.close(unit, [Settled(mail, "queued", error=wrong) for mail in of_steps])
    others = [mail for mail in batch.waiting if mail.instance not in batch.fencing_tokens]
    claimed = _claim(unit, batch, others, {mail.id for mail in others}, now)
    put_off = [_settlement(Settled(mail, "queued", error=wrong), now, batch.engine) for mail in claimed]
    unit.outbox.settle_all(put_off, now)


def _hand_over(mail: Envelope, batch: _Batch) -> Settled:
    ports = batch.ports
    try:
        _may_hand_over(mail, batch)
    except TemporaryError as error:
        return Settled(mail, "queued", error=error, tried=False)
    try:
        ports.engine.in_hand.add(mail.id)
        with foreseen("the hand-over of a mail"):
            delivery = ports.mail_out.send(mail.sender, mail.recipients, mail.mime)
    except (UnknownOutcome, Unforeseen) as error:  # either way nobody knows whether the server has it
        if mail.on_unknown == "resend":
            return Settled(mail, "queued", error=TransportDeferred(error.message))
        return Settled(mail, "unknown", error=UnknownOutcome(error.message, hint=error.hint))
    except PermanentError as error:
        return Settled(mail, "failed", error=error)
    except (TemporaryError, ConfigurationError) as error:
        return Settled(mail, "queued", error=error, tried=not isinstance(error, NotTried))
    log.info("mail %s was accepted", mail.id)
    return Settled(mail, "sent", delivery)


def _may_hand_over(mail: Envelope, batch: _Batch) -> None:
    """Raises:
    TemporaryError: this engine may be taken for dead soon, or was since it claimed the mail.
    """
    batch.ports.engine.check()
    if (mail.claimed_by or batch.engine) != batch.ports.engine.id:
        raise TemporaryError("This engine was taken for dead, so another one may send what it had claimed.")


def _settlement(settled: Settled, now: datetime, engine: int) -> Settlement:
    mail, state, detail = settled.envelope, settled.state, settled.delivery.answer
    engine = mail.claimed_by or engine
    if not settled.tried:
        return Settlement(mail.id, state, not_before=mail.not_before, engine=engine)
    if settled.error:
        detail = settled.error.message
        log.warning("mail %s was not accepted: %s", mail.id, type(settled.error).__name__)
    again = None
    if state == "queued" and mail.not_before is not None:
        state, again = _next_try(mail, now, settled.error)
    return Settlement(mail.id, state, detail=detail, not_before=again, engine=engine)


def _next_try(
    mail: Envelope, now: datetime, error: ProcessionError | None
) -> tuple[MailState, datetime | None]:
    """A mail that no step looks after is tried again by the outbox itself, ever more rarely. A setting that is
    wrong is no reason to give a mail up."""
    if mail.attempts + 1 >= OUTBOX_ATTEMPTS and not isinstance(error, ConfigurationError):
        return "failed", None
    return "queued", now + timedelta(seconds=30 * 2 ** min(mail.attempts, OUTBOX_ATTEMPTS))
