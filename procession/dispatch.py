"""Events and due times → started and resumed instances: the beating heart of the engine.

A tick does what is there to do and says how much that was: schedules that fell due become events,
events start instances by their triggers (in one unit with the event's `dispatched` mark), ready
instances are claimed and executed, and the outbox sends what no step looks after.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from procession.deliver import deliver_due
from procession.errors import FINAL, InputError, ProcessErrors, ProcessionError, TemporaryError, foreseen
from procession.expressions import evaluate, fill
from procession.leases import give_back, reclaim
from procession.plan import Plan, Trigger
from procession.ports import Actor, End, Event, Instance, Ports, Start, Unit
from procession.records import Record, Ref, ref_of
from procession.schedules import Schedules
from procession.values import from_json, to_json, writable

log = logging.getLogger(__name__)

Execute = Callable[[Plan, Sequence[Instance]], object]
"""Advances claimed instances of one plan: plainly (`procession.advance`), or as Prefect flow runs."""

Told = Callable[[Sequence[Event]], object]
"""Hears of events once they are dispatched; it must not raise."""


@dataclass(slots=True)
class Engine:
    """One engine of possibly many on the same store.

    `plans` are the current definitions; `pinned` finds an older version: (process, digest) → plan or None.
    """

    ports: Ports
    plans: Mapping[str, Plan]
    execute: Execute
    pinned: Callable[[str, str], Plan | None]
    batch: int = 500
    told: Told = field(default=lambda _events: None)
    schedules: Schedules = field(init=False)
    _reclaimed: datetime | None = None
    _owed: dict[tuple[str, str], Event] = field(default_factory=dict)
    """Moments of schedules that came and are not in the journal yet."""

    def __post_init__(self) -> None:
        self.schedules = Schedules(self.plans.values(), self.ports.clock.now())

    def tick(self) -> int:
        """Do what is there to do now; returns how many things that were (0: idle).

        Raises:
            ConfigurationError: the store cannot be reached; nothing is lost.
        """
        try:
            return self._tick()
        except TemporaryError as error:
            log.warning("put off: %s", error)
            return 0

    def _tick(self) -> int:
        give_back(self.ports)
        now = self.ports.clock.now()
        if self._reclaimed is None or now - self._reclaimed > self.ports.lease / 2:
            reclaim(self.ports)
            self._reclaimed = now
        done = self._fire_schedules(now)
        done += dispatch(self.ports, self.plans, self.batch, self.told)
        done += self._run_ready()
        return done + deliver_due(self.ports)

    def _fire_schedules(self, now: datetime) -> int:
        self._owed |= {(event.process, event.trigger): event for event in self.schedules.due(now)}
        if not self._owed:
            return 0
        with self.ports.store.unit() as unit:
            new = unit.journal.append(list(self._owed.values()))
            unit.commit()
        self._owed.clear()
        return sum(event is not None for event in new)

    def _run_ready(self) -> int:
        instances = claim(self.ports, self.batch)
        groups: dict[tuple[str, str], list[Instance]] = defaultdict(list)
        for instance in instances:
            groups[instance.process, instance.digest].append(instance)
        with self.ports.holding(instances):
            for (process, digest), group in groups.items():
                plan = self._plan(process, digest)
                if plan is None:
                    _orphaned(group, self.ports)
                else:
                    self.execute(plan, group)
        return len(instances)

    def _plan(self, process: str, digest: str) -> Plan | None:
        current = self.plans.get(process)
        if current and current.digest == digest:
            return current
        try:
            with foreseen(f"the reading of an older version of {process!r}"):
                return self.pinned(process, digest)
        except (*FINAL, ProcessErrors) as error:
            log.error("%s", error)  # noqa: TRY400  # a sentence
            return None


def claim(ports: Ports, limit: int, ids: Sequence[int] = ()) -> list[Instance]:
    """Lease ready instances whose time has come; those in `ids` if given."""
    now = ports.clock.now()
    with ports.store.unit(write=False) as unit:
        if not unit.journal.any_ready(now):
            return []
    with ports.store.unit() as unit:
        instances = unit.journal.claim(ports.owner, now, now + ports.lease, limit, ids)
        with ports.holding(instances):  # or nobody would know that they are ours, if this is not answered
            unit.commit()
    return instances


def start_by_hand(
    ports: Ports, plan: Plan, inputs: Mapping[str, Any], *, actor: Actor, dedupe_key: str = ""
) -> int | None:
    """Start an instance for a person, a Prefect run or a program; returns its id, or None if one with this
    `dedupe_key` was started before, or if a live instance keeps its key (`mode: single`).

    Args:
        inputs: values of the declared types; a record as its `Ref`.

    Raises:
        InputError: an input is missing, or names a record that is not there.
    """
    now = ports.clock.now()
    with ports.store.unit() as unit:
        event = Event(0, now, "manual", process=plan.process, origin=f"{actor.kind}:{actor.name}",
                      payload=to_json(inputs), dedupe_key=dedupe_key)  # fmt: skip
        (event_id,) = unit.journal.append([event])
        if event_id is None:
            return None
        unit.journal.dispatched([event_id], now)
        names = _resolved(plan, inputs, unit)
        trigger = {"id": "by_hand", "event": "manual", "changed": [], "by": actor.name}
        start = _start(plan, trigger, names, event_id)
        (instance,) = unit.journal.start([start], now)
        unit.commit()
    return instance


def _resolved(plan: Plan, inputs: Mapping[str, Any], unit: Unit) -> dict[str, Any]:
    """The inputs with records in the place of refs, as the key's expression sees them."""
    known = {declared.name: declared for declared in plan.inputs}
    for name in inputs:
        if name not in known:
            raise InputError(
                f"{plan.process} has no input {name!r}", hint=f"It has: {', '.join(known) or 'none'}."
            )
    names: dict[str, Any] = {}
    for name, declared in known.items():
        value = inputs.get(name)
        if isinstance(value, Ref):
            reads = plan.reads.get(name, frozenset())
            if value.entity != declared.type.of or not (found := unit.records.fetch([value], reads)):
                raise InputError(f"input {name!r}: there is no {declared.type.of} {value.id}")
            value = found[value]
        if value is None and declared.required and declared.default is None:
            raise InputError(f"input {name!r} of {plan.process} is missing", hint=declared.description)
        if value is not None:
            names[name] = value
    return names


