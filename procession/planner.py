"""The one engine that plans: schedules and events become instances, and what the dead left is taken back.

Of all engines on a store one plans at a time, in an epoch of its own. Every unit of the planner checks the epoch first,
so one that was superseded (it slept, or its machine did) writes nothing more. The others stand by: they work, and one
of them takes over when the planner's engine is dead.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from procession.bursts import as_event
from procession.definitions import Definitions
from procession.dispatch import Told, dispatch
from procession.errors import FINAL, ProcessionError, TemporaryError, foreseen
from procession.ports import Event, Glance, Ports, Unit
from procession.schedules import Schedules
from procession.spelling import count
from procession.takeover import recover
from procession.values import writable

log = logging.getLogger(__name__)

RECOVER_EVERY = timedelta(minutes=1)
LET_IN = 1_000
"""Events of an import that is released, in one unit; a few ticks dispatch them."""


@dataclass(slots=True)
class Planner:
    """`told` hears of events once they are dispatched."""

    ports: Ports
    definitions: Definitions
    batch: int = 500
    told: Told = field(default=lambda _events: None)
    _schedules: Schedules | None = None
    _owed: dict[tuple[str, str], Event] = field(default_factory=dict)
    """Moments of schedules that came and are not in the journal yet."""
    _recovered: datetime | None = None

    def stand_still(self) -> None:
        """The database is held: what falls due meanwhile is not owed."""
        self._schedules = None
        self._owed.clear()

    def forget_schedules(self) -> None:
        """The definitions changed."""
        self._schedules = None

    def plan(self, glance: Glance) -> int:
        """Do what is there to plan; returns how many things that were, 0 on an engine that stands by.

        Raises:
            TemporaryError: another engine became the planner, or the store does not answer just now.
            ConfigurationError: the store cannot be reached; nothing is lost.
        """
        if glance.held:
            self.stand_still()
            return 0
        now = self.ports.clock.now()
        done = len(self.ports.engine.bury_the_dead()) + self._look_after_mails(now)
        epoch = self._epoch(glance)
        if epoch is None:
            return done
        done += self._take_back(epoch, glance, now)
        done += self._look_back(epoch, glance, now)
        done += self._fire_schedules(epoch, now) + self._end_bursts(epoch, glance, now)
        done += self._dispatch(epoch, glance)
        return done + self._wake(epoch, glance, now)

    def _epoch(self, glance: Glance) -> int | None:
        """The epoch in which this engine plans; None if it does not."""
        engine = self.ports.engine.id
        if self.definitions.unusable:
            self._leave_it_to_others(glance, engine)
            return None
        if glance.planner:
            return glance.epoch if glance.planner == engine else None
        with self.ports.store.unit() as unit:
            epoch = unit.journal.lead(engine)
            publication = unit.journal.glance(self.ports.clock.now()).publication
            unit.commit()
        if epoch is not None:
            log.info("engine %d plans, in epoch %d", engine, epoch)
        return epoch if publication == glance.publication else None  # what is current is to be read first

    def _leave_it_to_others(self, glance: Glance, engine: int) -> None:
        """It does not know what an event starts of a version that it cannot run."""
        if glance.planner == engine:
            with self.ports.store.unit() as unit:
                unit.journal.step_down(engine)
                unit.commit()
            log.info("engine %d plans no more", engine)

    @contextmanager
    def _unit(self, epoch: int) -> Iterator[Unit]:
        engine = self.ports.engine.id
        with self.ports.store.unit() as unit:
            if not unit.journal.leads(engine, epoch):
                raise TemporaryError("Another engine plans now, or a process changed.")
            yield unit

    def _look_after_mails(self, now: datetime) -> int:
        """Every engine does so now and then: it is the only one that knows what it broke off with."""
        if self._recovered is not None and timedelta(0) <= now - self._recovered <= RECOVER_EVERY:
            return 0
        done = len(recover(self.ports))
        self._recovered = now
        return done

    def _take_back(self, epoch: int, glance: Glance, now: datetime) -> int:
        """What engines that are no more had. Mails are looked at first, so that whoever takes their instance next finds
        them so."""
        if not glance.orphans:
            return 0
        done = len(recover(self.ports))
        with self._unit(epoch) as unit:
            released = unit.journal.release(now)
            unit.commit()
        if released.ready:
            log.info("took back %s", count(len(released.ready), "instance"))
        if released.held:
            log.error(
                "engines died with what ran alone, which is held: %s", count(len(released.held), "instance")
            )
        return done + len(released.ready) + len(released.held)

    def _fire_schedules(self, epoch: int, now: datetime) -> int:
        if self._schedules is None:
            plans, since = self.definitions.plans.values(), self.definitions.scheduled_since
            self._schedules = Schedules(plans, now, since)
        if self._schedules.next_at and self._schedules.next_at <= now:
            self._owed |= {(event.process, event.trigger): event for event in self._schedules.due(now)}
        if not self._owed:
            return 0
        with self._unit(epoch) as unit:
            new = unit.journal.append(list(self._owed.values()))
            unit.commit()
        self._owed.clear()
        return sum(event is not None for event in new)

    def _end_bursts(self, epoch: int, glance: Glance, now: datetime) -> int:
        """What nothing followed, as far as it was dispatched, is an event now. It is dispatched in the next tick, after those that are there already."""
        if not glance.bursts:
            return 0
        with self._unit(epoch) as unit:
            unseen = unit.journal.oldest_pending()
            due = unit.journal.due_bursts(now, self.batch)
            over = [burst for burst in due if unseen is None or burst.due < unseen]
            unit.journal.append([event for burst in over if (event := as_event(burst))])
            unit.journal.drop_bursts([burst.key for burst in over])
            unit.commit()
        return len(over)

    def _dispatch(self, epoch: int, glance: Glance) -> int:
        """Before waits that fall due: what they were computed from may have been changed in time."""
        done = self._let_in(epoch) if glance.released else 0
        if not glance.pending and not done:
            return 0
        return done + dispatch(
            self.ports,
            self.definitions.plans,
            self.batch,
            self.told,
            lambda: self._unit(epoch),
            live=glance.live,
        )

    def _let_in(self, epoch: int) -> int:
        with self._unit(epoch) as unit:
            events = unit.journal.let_in(LET_IN)
            unit.commit()
        return events

    def _look_back(self, epoch: int, glance: Glance, now: datetime) -> int:
        """What was dispatched between the moment at which a wait's records were read and that at which it was kept, nobody has
        told it of. One that cannot be looked back from is an incident, and not in the way of the others."""
        limit = self.batch
        while glance.new:
            try:
                with foreseen("the looking back from waits"), self._unit(epoch) as unit:
                    looked_at = unit.journal.look_back(now, limit)
                    unit.commit()
                    return looked_at
            except FINAL as error:
                if limit == 1:
                    return self._give_up_looking_back(epoch, error)
                limit = (limit + 1) // 2
        return 0

    def _give_up_looking_back(self, epoch: int, error: ProcessionError) -> int:
        log.error("what a wait waits for cannot be looked for: %s", error)
        told = {
            "message": writable(error.message),
            "class": "permanent",
            "hint": error.hint,
            "place": "",
            "step": "",
        }
        with self._unit(epoch) as unit:
            unit.journal.give_up_looking_back(told)
            unit.commit()
        return 1

    def _wake(self, epoch: int, glance: Glance, now: datetime) -> int:
        """Who waits for events until a moment gets first what happened by then."""
        if not glance.due:
            return 0
        with self._unit(epoch) as unit:
            woken = unit.journal.wake_due(now, self.batch, unseen=unit.journal.oldest_pending())
            unit.commit()
        return woken
