"""What a person says a database is that was put back from a backup, or copied; until then it is held.

put back   its installation stays, its incarnation is a new one: numbers that were given since the backup are given again
copied     it is an installation of its own, which has nothing to do with what the other one had under way

Mails of which it is known that they were sent (`procession.witness`) count as sent in either case, and go out no more.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from procession.errors import InputError
from procession.plan import Plan
from procession.ports import (
    Actor,
    HistoryRow,
    Identity,
    Instance,
    InstanceState,
    ListedMail,
    MailState,
    Ports,
    Unit,
)
from procession.records import Ref, Schema
from procession.schedules import Schedules
from procession.values import from_json
from procession.waking import hand_out
from procession.witness import Mark, Witness

EVERY = 10**9
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
PORTION = 500
GOING_ON: tuple[InstanceState, ...] = ("ready", "running", "waiting", "queued")

RESTORED = "the database was put back from a backup, and it may have gone out already"
COPIED = "the database is a copy of another one, whose mail it is"
KNOWN = "it went out before the database was put back from a backup"
IN_DOUBT = "it was being handed over when the backup was made"


@dataclass(frozen=True, slots=True)
class Restored:
    """How many mails were found to have been sent, and what was cancelled or forgotten. `unknown` mails were sent, and the
    database does not know that there are such mails."""

    sent: int = 0
    unknown: int = 0
    mails: int = 0
    instances: int = 0
    events: int = 0


def go_on(ports: Ports, witness: Witness, actor: Actor) -> Restored:
    """What a database that was put back had queued or due goes out.

    Raises:
        InputError: the database is not held, and nothing says that it was put back.
    """
    with ports.store.unit() as unit:
        _check(unit, witness)
        unknown = _unknown(unit, witness)
        sent = _settle_known(unit, witness, actor, ports.clock.now())
        _begin(unit, witness, unit.journal.standing().identity.installation)
    return Restored(sent, unknown)


def drop_due(ports: Ports, plans: Mapping[str, Plan], witness: Witness, actor: Actor) -> Restored:
    """What a database that was put back had queued or due is cancelled; what is due later stays, and so does what came
    after it was put back.

    Raises:
        InputError: the database is not held, and nothing says that it was put back.
    """
    now = ports.clock.now()
    with ports.store.unit() as unit:
        last = _check(unit, witness)
        unknown = _unknown(unit, witness)
        sent = _settle_known(unit, witness, actor, now)
        due = _due_mails(unit, now)
        _cancel(unit, due, RESTORED, actor, now)
        _doubt(unit, unit.outbox.in_state(["sending"], EVERY), now)
        later = _later(unit, now)
        live = [one for one in _instances(unit, GOING_ON) if one.id not in later]
        _stop(unit, live, RESTORED, actor, now)
        events = _forget_events(unit, last, now, ports.store.schema)
        _skip_schedules(unit, plans, now)
        _begin(unit, witness, unit.journal.standing().identity.installation)
    return Restored(sent, unknown, len(due), len(live), events)


def new_identity(
    ports: Ports, witness: Witness, actor: Actor, *, keep: bool, is_a_copy: bool = False
) -> Restored:
    """A copy is an installation of its own. What it brought along of the other one's mails, instances and events is
    cancelled, unless it is to `keep` them.

    Args:
        is_a_copy: a person says so, though what is known of the original lies beside it.

    Raises:
        InputError: it is the database that was worked on last from here, or nobody has worked on it.
    """
    if not is_a_copy:
        _refuse_the_original(ports, witness)
    now = ports.clock.now()
    with ports.store.unit() as unit:
        mails: Sequence[ListedMail] = ()
        live: Sequence[Instance] = ()
        events = 0
        if not keep:
            unit.journal.bury({engine.id: engine.beat for engine in unit.journal.engines()})
            mails = unit.outbox.in_state(["held", "queued", "sending"], EVERY)
            _cancel(unit, mails, COPIED, actor, now)
            live = _instances(unit, (*GOING_ON, "incident"))
            _stop(unit, live, COPIED, actor, now)
            unit.journal.release(now)
            events = _forget_events(unit, EVERY, now, ports.store.schema)
        _begin(unit, witness, uuid4().hex)
    return Restored(mails=len(mails), instances=len(live), events=events)


def _refuse_the_original(ports: Ports, witness: Witness) -> None:
    """A copy is held as soon as it is looked at: what is known of the original is not beside it. Where it is, the database
    is the original, which was put back from a backup."""
    mark = witness.mark()
    ports.engine.look()
    with ports.store.unit(write=False) as unit:
        standing = unit.journal.standing()
    if not standing.held or (mark and mark.installation == standing.identity.installation):
        raise InputError(
            "nothing says that this database is a copy of another one: what it has queued and under way would be cancelled",
            hint="If it is one (its folder was copied as a whole, or before any engine worked on it), give --yes."
            " For one that was put back from a backup: procession restored --go-on, or --drop-due.",
        )


def _check(unit: Unit, witness: Witness) -> int:
    """The last event that the database brought along."""
    standing = unit.journal.standing(witness.last_sent())
    if not standing.held and witness.doubt(standing) is None:
        raise InputError(
            "the database is not held, and it knows of everything that was done with it from here",
            hint="It goes on as it is: there is nothing to decide.",
        )
    return standing.held_after if standing.held else standing.event


def _begin(unit: Unit, witness: Witness, installation: str) -> None:
    unit.journal.go_on(Identity(installation, uuid4().hex))
    unit.journal.witness()
    mark = Mark.of(unit.journal.standing())
    unit.commit()
    witness.begin(mark)


# --- mails


def _due_mails(unit: Unit, now: datetime) -> list[ListedMail]:
    """A mail that its step tries again is due when its instance is."""
    later = _later(unit, now)
    waiting = unit.outbox.in_state(["held", "queued"], EVERY)
    return [m for m in waiting if (m.instance not in later if m.not_before is None else m.not_before <= now)]


def _later(unit: Unit, now: datetime) -> set[int]:
    """The instances that wait for something that has not come yet; so do those that stand in line behind one of them, or
    behind one that is held for a person."""
    waits = unit.journal.waits([instance.id for instance in _instances(unit, ["waiting"])])
    later = {number for number, some in waits.items() if not any(one.due and one.due <= now for one in some)}
    due = {one.id for one in _instances(unit, ["ready", "running", "waiting"])} - later
    lines = unit.journal.lines([one.id for one in _instances(unit, ["queued"])])
    return later | {number for number, line in lines.items() if line[0] not in due}


def _settle_known(unit: Unit, witness: Witness, actor: Actor, now: datetime) -> int:
    known = witness.sent()
    mails = [
        mail
        for mail in unit.outbox.in_state(["draft", "held", "queued", "sending", "unknown"], EVERY)
        if mail.message_id in known
    ]
    for mail in mails:
        if mail.state == "draft":  # which somebody released after the backup
            unit.outbox.settle(mail.id, "queued", now)
    _settle(unit, mails, "sent", KNOWN, now)
    _tell(unit, mails, "was sent", KNOWN, actor, now)
    return len(mails)


def _unknown(unit: Unit, witness: Witness) -> int:
    """How many went out since the database was put back last, of which it does not even know that they were deleted."""
    count, sent = 0, witness.sent_since()
    for start in range(0, len(sent), PORTION):
        some = sent[start : start + PORTION]
        there = unit.outbox.known([mail.message_id for mail in some])
        lost = [mail for mail in some if mail.message_id not in there]
        count += sum(not unit.journal.standing(mail).knows_mail for mail in lost)
    return count


def _cancel(unit: Unit, mails: Sequence[ListedMail], why: str, actor: Actor, now: datetime) -> None:
    _settle(unit, mails, "cancelled", why, now)
    _tell(unit, mails, "cancelled", why, actor, now)


def _doubt(unit: Unit, mails: Sequence[ListedMail], now: datetime) -> None:
    """Whatever its definition says: nobody sends it again but a person."""
    _settle(unit, mails, "unknown", IN_DOUBT, now)


def _settle(unit: Unit, mails: Sequence[ListedMail], state: MailState, why: str, now: datetime) -> None:
    for mail in mails:
        unit.outbox.settle(mail.id, state, now, detail=why, engine=mail.claimed_by)


def _tell(unit: Unit, mails: Sequence[ListedMail], what: str, why: str, actor: Actor, now: datetime) -> None:
    about = {mail.id: Ref("activity", mail.activity) for mail in mails}
    records = unit.records.fetch(list(about.values()), frozenset()) if about else {}
    unit.history.append([
        HistoryRow(ref, now, actor, "email", f"E-mail “{records[ref]}” {what}: {why}", ref.id)
        for ref in about.values()
    ])  # fmt: skip


# --- instances and what would start some


def _instances(unit: Unit, states: Collection[InstanceState]) -> list[Instance]:
    return unit.journal.instances(states=states, limit=EVERY)


def _stop(unit: Unit, instances: Sequence[Instance], why: str, actor: Actor, now: datetime) -> None:
    """Those that an engine had in hand are cancelled as soon as it is known to be dead."""
    unit.journal.ask_to_stop([instance.id for instance in instances], why, now)
    unit.history.append([
        HistoryRow(on, now, actor, "note", f"{instance.title} was cancelled: {why}")
        for instance in instances
        if (on := _about(instance))
    ])  # fmt: skip


def _about(instance: Instance) -> Ref | None:
    """The record that started it, or the first that it was given."""
    record = instance.trigger.get("record")
    if isinstance(record, str):
        return Ref.parse(record)
    return next((value for value in from_json(instance.inputs).values() if isinstance(value, Ref)), None)


def _forget_events(unit: Unit, last: int, now: datetime, schema: Schema) -> int:
    """Those up to this one start nothing any more; what goes on waiting gets them still. An import that was not whole stays so: nothing starts of it, until somebody
    imports its file again."""
    count = 0
    while unit.journal.glance(now).released:
        unit.journal.let_in(1000)
    while events := unit.journal.pending(1000, up_to=last):
        unit.journal.wake_by(events, now, EVERY)
        while hand_out(unit, events, (), schema, now):
            pass
        unit.journal.dispatched([event.id for event in events], now)
        count += len(events)
    bursts = unit.journal.due_bursts(NEVER, EVERY)
    unit.journal.drop_bursts([burst.key for burst in bursts])
    return count + len(bursts)


def _skip_schedules(unit: Unit, plans: Mapping[str, Plan], now: datetime) -> None:
    """Moments that an engine would still make up for, when it starts."""
    missed = Schedules(plans.values(), now).due(now)
    made = unit.journal.append(missed)
    unit.journal.dispatched([event for event in made if event is not None], now)
