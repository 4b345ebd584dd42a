"""Carries out what the engine claims in a few threads, so that planning never waits for doing.

    a batch     more than a few instances, or bulk ones; a process has one at a time, and one worker is kept free of batches.
                What is ready of it meanwhile gathers for the next one, unless that takes long, or is bulk while this is not
    a process   has all workers but one at most, so that it cannot keep the others from beginning
    alone       what engines died with (`procession.engine`) runs while nothing else does
    mails       that no step looks after go in a thread of their own

What there is room for is said before the engine claims; what it has claimed all the same, since it does not know of what
process it will be, waits here and begins first, the small before the big.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

from flows.starting import Host, Stopping
from procession.engine import Execute, Room
from procession.errors import ProcessionError, TemporaryError, Unforeseen, foreseen
from procession.plan import Plan
from procession.ports import BreaksOff, Instance, Ports
from procession.unattended import deliver_due

log = logging.getLogger(__name__)

FEW = 10
"""So many instances are no batch."""
SLOW_SECONDS = 2.0
"""A batch that lasts longer has few of its process beside it."""
PAUSE_SECONDS = 2.0
"""After work that failed: the store does not answer, or worse."""
MAIL_SECONDS = 3.0
"""How long mails that flow go on when the engine is to stop; then those that no server has are broken off."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """Claimed instances of one plan."""

    plan: Plan
    instances: Sequence[Instance]
    claimed: float

    @property
    def is_batch(self) -> bool:
        return len(self.instances) > FEW or self.is_bulk

    @property
    def is_bulk(self) -> bool:
        return any(instance.bulk for instance in self.instances)

    @property
    def alone(self) -> bool:
        return any(instance.deaths > 1 for instance in self.instances)


class Pool:
    """Implements `procession.engine.Execute`. Its threads live while the `with` block runs; after that nothing that it was
    handed is at work, and what had not begun is given back.

    Args:
        size: how many workers there are.
        batch: how many instances they take at once.
        awake: called when there is room again.
    """

    def __init__(
        self, host: Host, carry_out: Execute, size: int, batch: int, awake: Callable[[], None] = lambda: None
    ) -> None:  # fmt: skip
        self._host, self._carry_out = host, carry_out
        self._size, self._batch, self._awake = size, batch, awake
        self._share = max(1, size - 1)
        self._changed = threading.Condition()
        self._waiting: list[Job] = []
        self._begun: list[Job] = []
        """Handed to a thread, or about to be taken by one."""
        self._handed: list[Job] = []
        self._paused_until = 0.0
        self._mails_are_due = threading.Event()
        self._is_over = False
        self._threads = [
            threading.Thread(target=self._work, name=f"worker {n + 1}", daemon=True) for n in range(size)
        ]
        self._threads.append(threading.Thread(target=self._send, name="mails of no step", daemon=True))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The steps under way are finished; mails that no server has after a while are broken off, and put back."""
        with self._changed:
            self._is_over = True
            left, self._waiting, self._handed = [*self._waiting, *self._handed], [], []
            self._changed.notify_all()
        self._mails_are_due.set()
        for job in left:
            self._give_back(job)
        until = time.monotonic() + MAIL_SECONDS
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0))
        mail_out = self._host.ports.mail_out
        if isinstance(mail_out, BreaksOff) and any(thread.is_alive() for thread in self._threads):
            mail_out.break_off()
        for thread in self._threads:
            thread.join()

    # --- what the engine asks

    def __call__(self, plan: Plan, instances: Sequence[Instance]) -> None:
        job = Job(plan, instances, time.monotonic())
        with self._changed:
            if not self._is_over:
                self._waiting.append(job)
                self._hand_out()
                return
        self._give_back(job)

    def rooms(self) -> Sequence[Room]:
        """See `procession.engine.Engine`: first for a batch, then for few of a process that has one already."""
        with self._changed:
            free, idle = self._size - len(self._begun), not self._begun and not self._waiting
            if free <= 0 or self._is_over or time.monotonic() < self._paused_until or self._is_alone():
                return ()
            count = Counter(job.plan.process for job in self._begun)
            full = {job.plan.digest for job in self._begun if count[job.plan.process] >= self._share}
            closed = frozenset({*full, *(job.plan.digest for job in self._waiting)})
            batches = {job.plan.digest: job for job in self._begun if job.is_batch}
        slow = time.monotonic() - SLOW_SECONDS
        gather = frozenset(
            digest for digest, job in batches.items() if job.claimed > slow and not job.is_bulk
        )
        few = Room(min(FEW, self._batch), closed | gather, idle, bulk=False)
        if len(batches) >= self._share:
            return (few,)
        many = Room(self._batch, closed | frozenset(batches), idle)
        return (many,) if few.not_of == many.not_of else (many, few)

    def send(self, _ports: Ports) -> int:
        """Have the mails sent that no step looks after."""
        self._mails_are_due.set()
        return 0

    # --- handing out, with the lock held

    def _hand_out(self) -> None:
        for job in sorted(self._waiting, key=lambda job: job.is_batch):
            if self._may_begin(job):
                self._waiting.remove(job)
                self._begun.append(job)
                self._handed.append(job)
                self._changed.notify()

    def _may_begin(self, job: Job) -> bool:
        if len(self._begun) >= self._size or self._is_alone() or (job.alone and self._begun):
            return False
        same = [other for other in self._begun if other.plan.process == job.plan.process]
        batches = sum(other.is_batch for other in self._begun)
        is_one_too_many = job.is_batch and (batches >= self._share or any(other.is_batch for other in same))
        return len(same) < self._share and not is_one_too_many

    def _is_alone(self) -> bool:
        return any(job.alone for job in self._begun)

    # --- the threads

    def _work(self) -> None:
        while job := self._next():
            self._guarded(partial(self._carried_out, job))
            with self._changed:
                self._begun.remove(job)
                self._hand_out()
            self._awake()

    def _next(self) -> Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._handed or self._is_over)
            return self._handed.pop(0) if self._handed else None

    def _carried_out(self, job: Job) -> None:
        with self._host.ports.engine.holding(job.instances):
            self._carry_out(job.plan, job.instances)

    def _send(self) -> None:
        while self._mails_are_due.wait() and not self._is_over:
            self._mails_are_due.clear()
            self._guarded(lambda: deliver_due(self._host.ports))
            self._awake()

    def _guarded(self, work: Callable[[], object]) -> None:
        """As the loop does it with what goes wrong in a tick (`flows.engine`)."""
        try:
            with foreseen("the work of an engine"):
                work()
        except Stopping:
            pass
        except TemporaryError as error:
            log.warning("put off: %s", error)
        except ProcessionError as error:
            traced = isinstance(error, Unforeseen)
            log.error("%s; trying again in %.0f seconds", error.message, PAUSE_SECONDS, exc_info=traced)  # noqa: TRY400  # a sentence, mostly
            with self._changed:
                self._paused_until = time.monotonic() + PAUSE_SECONDS

    def _give_back(self, job: Job) -> None:
        with suppress(Stopping), self._host.ports.engine.holding(job.instances):
            raise Stopping("It had not begun when the engine was to stop.")
