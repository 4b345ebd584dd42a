"""What is left of instances that somebody had before: where they are, and who of them goes on."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from procession.conversion import converted
from procession.plan import Plan
from procession.ports import Arrival, Checkpoint, End, Event, Instance, Ports, Unit, Wait
from procession.records import Record, Ref
from procession.run import Run
from procession.values import from_json


def reopened(
    plan: Plan, begun: Sequence[Instance], ports: Ports
) -> dict[int, tuple[Checkpoint | None, tuple[Wait, ...]]]:
    """`{instance: (where it is, what it waited for)}`."""
    numbers = [instance.id for instance in begun]
    with ports.store.unit(write=False) as unit:
        found, waits = unit.journal.positions(numbers), unit.journal.waits(numbers)
        of_0_1 = [instance for instance in begun if instance.is_of_0_1 and instance.id not in found]
        if of_0_1:
            found |= converted(plan, of_0_1, unit)
    return {number: (found.get(number), waits.get(number, ())) for number in numbers}


def still_running(instances: Sequence[Instance], ports: Ports) -> tuple[list[Instance], list[End]]:
    """Of a batch in which something broke off: those that go on, and what has become of those whose segment is over. They
    have no position any more, or wait: whoever opened them again would begin anew."""
    numbers = [instance.id for instance in instances]
    with ports.store.unit(write=False) as unit:
        now = {one.id: one for one in unit.journal.instances(ids=numbers, limit=len(numbers))}
    over = {
        number: End(number, one.state, result=one.result, error=one.error)
        for number, one in now.items()
        if one.state != "running"
    }
    return [instance for instance in instances if instance.id not in over], list(over.values())


def with_arrivals(runs: Mapping[int, Run], ports: Ports) -> dict[int, Run]:
    """With what came for those that wait for events. (Read after their records: what comes later still is looked back for.)"""
    waiting = [
        number for number, run in runs.items() if any(wait.kind == "event" for wait in run.waits.values())
    ]
    if not waiting:
        return dict(runs)
    with ports.store.unit(write=False) as unit:
        unseen = unit.journal.oldest_pending()  # first: what is dispatched meanwhile is among what arrived
        arrived = unit.journal.arrived(waiting)
        records = _records(arrived, runs, unit)
    by_instance: dict[int, dict[int, tuple[Arrival, ...]]] = defaultdict(dict)
    for (number, scope), events in arrived.items():
        found = records[_path(runs[number], scope)]
        by_instance[number][scope] = tuple(Arrival(event, _record(event, found)) for event in events)
    return {
        number: replace(run, arrived=by_instance.get(number, {}), unseen=unseen)
        for number, run in runs.items()
    }


def _records(
    arrived: Mapping[tuple[int, int], Sequence[Event]], runs: Mapping[int, Run], unit: Unit
) -> dict[str, dict[Ref, Record]]:
    """`{path of the step: the records that its events are about}`, with the references that it follows."""
    refs: dict[str, set[Ref]] = defaultdict(set)
    for (number, scope), events in arrived.items():
        refs[_path(runs[number], scope)] |= {event.ref for event in events if event.ref}
    located = next(iter(runs.values())).plan.located
    return {
        path: unit.records.fetch(some, located[path].step.reads) if some else {}
        for path, some in refs.items()
    }


def _path(run: Run, scope: int) -> str:
    return run.waits[scope].path


def _record(event: Event, found: Mapping[Ref, Record]) -> Record | None:
    """Of a deleted one what it was."""
    if event.ref and event.type == "deleted":
        return Record(event.ref, from_json(event.payload))
    return found.get(event.ref) if event.ref else None