# --- events


@dataclass(frozen=True, slots=True)
class _Match:
    plan: Plan
    trigger: Trigger
    event: Event


def dispatch(ports: Ports, plans: Mapping[str, Plan], limit: int, told: Told = lambda _events: None) -> int:
    """Start what the oldest pending events start; returns how many events there were, and has them `told`.

    One unit holds the new instances and the events' `dispatched` marks: twice dispatched is once started.
    If that unit cannot be done, fewer events are tried, down to the one that is to blame: that starts an
    incident, and is not in the way of the others.
    """
    with ports.store.unit(write=False) as unit:
        if not unit.journal.any_pending():
            return 0
    while True:
        tried: list[Event] = []
        try:
            with foreseen("the dispatch of events"):
                count = _dispatch(ports, plans, limit, tried)
        except FINAL as error:
            if limit == 1:
                return _set_aside(ports, plans, tried, error)
            limit = (limit + 1) // 2
        else:
            told(tried)
            return count


def _dispatch(ports: Ports, plans: Mapping[str, Plan], limit: int, tried: list[Event]) -> int:
    now = ports.clock.now()
    with ports.store.unit() as unit:
        events = unit.journal.pending(limit)
        tried += events
        matches = _settled([match for event in events for match in _matches(event, plans)])
        records = _read_records(matches, unit)
        starts = [start for match in matches if (start := _started(match, records, now))]
        unit.journal.start(starts, now)
        unit.journal.dispatched([event.id for event in events], now)
        unit.commit()
    if starts:
        log.info("%d events started %d instances", len(events), len(starts))
    return len(events)


