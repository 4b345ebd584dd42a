"""Carries out claimed instances as flow runs in this warm process; the executor of the engine.

One thread runs the flows, with everything that is slow to set up kept open. Few instances get a flow run each;
more of them share one, which costs hardly more than one does. Prefect never holds up a process: if a flow body has
not begun within the patience, or Prefect refuses, the instances are advanced plainly, at once and by the caller.
"""

import socket
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State
from prefect.events.worker import EventsWorker

from flows import build, words
from flows.breaker import Breaker
from flows.build import JOB, Job
from flows.client import connected
from flows.runs import Runs, carry_out
from flows.starting import go_on
from procession.advance import advance
from procession.plan import Plan, Step
from procession.ports import Instance

WARM_UP_SECONDS = 10.0
RUN_OF_ITS_OWN = 2
"""So many instances that are ready at the same time get a flow run each; more share one."""


class Worker:
    """Implements `procession.engine.Execute`; its thread lives while the `with` block runs."""

    def __init__(self, runs: Runs, breaker: Breaker, patience_seconds: float) -> None:
        self._runs, self._breaker, self._patience = runs, breaker, patience_seconds
        self._jobs: SimpleQueue[Job | threading.Event | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)
        self.unsettled: dict[UUID, State[Any]] = {}
        """Final states that Prefect did not take; `flows.reporting` tells them again."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._jobs.put(None)
        self._thread.join(self._patience)

    def __call__(self, plan: Plan, instances: Sequence[Instance]) -> None:
        """Advance claimed instances of one plan.

        Raises:
            ConfigurationError: the store cannot be reached.
            Stopping: the engine is to stop; the instances are given back (`ThisEngine.holding`).
        """
        if len(instances) <= RUN_OF_ITS_OWN:
            for instance in instances:
                self._execute(plan, [instance])
        else:
            self._execute(plan, instances)

    def warm_up(self) -> None:
        """Show that the engine started: the first run in a process, and on a server, takes a second longer than
        the others."""
        if not self._breaker.open:
            done = threading.Event()
            self._jobs.put(done)
            done.wait(WARM_UP_SECONDS)

    def _execute(self, plan: Plan, instances: Sequence[Instance]) -> None:
        ports = self._runs.host.ports
        if self._breaker.open:
            advance(plan, instances, ports, self._plainly)
            return
        job = Job(plan, instances, ports)
        self._jobs.put(job)
        in_time = job.begun.wait(self._patience)
        if job.take():
            if not in_time:
                self._breaker.trip(f"a run did not begin within {self._patience:g} seconds")
            advance(plan, instances, ports, self._plainly)
            return
        job.over.wait()
        if job.error:
            raise job.error

    def _plainly(self, _step: Step, _count: int, do: Callable[[], Any]) -> Any:
        go_on(self._runs.host.stopping)
        return do()

    def _work(self) -> None:
        with connected(self._breaker.url) as client:
            EventsWorker.instance()  # outside of any run: else it takes the first one for the origin of all events
            while job := self._jobs.get():
                if isinstance(job, Job):
                    self._show(client, job)
                else:
                    self._warm_up(client)
                    job.set()

    def _warm_up(self, client: SyncPrefectClient) -> None:
        with self._breaker.guarded():
            flow = build.engine_start(self._runs.host.plans, self._runs.results)
            name = f"Engine start on {socket.gethostname()}"
            carry_out(flow, client.create_flow_run(flow, name=name, tags=[words.TAG]))

    def _show(self, client: SyncPrefectClient, job: Job) -> None:
        """Run the flow of what was handed over, as far as Prefect lets us."""
        made: list[UUID] = []
        settled = False
        token = JOB.set(job)
        try:
            with self._breaker.guarded():
                run = self._runs.create(client, job.plan, job.instances)
                made.append(run.id)
                settled = carry_out(self._runs.flow(job.plan), run).is_final()
        finally:
            JOB.reset(token)
            job.begun.set()
        if settled:
            self._breaker.proved()
        else:
            state = words.ends_state(job.ends) if job.ends else build.without_prefect()
            self.unsettled |= dict.fromkeys(made, state)
