"""Events → instances: which triggers an event concerns, what they start of it.

The planner calls it (`procession.planner`). One unit holds the new instances and the events' `dispatched` marks: twice
dispatched is once started.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from procession.bursts import gathered
from procession.correlation import names_of
from procession.errors import FINAL, InputError, Place, ProcessionError, foreseen
from procession.expressions import Fillable, Text, evaluate, fill
from procession.inputs import checked
from procession.plan import Plan, Trigger
from procession.ports import Actor, Event, Instance, Ports, Start, Unit
from procession.records import Record, Ref, ref_of
from procession.spelling import count
from procession.values import from_json, to_json, writable
from procession.waking import wake

log = logging.getLogger(__name__)

Told = Callable[[Sequence[Event]], object]
"""Hears of events once they are dispatched; it must not raise."""

OpenUnit = Callable[[], AbstractContextManager[Unit]]
"""Opens a unit of the planner."""


def start_by_hand(
    ports: Ports,
    plan: Plan,
    inputs: Mapping[str, Any],
    *,
    actor: Actor,
    dedupe_key: str = "",
    at_once: bool = False,
) -> Instance | None:
    """Start an instance for a person, a Prefect run or a program; returns it, which may be `queued`, or None if one with this
    `dedupe_key` was started before, or if a live instance keeps its key (`mode: single`).

    Args:
        inputs: values of the declared types; a record as its `Ref`.
        at_once: claim it for this engine in the same breath, so that no other takes it. (One that has to wait for the
            end of another is not claimed.)

    Raises:
        InputError: an input is missing, or names a record that is not there.
    """
    now = ports.clock.now()
    engine = ports.engine.id if at_once else 0
    with ports.store.unit() as unit:
        event = Event(0, now, "manual", process=plan.process, origin=f"{actor.kind}:{actor.name}",
                      payload=to_json(inputs), dedupe_key=dedupe_key)  # fmt: skip
        (event_id,) = unit.journal.append([event])
        if event_id is None:
            return None
        unit.journal.dispatched([event_id], now)
        names = _resolved(plan, inputs, unit)
        trigger = {"id": "by_hand", "event": "manual", "changed": [], "by": actor.name}
        start = _start(plan, trigger, names, replace(event, id=event_id))
        (number,) = unit.journal.start([start], now)
        claimed = unit.journal.claim(engine, now, 1, [number]) if at_once and number else []
        found = claimed or (unit.journal.instances(ids=[number]) if number else [])
        with ports.engine.holding(claimed):
            unit.commit()
    return found[0] if found else None


def _resolved(plan: Plan, inputs: Mapping[str, Any], unit: Unit) -> dict[str, Any]:
    """The inputs with records in the place of refs, as the key's expression sees them."""
    names = checked(plan, inputs)
    for name, value in names.items():
        if isinstance(value, Ref):
            found = unit.records.fetch([value], plan.reads.get(name, frozenset()))
            if value not in found:
                raise InputError(f"input {name!r}: there is no {value.entity} {value.id}")
            names[name] = found[value]
    return names


# --- events


@dataclass(frozen=True, slots=True)
class _Match:
    plan: Plan
    trigger: Trigger
    event: Event


def dispatch(
    ports: Ports, plans: Mapping[str, Plan], limit: int, told: Told, open_unit: OpenUnit, *, live: bool = True
) -> int:  # fmt: skip
    """Start what the oldest pending events start, and wake what waits for a moment that they may have moved, if anything does
    (`live`); returns how many things that were, and has the events `told`.

    If that cannot be done in one unit, fewer events are tried, down to the one that is to blame: that starts an
    incident, and is not in the way of the others.
    """
    while True:
        tried: list[Event] = []
        try:
            with foreseen("the dispatch of events"):
                done = _dispatch(ports, plans, limit, tried, open_unit, live=live)
        except FINAL as error:
            if limit == 1:
                return _set_aside(ports, plans, tried, error, open_unit)
            limit = (limit + 1) // 2
        else:
            told(done)
            return len(tried)