def _set_aside(
    ports: Ports, plans: Mapping[str, Plan], events: Sequence[Event], error: ProcessionError
) -> int:
    """Mark an event as dispatched though it could not be; what it should have started are incidents."""
    now = ports.clock.now()
    starts = [
        _failed_start(match.plan, {"id": match.trigger.id, "event": event.type}, event, error)
        for event in events
        for match in _matches(event, plans)
    ]
    with ports.store.unit() as unit:
        unit.journal.start(starts, now)
        unit.journal.dispatched([event.id for event in events], now)
        unit.commit()
    for event in events:
        log.error("event %d started %d incidents instead: %s", event.id, len(starts), error)
    return len(events)


def _matches(event: Event, plans: Mapping[str, Plan]) -> list[_Match]:
    if event.type == "schedule":
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
    if event.ref is None or event.ref.entity != trigger.entity or event.type not in trigger.events:
        return False
    return event.type != "modified" or not trigger.changed or bool({*trigger.changed} & {*event.changed})


def _settled(matches: Sequence[_Match]) -> list[_Match]:
    """Saves of one record that were waiting together start a process that allows one instance at a time
    once: a record that was added and changed since is `added`; changes add up."""
    kept: dict[object, _Match] = {}
    for number, match in enumerate(matches):
        plan, event = match.plan, match.event
        alone = plan.mode == "parallel" or event.ref is None or event.type == "deleted"
        key: object = number if alone else (plan.process, match.trigger.id, event.ref)
        before = kept.get(key)
        if before is None:
            kept[key] = match
        elif before.event.type == "modified":
            changed = tuple(dict.fromkeys((*before.event.changed, *event.changed)))
            kept[key] = replace(match, event=replace(event, changed=changed))
    return list(kept.values())


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
        "event": {"type": event.type, "changed": event.changed},
        "now": now,
    }
    if event.ref:
        record = records.get((plan.process, trigger.id, event.ref))
        if record is None:
            return None
        names["record"] = record
        told |= {"record": str(event.ref)}
    try:
        with foreseen(f"trigger {trigger.id!r}", at=trigger.at):
            if trigger.condition is not None and not evaluate(trigger.condition, names):
                return None
            inputs = {name: fill(value, names) for name, value in trigger.inputs.items()}
            return _start(plan, told, inputs, event.id, gone=event.type == "deleted")
    except FINAL as error:
        return _failed_start(plan, told, event, error)


def _start(
    plan: Plan, trigger: Mapping[str, Any], inputs: Mapping[str, Any], event: int, *, gone: bool = False
) -> Start:
    """Records are kept as refs (live), except those of a deleted record, which are kept as they were."""
    kept = {
        name: value if gone or not isinstance(value, Record) else ref_of(value)
        for name, value in inputs.items()
    }
    given = {i.name: inputs.get(i.name, i.default) for i in plan.inputs}
    key = fill(plan.key, {**given, "inputs": given, "trigger": trigger})
    about = next((str(value) for value in inputs.values() if isinstance(value, Record)), "")
    return Start(
        plan.process, plan.digest, f"{plan.title}: {about}" if about else plan.title,
        "" if key is None else str(key), plan.mode, to_json(kept), to_json(trigger), event,
    )  # fmt: skip


def _failed_start(plan: Plan, trigger: Mapping[str, Any], event: Event, error: ProcessionError) -> Start:
    told = {
        "message": writable(error.message),
        "class": "permanent",
        "hint": error.hint,
        "place": str(getattr(error, "at", None) or plan.at),
    }
    return Start(
        plan.process, plan.digest, plan.title, f"event {event.id}", "parallel", {}, trigger, event.id,
        error={**told, "step": f"triggers/{trigger['id']}"},
    )  # fmt: skip


def _orphaned(group: Sequence[Instance], ports: Ports) -> None:
    """Their version of the definition can no longer be read: a person must look."""
    error = {
        "message": "this version of the process cannot be read any more", "class": "permanent",
        "hint": "Cancel the instance, or put the process file back.", "place": "", "step": "",
    }  # fmt: skip
    with ports.store.unit() as unit:
        ends = [End(instance.id, "incident", error=error) for instance in group]
        unit.journal.end(ends, ports.owner, ports.clock.now())
        unit.commit()
