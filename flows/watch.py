"""What people do in Prefect reaches the engine: runs that they cancel, and runs that they start.

Every few seconds, and only while Prefect answers: runs whose instances are alive are asked for a cancellation;
runs that wait to be started ("Run" button, schedule, `prefect deployment run`, automation) are taken up by this warm
process, so they begin within a few seconds and without a process of their own. While Prefect does not answer, it is
asked now and then whether it does; then what nobody told it is told (`flows.reporting`). Each time Prefect is asked costs
its server some milliseconds of computing, so it is asked more often only while it shows something that can be cancelled.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas import OrchestrationResult
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.events.worker import EventsWorker
from prefect.states import Pending

from flows import build, deploy, words
from flows.breaker import Breaker
from flows.client import connected
from flows.publishing import Publisher
from flows.reporting import NOT_SHOWN, Reporter
from flows.runs import Runs, carry_out
from procession.plan import Plan

log = logging.getLogger(__name__)

LOOK_SECONDS = 3.0
CLOSE_LOOK_SECONDS = 1.0
"""While Prefect shows what goes on, or does not answer."""
MEND_SECONDS = 30.0
"""Between two searches for runs that dead engines left."""

CANCELLED = "it was cancelled in Prefect"


class Watch:
    """Its threads live while the `with` block runs. `attach` is called at first, whenever Prefect is back, and when other
    versions of processes are current."""

    def __init__(
        self, runs: Runs, reporter: Reporter, publisher: Publisher, breaker: Breaker,
        attach: Callable[[SyncPrefectClient], None],
    ) -> None:  # fmt: skip
        self._runs, self._reporter, self._breaker = runs, reporter, breaker
        self._publisher, self._attach = publisher, attach
        self._attached = threading.Event()
        self._registered: Mapping[str, Plan] | None = None
        self._over = threading.Event()
        self._by_hand: SimpleQueue[tuple[FlowRun, Plan] | None] = SimpleQueue()
        self._is_busy = False
        self._mended: float | None = None
        self._name = f"engine on {socket.gethostname()}"
        self._threads = [
            threading.Thread(target=self._look_on, name="watch", daemon=True),
            threading.Thread(target=self._carry_out, name="by hand", daemon=True),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._by_hand.put(None)
        for thread in self._threads:
            thread.join(2)

    def wait_until_attached(self, seconds: float) -> None:
        """Until Prefect knows the deployments, or is found not to answer, or the time is up."""
        until = time.monotonic() + seconds
        while not self._attached.wait(0.05) and not self._breaker.open and time.monotonic() < until:
            pass

    def _look_on(self) -> None:
        with connected(self._breaker.url) as client:
            while not self._over.is_set():
                with self._breaker.guarded():
                    self._look(client)
                self._over.wait(self._pause())

    def _pause(self) -> float:
        close = self._breaker.open or self._is_busy or self._reporter.teller.shows_what_goes_on
        return CLOSE_LOOK_SECONDS if close else LOOK_SECONDS

    def _look(self, client: SyncPrefectClient) -> None:
        if self._breaker.open:
            if not self._breaker.worth_a_try():
                return
            if not self._breaker.answers():
                self._breaker.trip("it does not answer")
                return
            self._attached.clear()
        if not self._attached.is_set() or self._registered is not self._runs.host.plans:
            self._registered = self._runs.host.plans  # first, since they may change meanwhile
            self._attach(client)
            self._publisher.ask(client)
            self._attached.set()
            self._breaker.close()
        self._reporter.catch_up(client)
        if self._mended is None or time.monotonic() - self._mended >= MEND_SECONDS:
            self._reporter.mend(client)
            self._publisher.ask(client)
            client.send_worker_heartbeat(deploy.POOL, self._name, 2 * MEND_SECONDS)
            self._mended = time.monotonic()
        self._publisher.publish()
        self._stop_cancelled(client)
        self._take_up(client)

    # --- cancelled

    def _stop_cancelled(self, client: SyncPrefectClient) -> None:
        ports = self._runs.host.ports
        with ports.store.unit(write=False) as unit:
            shown = unit.journal.running_in_prefect()
        by_run: dict[str, list[int]] = {}
        for number, flow_run in shown.items():
            if flow_run != NOT_SHOWN:
                by_run.setdefault(flow_run, []).append(number)
        if not by_run:
            return
        cancelled = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                id=FlowRunFilterId(any_=[UUID(run) for run in by_run]),
                state=FlowRunFilterState(
                    type=FlowRunFilterStateType(any_=[StateType.CANCELLING, StateType.CANCELLED])
                ),
            )
        )
        ids = [number for run in cancelled for number in by_run[str(run.id)]]
        if ids:
            with ports.store.unit() as unit:
                count = unit.journal.ask_to_stop(ids, CANCELLED, ports.clock.now())
                unit.commit()
            log.info("cancelled in Prefect: %d", count)

    # --- started

    def _take_up(self, client: SyncPrefectClient) -> None:
        """Ask for runs that wait in the work pool, as a worker does: so the pool counts as served."""
        processes = {deployment: process for process, deployment in self._runs.deployments.items()}
        now = datetime.now(UTC)  # noqa: TID251  # Prefect's clock
        for waiting in client.get_scheduled_flow_runs_for_work_pool(deploy.POOL, scheduled_before=now):
            process = processes.get(waiting.flow_run.deployment_id)  # type: ignore[arg-type]  # None is no key
            plan = self._runs.host.plans.get(process or "")
            if plan is None:
                continue  # another project's, or retired just now
            answer: OrchestrationResult[Any] = client.set_flow_run_state(waiting.flow_run.id, Pending())
            if answer.status == SetStateStatus.ACCEPT:  # else a worker was faster
                self._by_hand.put((client.read_flow_run(waiting.flow_run.id), plan))

    def _carry_out(self) -> None:
        with connected(self._breaker.url) as client:
            EventsWorker.instance()  # outside of any run: else it takes the first one for the origin of all events
            if self._attached_before_the_end():
                self._warm_up(client)
            while job := self._by_hand.get():
                run, plan = job
                self._is_busy = True
                with self._breaker.guarded():
                    carry_out(self._runs.flow(plan), run)
                self._is_busy = False

    def _attached_before_the_end(self) -> bool:
        while not self._over.is_set():
            if self._attached.wait(LOOK_SECONDS):
                return True
        return False

    def _warm_up(self, client: SyncPrefectClient) -> None:
        """Show that the engine started: the first run in a process, and on a server, takes a second longer than the
        others."""
        with self._breaker.guarded():
            flow = build.engine_start(self._runs.host.plans, self._runs.results)
            name = f"Engine start on {socket.gethostname()}"
            carry_out(flow, client.create_flow_run(flow, name=name, tags=[words.TAG]))