def _dispatch(
    ports: Ports, plans: Mapping[str, Plan], limit: int, tried: list[Event], open_unit: OpenUnit, *, live: bool
) -> list[Event]:  # fmt: skip
    """Returns those that are dispatched now. What waits is woken in a unit of its own: one that starts instances locks some, and so does
    one that wakes. An event that has more to wake stays pending, and with it those of its record; it holds up no others."""
    now = ports.clock.now()
    with open_unit() as unit:
        events = unit.journal.take_up(limit) if live else unit.journal.pending(limit)
        tried += events
        starts = _starts(events, plans, unit, now)
        if not live:
            _write(unit, starts, events, plans, now)
        else:
            of_saves = [event for event in events if not event.process]
            events = _without(events, wake(unit, of_saves, starts, ports.store.schema, now))
    if live and events:
        there = {event.id for event in events}
        starts = [start for start in starts if start.event_id in there]
        with open_unit() as unit:
            _write(unit, starts, events, plans, now)
    if starts:
        log.info("%s started %s", count(len(events), "event"), count(len(starts), "instance"))
    return events


def _without(events: list[Event], unfinished: Collection[int]) -> list[Event]:
    refs = {event.ref for event in events if event.id in unfinished and event.ref}
    return [event for event in events if event.id not in unfinished and event.ref not in refs]


def _starts(events: Sequence[Event], plans: Mapping[str, Plan], unit: Unit, now: datetime) -> list[Start]:
    matches = _settled(
        [match for event in events for match in _matches(event, plans) if not _is_put_off(match)]
    )
    records = _read_records(matches, unit)
    return [start for match in matches if (start := _started(match, records, now))]


def _is_put_off(match: _Match) -> bool:
    """Whether it starts something once nothing has followed for a while (`procession.bursts`)."""
    return match.trigger.debounce is not None and not match.event.process


def _write(
    unit: Unit, starts: Sequence[Start], events: Sequence[Event], plans: Mapping[str, Plan], now: datetime
) -> None:
    put_off = [
        (match.plan.process, match.trigger, match.event)
        for event in events
        for match in _matches(event, plans)
        if _is_put_off(match)
    ]
    if put_off:
        keys = {(process, trigger.id, event.ref) for process, trigger, event in put_off if event.ref}
        unit.journal.save_bursts(gathered(unit.journal.bursts(keys), put_off))
    added = {event.ref for event in events if event.type == "added"}
    if starts and (saved := {event.ref for event in events if event.ref and not event.bulk} - added):
        unit.journal.hurry(saved)  # of one that was added just now nothing can have begun before
    unit.journal.start(starts, now)
    unit.journal.dispatched([event.id for event in events], now)
    unit.commit()


def _set_aside(
    ports: Ports,
    plans: Mapping[str, Plan],
    events: Sequence[Event],
    error: ProcessionError,
    open_unit: OpenUnit,
) -> int:
    """Mark an event as dispatched though it could not be; what it should have started are incidents."""
    now = ports.clock.now()
    starts = [
        _failed_start(
            match.plan, {"id": match.trigger.id, "event": event.type}, event, error, match.trigger.at
        )
        for event in events
        for match in _matches(event, plans)
    ]
    with open_unit() as unit:
        unit.journal.start(starts, now)
        unit.journal.dispatched([event.id for event in events], now)
        unit.commit()
    for event in events:
        log.error("event %d started %s instead: %s", event.id, count(len(starts), "incident"), error)
    return len(events)


def _matches(event: Event, plans: Mapping[str, Plan]) -> list[_Match]:
    if event.process:  # a moment of its schedule, or a burst of saves that is over
        plan = plans.get(event.process)
        triggers = plan.triggers if plan else ()
        return [_Match(plan, t, event) for t in triggers if plan and t.id == event.trigger]
    return [
        _Match(plan, trigger, event)
        for plan in plans.values()
        if event.origin != plan.process
        for trigger in plan.triggers
        if _concerns(trigger, event)
    ]


def _concerns(trigger: Trigger, event: Event) -> bool:
    if event.type not in trigger.events or event.name != trigger.name:
        return False
    if trigger.entity != (event.ref.entity if event.ref else "") and (trigger.entity or not event.name):
        return False
    return event.type != "modified" or not trigger.changed or bool({*trigger.changed} & {*event.changed})


def _settled(matches: Sequence[_Match]) -> list[_Match]:
    """Saves of one record that were waiting together start a process that allows one instance at a time (`single`, `restart`)
    once: a record that was added and changed since is `added`; changes add up. In the order of their events, so that
    of several restarts of one key the last event wins, and those that are queued stand in that order. All of them are bulk, or none
    is urgent."""
    kept: dict[object, _Match] = {}
    for number, match in enumerate(matches):
        plan, event = match.plan, match.event
        says_the_same = event.ref is not None and event.type in (
            "added",
            "modified",
        )  # messages have data of their own
        alone = plan.mode in ("parallel", "queued") or not says_the_same
        key: object = number if alone else (plan.process, match.trigger.id, event.ref)
        before = kept.get(key)
        if before is None:
            kept[key] = match
            continue
        bulk = before.event.bulk and event.bulk
        if before.event.type == "modified":
            changed = tuple(dict.fromkeys((*before.event.changed, *event.changed)))
            kept[key] = replace(match, event=replace(event, changed=changed, bulk=bulk))
        else:
            kept[key] = replace(before, event=replace(before.event, bulk=bulk))
    return sorted(kept.values(), key=lambda match: match.event.id)


