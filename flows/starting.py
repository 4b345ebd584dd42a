"""A flow run that nobody handed instances to: it starts or resumes them itself.

What it does depends on how the run came about:

    run again in the Prefect UI      the instances it was about (its label) are resumed if they are held
    by an automation (`event`)       what the CRM's events start is started, once, and what is ready is advanced
    by a schedule of the deployment  the same moment of the process's own schedule, once
    by hand, with a form             one instance by hand, once for this flow run

Nothing starts twice, whoever else dispatches: events, moments and flow runs have unique keys in the journal.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.states import Completed, Failed

from flows import form, tables, words
from flows.client import UNREACHABLE
from procession.advance import Around, advance, direct
from procession.dispatch import claim, dispatch, start_by_hand
from procession.errors import InputError, ProcessionError
from procession.leases import keep
from procession.plan import Plan
from procession.ports import Actor, End, Event, Instance, Ports
from procession.schedules import moments

log = logging.getLogger(__name__)

INSTANCES = "procession.instances"
"""Label of a flow run: the instances it is about, `17 19-21`."""
OWNER = "procession.owner"
"""Label of a flow run: the engine that carries it out, as in leases."""


@dataclass(frozen=True, slots=True)
class Host:
    """Where a flow run works by itself: ports, definitions, and a gate that keeps an engine in the same process
    from claiming what was just started here."""

    ports: Ports
    plans: Mapping[str, Plan]
    pinned: Callable[[str, str], Plan | None]
    gate: AbstractContextManager[Any] = field(default_factory=nullcontext)
    stopping: threading.Event = field(default_factory=threading.Event)


class Stopping(ProcessionError):
    """The engine is to stop: no further step is begun, and the instances go on in another run."""


def go_on(stopping: threading.Event) -> None:
    """Raises:
    Stopping: the engine is to stop.
    """
    if stopping.is_set():
        raise Stopping("the engine is stopping")


def interrupted() -> State[Any]:
    return Completed(
        name="Interrupted",
        message="The engine was stopped here; it goes on in another run when it starts again.",
    )


def start(plan: Plan, host: Host, parameters: Mapping[str, Any], around: Around[Any]) -> State[Any]:
    """Start or resume what this flow run is about, advance it, and say what became of it."""
    run = current_run()
    ports = host.ports
    with keep(ports):
        try:
            with host.gate:
                ids = _ids(plan, host, parameters, run)
                instances = claim(ports, len(ids), ids) if ids else []
        except InputError as error:
            _rename(run, plan.title)
            return Failed(
                name="Not started", message=words.told({"message": error.message, "hint": error.hint})
            )
        if not instances:
            _rename(run, plan.title)
            return Completed(name="Nothing to do", message=_nothing(ids, plan, parameters, run))
        try:
            with ports.holding(instances):
                note_run(instances, ports)
                _label(run, plan, instances, ports)
                ends = _advance(plan, host, instances, around)
        except Stopping:
            return interrupted()
    return finish(plan, instances, ends)


def finish(plan: Plan, instances: Sequence[Instance], ends: Sequence[End]) -> State[Any]:
    """The final state; for many instances also a table of all of them."""
    if len(instances) > 1:
        try:
            tables.show(get_client(sync_client=True), current_run().id, plan, instances, ends)
        except UNREACHABLE as error:
            log.warning("the table of a run was not shown: %s", error)
    return words.ends_state(ends)


def note_run(instances: Sequence[Instance], ports: Ports) -> None:
    """Keep in the journal which flow run shows these instances."""
    run = current_run()
    with ports.store.unit() as unit:
        unit.journal.seen_in_prefect({instance.id: str(run.id) for instance in instances})
        unit.commit()


def current_run() -> FlowRun:
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise LookupError("a flow body runs in a flow run only")
    return context.flow_run


def instances_label(instances: Sequence[Instance]) -> str:
    """`17 19-21`."""
    parts: list[list[int]] = []
    for number in sorted(instance.id for instance in instances):
        if parts and parts[-1][-1] == number - 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return " ".join("-".join(map(str, part)) for part in parts)


def instance_ids(run: FlowRun) -> list[int]:
    """The instances that a flow run is about, from its label."""
    parts = (part.split("-") for part in str(run.labels.get(INSTANCES, "")).split())
    return [number for part in parts for number in range(int(part[0]), int(part[-1]) + 1)]


def _nothing(ids: Sequence[int], plan: Plan, parameters: Mapping[str, Any], run: FlowRun) -> str:
    if ids:
        return f"Another engine carries out {instances_named(ids)}."
    if about := instance_ids(run):
        return f"There is nothing to resume: {instances_named(about)} is not held."
    if form.event_of(plan, parameters) is not None:
        return "What this event starts was started already."
    if run.auto_scheduled:
        return "The engine started this moment of the schedule already."
    return "It runs for this already, and it runs once at a time. See: procession instances"


def instances_named(ids: Sequence[int]) -> str:
    return f"instance {ids[0]}" if len(ids) == 1 else f"{len(ids)} instances"


def _ids(plan: Plan, host: Host, parameters: Mapping[str, Any], run: FlowRun) -> list[int]:
    """Instances for this flow run to carry out, ready to be claimed.

    Raises:
        InputError: a parameter is missing or wrong.
    """
    ports = host.ports
    if about := instance_ids(run):
        return _resumed(about, ports)
    if form.event_of(plan, parameters) is not None:
        dispatch(ports, host.plans, 500)
        return _ready(plan, ports)
    if run.auto_scheduled and (events := _moment(plan, run)):
        with ports.store.unit() as unit:
            unit.journal.append(events)
            unit.commit()
        dispatch(ports, host.plans, 500)
        return _ready(plan, ports)
    inputs = form.given(plan, parameters, ports.clock)
    actor = Actor("user", "Prefect")
    number = start_by_hand(ports, plan, inputs, actor=actor, dedupe_key=f"flow-run:{run.id}")
    return [number] if number is not None else []


def _resumed(ids: Sequence[int], ports: Ports) -> list[int]:
    now = ports.clock.now()
    with ports.store.unit() as unit:
        for instance in unit.journal.instances(ids=ids, states=("incident",), limit=len(ids)):
            unit.journal.resume(instance.id, now)
        ready = unit.journal.instances(ids=ids, states=("ready",), limit=len(ids))
        unit.commit()
    return [instance.id for instance in ready]


def _ready(plan: Plan, ports: Ports) -> list[int]:
    with ports.store.unit(write=False) as unit:
        ready = unit.journal.instances(states=("ready",), process=plan.process, limit=500)
    return [instance.id for instance in ready]


def schedule_event(process: str, trigger: str, at: datetime) -> Event:
    key = f"schedule:{process}:{trigger}:{at.isoformat()}"
    return Event(0, at, "schedule", process=process, trigger=trigger, origin="schedule", dedupe_key=key)


def _moment(plan: Plan, run: FlowRun) -> list[Event]:
    """The moment of the process's own schedule that this scheduled run stands for, as the engine writes it."""
    if run.expected_start_time is None:
        return []
    at = datetime.fromisoformat(run.expected_start_time.isoformat())  # Prefect's own kind counts otherwise
    triggers = [
        trigger.id
        for trigger in plan.triggers
        if (trigger.cron or trigger.every) and next(moments(trigger, at - timedelta(seconds=1))) == at
    ]
    return [schedule_event(plan.process, trigger, at) for trigger in triggers]


def _advance(plan: Plan, host: Host, instances: Sequence[Instance], around: Around[Any]) -> list[End]:
    """Each with the version of the process that it started with."""
    groups: dict[str, list[Instance]] = defaultdict(list)
    for instance in instances:
        groups[instance.digest].append(instance)
    ends = []
    for digest, group in groups.items():
        its = plan if digest == plan.digest else host.pinned(plan.process, digest)
        if its:
            ends += advance(its, group, host.ports, around if its is plan else direct)
    return ends


def _label(run: FlowRun, plan: Plan, instances: Sequence[Instance], ports: Ports) -> None:
    """Give the run a name people know, and remember what it is about, for "Retry" in the Prefect UI."""
    _rename(run, words.run_name(plan.title, instances))
    get_client(sync_client=True).update_flow_run_labels(
        run.id, {INSTANCES: instances_label(instances), OWNER: ports.owner}
    )


def _rename(run: FlowRun, name: str) -> None:
    get_client(sync_client=True).update_flow_run(run.id, name=name)
