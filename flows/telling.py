"""Shows in Prefect what the workers do, beside them: nobody waits for it.

A segment that is over is told at once, with the times at which it really began and ended; one that lasts is shown while
it goes on, so that people see it and can cancel it. At most once a second, since a flow run costs Prefect about 60 ms of
computing: what ended meanwhile is told together.

Nothing that Prefect does holds up a process. What could not be told waits here, up to a limit; what is over and was not
told when the engine ends is told from the journal (`flows.reporting`).
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.states import Running

from flows import tables, task_runs, words
from flows.breaker import Breaker
from flows.client import connected
from flows.runs import Runs
from flows.segments import Picture, Segment, pictured

log = logging.getLogger(__name__)

PACE_SECONDS = 1.0
"""Between the beginnings of two tellings."""
LASTS = timedelta(seconds=1)
"""A segment that goes on for so long is shown meanwhile."""
LOOK_SECONDS = 0.25
RUN_OF_ITS_OWN = 4
"""Up to so many segments of a process that are told at the same time get a flow run each; more share one."""
AT_ONCE = 20
"""Flow runs in one telling."""
KEPT = 2000
"""Segments that wait to be told. The oldest of more are left to the journal."""
STOP_SECONDS = 2.0

REFUSED = (
    httpx.codes.BAD_REQUEST,
    httpx.codes.CONFLICT,
    httpx.codes.REQUEST_ENTITY_TOO_LARGE,
    httpx.codes.UNPROCESSABLE_ENTITY,
)
"""Prefect will not take it the next time either."""


class Teller:
    """Its thread lives while the `with` block runs; the rest is safe to use from several threads."""

    def __init__(self, runs: Runs, breaker: Breaker, patience_seconds: float) -> None:
        self._runs, self._breaker, self._patience = runs, breaker, patience_seconds
        self._changed = threading.Condition()
        self._segments: list[Segment] = []
        """Not shown yet."""
        self._pictures: list[Picture] = []
        """Shown, or about to be, and not told to their end."""
        self._next = 0.0
        self._stop = False
        self._thread = threading.Thread(target=self._work, name="teller", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Tell what is over, if Prefect is quick enough."""
        with self._changed:
            self._stop = True
            self._changed.notify()
        self._thread.join(STOP_SECONDS)

    def begun(self, segment: Segment) -> None:
        with self._changed:
            if len(self._segments) >= KEPT:
                newer = self._segments[KEPT // 2 :]
                self._segments = [s for s in self._segments[: KEPT // 2] if not s.ended] + newer
            self._segments.append(segment)
            if len(self._segments) == 1:
                self._changed.notify()

    def over(self, segment: Segment) -> None:
        """It has ended."""
        with self._changed:
            segment.ended = self._runs.host.ports.clock.now()
            self._changed.notify()

    @property
    def in_hand(self) -> set[int]:
        """Instances that are shown from here."""
        with self._changed:
            segments = [*self._segments, *(s for picture in self._pictures for s in picture.segments)]
            return {instance.id for segment in segments for instance in segment.instances}

    @property
    def shows_what_goes_on(self) -> bool:
        """Whether somebody can cancel something in Prefect."""
        with self._changed:
            return any(picture.run and not picture.ended for picture in self._pictures)

    # --- the thread

    def _work(self) -> None:
        with connected(self._breaker.url, self._patience) as client:
            while True:
                with self._changed:
                    if not self._stop:
                        self._changed.wait(self._pause())
                    if self._stop:
                        break
                if time.monotonic() >= self._next:
                    self._tell_what_is_due(client)
            until = time.monotonic() + STOP_SECONDS
            while self._tell_what_is_due(client) and time.monotonic() < until:
                pass

    def _pause(self) -> float | None:
        if not self._segments and not self._pictures:
            return None
        if self._breaker.open or not any(segment.ended for segment in self._segments):
            return LOOK_SECONDS
        return max(self._next - time.monotonic(), 0)

    def _tell_what_is_due(self, client: SyncPrefectClient) -> bool:
        """False if there was nothing, or if it could not be told."""
        if self._breaker.open or not (due := self._due()):
            return False
        self._next = time.monotonic() + PACE_SECONDS
        with self._breaker.guarded():
            self._tell(client, due)
            self._breaker.proved()
        return not self._breaker.open

    def _due(self) -> list[Picture]:
        now = self._runs.host.ports.clock.now()
        with self._changed:
            over = [segment for segment in self._segments if segment.ended]
            lasting = [s for s in self._segments if not s.ended and now - s.began >= LASTS]
            gone = {id(segment) for segment in (*over, *lasting)}
            self._segments = [segment for segment in self._segments if id(segment) not in gone]
            self._pictures += [*pictured(over, RUN_OF_ITS_OWN), *(Picture([one]) for one in lasting)]
            due = [p for p in self._pictures if not p.run or p.ended or p.progress > p.told]
        return due[:AT_ONCE]

    def _tell(self, client: SyncPrefectClient, due: Sequence[Picture]) -> None:
        """Raises:
        UNREACHABLE: see `flows.client`; the rest stays to be told.
        """
        for picture in due:
            if not picture.run:
                with self._left_if_refused(picture):
                    running: State[Any] = Running()
                    picture.run = self._runs.create(client, picture.plan, picture.instances, running).id
        self._note([picture for picture in due if picture.told == 0])
        there = {picture.run: picture for picture in due if picture.run}
        progress = {run: picture.progress for run, picture in there.items()}
        task_runs.tell(client, {run: picture.tasks() for run, picture in there.items()})
        for run, picture in there.items():
            picture.told = max(progress[run], 1)
            if picture.ended:
                with self._left_if_refused(picture):
                    self._end(client, run, picture)
                self._forget(picture)

    def _end(self, client: SyncPrefectClient, run: UUID, picture: Picture) -> None:
        instances = picture.instances
        if len(instances) > 1 and picture.ends:
            tables.show(client, run, picture.plan, instances, picture.ends)
        client.set_flow_run_state(run, picture.state(self._runs.host.ports.clock.now()), force=True)

    def _note(self, pictures: Sequence[Picture]) -> None:
        """Keep in the journal which flow run shows an instance."""
        shown = {i.id: str(picture.run) for picture in pictures if picture.run for i in picture.instances}
        if shown:
            with self._runs.host.ports.store.unit() as unit:
                unit.journal.seen_in_prefect(shown)
                unit.commit()

    @contextmanager
    def _left_if_refused(self, picture: Picture) -> Iterator[None]:
        """What Prefect refuses it would refuse the next time too; what somebody deleted there is not shown again."""
        try:
            yield
        except (PrefectHTTPStatusError, ObjectNotFound) as error:
            if isinstance(error, PrefectHTTPStatusError) and error.response.status_code not in REFUSED:
                raise
            log.warning("a flow run is not shown: %s", words.discreet(str(error)))
            self._forget(picture)

    def _forget(self, picture: Picture) -> None:
        with self._changed:
            self._pictures = [other for other in self._pictures if other is not picture]