Read = Mapping[tuple[str, str, Ref], Record]
"""`{(process, trigger id, ref): record}`, each with the references its trigger follows."""


def _read_records(matches: Sequence[_Match], unit: Unit) -> Read:
    wanted: dict[tuple[str, str], list[_Match]] = defaultdict(list)
    for match in matches:
        wanted[match.plan.process, match.trigger.id].append(match)
    records: dict[tuple[str, str, Ref], Record] = {}
    for (process, trigger), group in wanted.items():
        refs = {m.event.ref for m in group if m.event.ref and m.event.type != "deleted"}
        for ref, record in unit.records.fetch(refs, group[0].trigger.reads).items() if refs else ():
            records[process, trigger, ref] = record
        for m in group:
            if m.event.ref and m.event.type == "deleted":
                records[process, trigger, m.event.ref] = Record(m.event.ref, from_json(m.event.payload))
    return records


def _started(match: _Match, records: Read, now: datetime) -> Start | None:
    """The start this trigger makes of this event; None if its `if` says no, or the record is gone by now."""
    plan, trigger, event = match.plan, match.trigger, match.event
    told = {"id": trigger.id, "event": event.type, "changed": list(event.changed)}
    names: dict[str, Any] = {
        "trigger": {**told, "at": event.at},
        "event": names_of(event),
        "now": now,
    }
    if event.ref:
        record = records.get((plan.process, trigger.id, event.ref))
        if record is None and (trigger.entity or not event.name):
            return None
        names["record"] = record
        told |= {"record": str(event.ref)}
    try:
        with foreseen(f"trigger {trigger.id!r}", at=trigger.at):
            if trigger.condition is not None and not evaluate(trigger.condition, names):
                return None
            inputs = checked(plan, {name: fill(value, names) for name, value in trigger.inputs.items()})
            return _start(plan, told, inputs, event, gone=event.type == "deleted")
    except FINAL as error:
        return _failed_start(plan, told, event, error, trigger.at)


def _start(
    plan: Plan, trigger: Mapping[str, Any], inputs: Mapping[str, Any], event: Event, *, gone: bool = False
) -> Start:
    """Records are kept as refs (live), except those of a deleted record, which are kept as they were."""
    kept = {
        name: value if gone or not isinstance(value, Record) else ref_of(value)
        for name, value in inputs.items()
    }
    given = {i.name: inputs.get(i.name, i.default) for i in plan.inputs}
    key = _key(plan.key, {**given, "inputs": given, "trigger": trigger})
    about = next((str(value) for value in inputs.values() if isinstance(value, Record)), "")
    return Start(
        plan.process, plan.digest, f"{plan.title}: {about}" if about else plan.title,
        key, plan.mode if key or not plan.key else "parallel", to_json(kept), to_json(trigger), event.id, event.at,
        event.bulk,
    )  # fmt: skip


def _key(key: Fillable, names: Mapping[str, Any]) -> str:
    """A record is itself, whatever its name, also as one part of a text. One whose expressions are all empty is nobody's key:
    those of whom nothing is known are not one and the same."""
    parts = key.parts if isinstance(key, Text) else (key,)
    known = [_identity(fill(part, names)) for part in parts if not isinstance(part, str)]
    rest = iter(known)
    written = "".join(part if isinstance(part, str) else next(rest) for part in parts)
    return written if any(known) or not known else ""


def _identity(value: Any) -> str:
    return "" if value is None else str(ref_of(value) if isinstance(value, Record) else value).strip()


def _failed_start(
    plan: Plan, trigger: Mapping[str, Any], event: Event, error: ProcessionError, at: Place
) -> Start:
    told = {
        "message": writable(error.message),
        "class": "permanent",
        "hint": error.hint,
        "place": str(getattr(error, "at", None) or at),
    }
    return Start(
        plan.process, plan.digest, plan.title, f"event {event.id}", "parallel", {}, trigger, event.id, event.at,
        event.bulk, error={**told, "step": f"triggers/{trigger['id']}"},
    )  # fmt: skip
