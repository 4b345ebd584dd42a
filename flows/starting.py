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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.states import Completed, Failed
from prefect.types import KeyValueLabels

from flows import form, tables, words
from flows.client import UNREACHABLE
from procession.advance import Wrap, advance, direct
from procession.definitions import Definitions
from procession.dispatch import start_by_hand
from procession.engine import by_version, claim
from procession.engines import beating
from procession.errors import ConfigurationError, InputError, ProcessionError
from procession.inputs import Caller
from procession.plan import Plan
from procession.planner import Planner
from procession.ports import Actor, End, Event, Instance, Ports
from procession.schedules import moment_of, moments
from procession.witness import refuse_if_held

log = logging.getLogger(__name__)

INSTANCES = "procession.instances"
"""Label of a flow run: the instances it is about, `17 19-21`."""
OWNER = "procession.owner"
"""Label of a flow run: the engine that carries it out (`Journal.register`)."""


@dataclass(frozen=True, slots=True)
class Host:
    """Where a flow run works by itself."""

    ports: Ports
    definitions: Definitions
    stopping: threading.Event = field(default_factory=threading.Event)
    is_engine: bool = False

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Be an engine while the block runs; in the process of a running engine it is one already."""
        if self.is_engine:
            yield
            return
        self.definitions.refresh()
        with beating(self.ports.engine):
            yield

    @property
    def plans(self) -> Mapping[str, Plan]:
        """The current versions."""
        return self.definitions.plans


class Stopping(ProcessionError):
    """The engine is to stop: no further step is begun, and the instances go on in another run."""


def go_on(stopping: threading.Event) -> None:
    """Raises:
    Stopping: the engine is to stop.
    """
    if stopping.is_set():
        raise Stopping("The engine was stopped here")


def start(plan: Plan, host: Host, parameters: Mapping[str, Any], wrap: Wrap[Any]) -> State[Any]:
    """Start or resume what this flow run is about, advance it, and say what became of it."""
    run = current_run()
    ports = host.ports
    with host.at_work():
        try:
            refuse_if_held(ports)
        except ConfigurationError as error:
            _rename(run, plan.title)
            return Failed(name="Held", message=words.told({"message": error.message, "hint": error.hint}))
        try:
            ids, claimed = _claimed(plan, host, parameters, run)
        except InputError as error:
            _rename(run, plan.title)
            return Failed(
                name="Not started", message=words.told({"message": error.message, "hint": error.hint})
            )
        try:
            with ports.engine.holding(claimed):
                groups = by_version(claimed, host.definitions, ports)
                instances = [instance for _, group in groups for instance in group]
                if not instances:
                    _rename(run, plan.title)
                    return Completed(name="Nothing to do", message=_nothing(ids, plan, host, parameters, run))
                _note_run(instances, ports)
                _label(run, plan, instances, ports)
                ends = _advance(plan, groups, ports, wrap)
        except Stopping as stopping:
            return words.interrupted(stopping.message)
    return _finish(plan, instances, ends)


def _finish(plan: Plan, instances: Sequence[Instance], ends: Sequence[End]) -> State[Any]:
    """The final state; for many instances also a table of all of them."""
    if len(instances) > 1:
        try:
            tables.show(get_client(sync_client=True), current_run().id, plan, instances, ends)
        except UNREACHABLE as error:
            log.warning("the table of a run was not shown: %s", error)
    return words.ends_state(ends)


def _note_run(instances: Sequence[Instance], ports: Ports) -> None:
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


def _nothing(ids: Sequence[int], plan: Plan, host: Host, parameters: Mapping[str, Any], run: FlowRun) -> str:
    if passed_over := _passed_over(ids, host):
        return (
            f"This engine cannot run the version of {instances_named(passed_over)}; one that can takes it up."
        )
    if ids and (in_line := _in_line(ids, host)):
        return in_line
    if ids:
        return f"Another engine carries out {instances_named(ids)}."
    if about := instance_ids(run):
        return f"There is nothing to resume: {instances_named(about)} is not held."
    if form.event_of(plan, parameters) is not None:
        return "What this event starts was started already."
    if run.auto_scheduled:
        return "The engine started this moment of the schedule already."
    return "It runs for this already, and it runs once at a time. See: procession instances"


def _passed_over(ids: Sequence[int], host: Host) -> Sequence[int]:
    """Those that wait for an engine that can run the version that they began with."""
    if not ids or not host.definitions.unrunnable:
        return ()
    with host.ports.store.unit(write=False) as unit:
        ready = unit.journal.instances(ids=ids, states=("ready",), limit=len(ids))
    return [instance.id for instance in ready if instance.digest in host.definitions.unrunnable]


def _in_line(ids: Sequence[int], host: Host) -> str:
    """What is said of one that is to begin after another (`mode: queued`)."""
    with host.ports.store.unit(write=False) as unit:
        queued = [one.id for one in unit.journal.instances(ids=ids, states=("queued",), limit=len(ids))]
        lines = unit.journal.lines(queued)
    before = [line[line.index(number) - 1] for number, line in lines.items()]
    return (
        f"Instance {queued[0]} is queued, after instance {before[0]}: another run shows it." if before else ""
    )


def instances_named(ids: Sequence[int]) -> str:
    return f"instance {ids[0]}" if len(ids) == 1 else f"{len(ids)} instances"


def _claimed(
    plan: Plan, host: Host, parameters: Mapping[str, Any], run: FlowRun
) -> tuple[Sequence[int], Sequence[Instance]]:
    """The instances that this flow run is about, and those of them that it has claimed for itself.

    Raises:
        InputError: a parameter is missing or wrong.
    """
    ports = host.ports
    if about := instance_ids(run):
        return about, _resumed(about, host)
    if form.event_of(plan, parameters) is not None:
        return _planned(plan, host)
    if run.auto_scheduled and (events := _moment(plan, run)):
        with ports.store.unit() as unit:
            unit.journal.append(events)
            unit.commit()
        return _planned(plan, host)
    inputs = form.given(plan, parameters, Caller(ports.clock.now(), ports.timezone))
    actor = Actor("user", "Prefect")
    started = start_by_hand(ports, plan, inputs, actor=actor, dedupe_key=f"flow-run:{run.id}", at_once=True)
    mine = [started] if started and started.state == "running" else []
    return [started.id] if started else [], mine


def _planned(plan: Plan, host: Host) -> tuple[Sequence[int], Sequence[Instance]]:
    """What is ready of this process, after planning: this process plans if no engine does."""
    ports = host.ports
    with ports.store.unit(write=False) as unit:
        glance = unit.journal.glance(ports.clock.now())
    Planner(ports, host.definitions).plan(glance)
    with ports.store.unit(write=False) as unit:
        ready = unit.journal.instances(states=("ready",), process=plan.process, limit=500)
    ids = [instance.id for instance in ready]
    return ids, claim(ports, len(ids), ids, not_of=host.definitions.unrunnable) if ids else []


def _resumed(ids: Sequence[int], host: Host) -> Sequence[Instance]:
    ports, unrunnable = host.ports, host.definitions.unrunnable
    now, engine = ports.clock.now(), ports.engine.id
    with ports.store.unit() as unit:
        for instance in unit.journal.instances(ids=ids, states=("incident",), limit=len(ids)):
            unit.journal.resume(instance.id, now)
        instances = unit.journal.claim(engine, now, len(ids), ids, not_of=unrunnable)
        with ports.engine.holding(instances):
            unit.commit()
    return instances


def _moment(plan: Plan, run: FlowRun) -> list[Event]:
    """The moment of the process's own schedule that this scheduled run stands for, as the engine writes it."""
    if run.expected_start_time is None:
        return []
    at = datetime.fromisoformat(run.expected_start_time.isoformat())  # Prefect's own kind counts otherwise
    triggers = [
        trigger.id
        for trigger in plan.triggers
        if trigger.schedule and next(moments(trigger, at - timedelta(seconds=1))) == at
    ]
    return [moment_of(plan.process, trigger, at) for trigger in triggers]


def _advance(
    plan: Plan, groups: Sequence[tuple[Plan, Sequence[Instance]]], ports: Ports, wrap: Wrap[Any]
) -> list[End]:
    """Each with the version of the process that it started with; the task runs are those of this flow's."""
    return [
        end
        for its, group in groups
        for end in advance(its, group, ports, wrap if its.digest == plan.digest else direct)
    ]


def _label(run: FlowRun, plan: Plan, instances: Sequence[Instance], ports: Ports) -> None:
    """Give the run a name people know, and remember what it is about, for "Retry" in the Prefect UI."""
    _rename(run, words.run_name(plan.title, instances))
    labels: KeyValueLabels = {INSTANCES: instances_label(instances), OWNER: str(ports.engine.id)}
    if not labels.items() <= run.labels.items():
        get_client(sync_client=True).update_flow_run_labels(run.id, labels)


def _rename(run: FlowRun, name: str) -> None:
    if run.name != name:
        get_client(sync_client=True).update_flow_run(run.id, name=name)
