"""Tells Prefect from the journal what no engine told it: instances that ended while it was down for long, or that an
engine did not come to tell before it ended (`flows.telling`), and runs that an engine left behind when it was killed.

The journal is the truth; this makes the picture in Prefect agree with it. It is called again and again by
`flows.watch`, and each call does what is left to do.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Completed, Crashed, Running, Scheduled

from flows import tables, task_runs, words
from flows.runs import Runs
from flows.starting import OWNER, instance_ids
from flows.task_runs import TaskRun
from flows.telling import Teller
from procession.plan import Plan, every_step
from procession.ports import End, Instance, StepRun
from procession.spelling import count

log = logging.getLogger(__name__)

REPORTED_AT_ONCE = 500
RUN_OF_ITS_OWN = 20
"""Up to so many instances of a process are shown by a run each, with their steps; more of them share one."""
LEFT_TO_OTHERS = timedelta(minutes=1)
GIVEN_UP = timedelta(minutes=2)
"""A run without a sign of its engine for so long has none."""

NOT_SHOWN = "none"
"""In the journal, in place of a flow run: the definition is gone, so that nothing can be shown."""

LEFT = "The engine was stopped in the middle of this run; another run goes on with it."


class Reporter:
    """`teller` shows what this engine does."""

    def __init__(self, runs: Runs, teller: Teller) -> None:
        self._runs, self.teller = runs, teller

    def catch_up(self, client: SyncPrefectClient) -> int:
        """Tell what is left to tell, and return how many instances that were.

        Raises:
            UNREACHABLE: see `flows.client`; the rest stays to be told.
        """
        host, ports = self._runs.host, self._runs.host.ports
        unseen = self._unseen()
        groups: dict[tuple[str, str], list[Instance]] = defaultdict(list)
        for instance in unseen:
            groups[instance.process, instance.digest].append(instance)
        for (process, digest), group in groups.items():
            plan = host.definitions.version(process, digest) or host.plans.get(process)
            seen = self._show(client, plan, group) if plan else {i.id: NOT_SHOWN for i in group}
            with ports.store.unit() as unit:
                unit.journal.seen_in_prefect(seen)
                unit.commit()
        if unseen:
            log.info("told Prefect of %s that it did not see", count(len(unseen), "instance"))
        return len(unseen)

    def _unseen(self) -> list[Instance]:
        """Where other engines work, they are given time to tell what they did."""
        ports, in_hand = self._runs.host.ports, self.teller.in_hand
        with ports.store.unit(write=False) as unit:
            unseen = unit.journal.unseen_in_prefect(REPORTED_AT_ONCE)
            is_alone = not unseen or len(unit.journal.engines()) <= 1
        before = ports.clock.now() - (timedelta() if is_alone else LEFT_TO_OTHERS)
        return [i for i in unseen if i.id not in in_hand and i.ended_at and i.ended_at <= before]

    def _show(self, client: SyncPrefectClient, plan: Plan, group: Sequence[Instance]) -> dict[int, str]:
        if len(group) > RUN_OF_ITS_OWN:
            return self._show_together(client, plan, group)
        with self._runs.host.ports.store.unit(write=False) as unit:
            steps = unit.journal.steps([instance.id for instance in group])
        return {i.id: self._show_one(client, plan, i, steps.get(i.id, [])) for i in group}

    def _show_one(
        self, client: SyncPrefectClient, plan: Plan, instance: Instance, steps: Sequence[StepRun]
    ) -> str:
        run = self._runs.create(client, plan, [instance], Running())
        task_runs.tell(client, {run.id: _tasks(plan, instance, steps)})
        now = self._runs.host.ports.clock.now()
        state = words.end_state(end_of(instance))
        state = words.when(state, instance.started_at, instance.ended_at or now, now)
        client.set_flow_run_state(run.id, state, force=True)
        return str(run.id)

    def _show_together(
        self, client: SyncPrefectClient, plan: Plan, group: Sequence[Instance]
    ) -> dict[int, str]:
        ends = [end_of(instance) for instance in group]
        run = self._runs.create(client, plan, group, Running())
        tables.show(client, run.id, plan, group, ends, "They ran while Prefect did not answer.")
        client.set_flow_run_state(run.id, words.ends_state(ends), force=True)
        return {instance.id: str(run.id) for instance in group}

    # --- runs without an engine

    def mend(self, client: SyncPrefectClient) -> int:
        """End the runs that dead engines left going on.

        Raises:
            UNREACHABLE: see `flows.client`.
        """
        going_on = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
        runs = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                tags=FlowRunFilterTags(all_=[words.TAG]),
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=going_on)),
            )
        )
        left = [run for run in runs if self._is_left(run)]
        for run in left:
            client.set_flow_run_state(run.id, self._end_of_run(run), force=True)
        if left:
            log.info("ended %d flow runs that an engine had left", len(left))
        return len(left)

    def _is_left(self, run: FlowRun) -> bool:
        owner = str(run.labels.get(OWNER, ""))
        with self._runs.host.ports.store.unit(write=False) as unit:
            alive = owner in {str(engine.id) for engine in unit.journal.engines()}
        if owner and not alive:
            return True
        since = run.state.timestamp if run.state else run.created
        return not alive and since is not None and datetime.now(UTC) - since > GIVEN_UP  # noqa: TID251  # Prefect's clock

    def _end_of_run(self, run: FlowRun) -> State[Any]:
        """What became of the instances of the run, if that is known; a run that never began is run again."""
        if run.state_type == StateType.PENDING and OWNER not in run.labels and run.deployment_id:
            return Scheduled()
        ids = instance_ids(run)
        with self._runs.host.ports.store.unit(write=False) as unit:
            instances = unit.journal.instances(ids=ids, limit=len(ids)) if ids else []
        over = [i for i in instances if i.state not in ("ready", "running", "waiting", "queued")]
        if instances and len(over) == len(instances):
            return words.ends_state([end_of(instance) for instance in instances])
        return Crashed(message=LEFT)


def end_of(instance: Instance) -> End:
    return End(instance.id, instance.state, result=instance.result, error=instance.error)


def _tasks(plan: Plan, instance: Instance, steps: Sequence[StepRun]) -> list[TaskRun]:
    """The journal knows when a step ended; it began after the one before it."""
    known = {step.path: step for step in every_step(plan)}
    tasks, began = [], instance.started_at
    for number, row in enumerate(sorted(steps, key=lambda row: row.at)):
        if step := known.get(row.path):
            name = words.task_name(step, 1)
            tasks.append(TaskRun(row.path, str(number), name, _task_state(row), began, row.at))
            began = row.at
    return tasks


def _task_state(step: StepRun) -> State[Any]:
    if step.state in ("done", "skipped"):
        return Completed(name="Skipped" if step.state == "skipped" else None)
    return words.end_state(End(step.instance, "failed", error=step.error))
