"""One engine of possibly many on the same store: it looks, plans if it is the planner, works, and sends mail.

plan   schedules and events → instances (`procession.planner`)
work   ready instances → claimed → executed: by the caller of `tick`, or by workers that it hands them to
mail   what no step looks after (`procession.unattended`), in the same way

With workers a tick takes milliseconds, whatever they do. It claims what they have room for, and no more: what waits in the
journal another engine can take, and what is small and new overtakes it.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from procession.definitions import Definitions
from procession.dispatch import Told
from procession.errors import TemporaryError
from procession.plan import Plan
from procession.planner import Planner
from procession.ports import Glance, Instance, Ports
from procession.spelling import count
from procession.unattended import deliver_due
from procession.witness import held

log = logging.getLogger(__name__)

PAUSE = timedelta(seconds=1)
"""Between two claims of an engine that can run nothing of what is ready."""

BUSY_PAUSE = timedelta(seconds=0.1)
"""Between two claims of one whose workers have no room for what is ready."""
WAITS_FOR_PEACE = timedelta(seconds=10)
"""How long what is to run alone waits for workers that are never all idle."""

Execute = Callable[[Plan, Sequence[Instance]], object]
"""Advances claimed instances of one plan, or sees to it that they are; then it gives back what it cannot advance."""


@dataclass(frozen=True, slots=True)
class Room:
    """What may be claimed at once: so many instances, none of these versions. `alone` if nothing is at work; not `bulk`: only
    what waits for nothing else."""

    limit: int
    not_of: frozenset[str] = frozenset()
    alone: bool = True
    bulk: bool = True

    @property
    def is_open(self) -> bool:
        """There is room for whatever is ready."""
        return self.bulk and not self.not_of


@dataclass(slots=True)
class Engine:
    """`batch` is how many events or instances it takes at once. `rooms` are asked before each claim: the next one counts
    if the one before gave nothing; none if nothing may be claimed. `send` is called when mails of no step are due, and
    answers how many it sent."""

    ports: Ports
    definitions: Definitions
    execute: Execute
    batch: int = 500
    told: Told = field(default=lambda _events: None)
    rooms: Callable[[], Sequence[Room]] | None = None
    send: Callable[[Ports], int] = deliver_due
    planner: Planner = field(init=False)
    _in_vain: tuple[datetime, Sequence[Room]] | None = None
    """When it claimed last, if that gave nothing that it can run; and what room there was."""
    _suspect_since: datetime | None = None
    _is_held: bool = False

    def __post_init__(self) -> None:
        self.planner = Planner(self.ports, self.definitions, self.batch, self.told)

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
        self.ports.engine.check()
        self.ports.engine.give_back()
        self.ports.engine.join()
        glance = self._glance()
        if glance.held or self._is_held:
            self._hold(glance)
        if glance.incarnation and glance.incarnation != self.ports.store.identity.incarnation:
            self.ports.store.look_again()
        if glance.held:
            return 0
        if glance.publication != self.definitions.publication:
            self.definitions.refresh(glance.publication)
            self.planner.forget_schedules()
        planned = self.planner.plan(glance)
        worked = self._work(replace(glance, ready=glance.ready or planned > 0))
        sent = self.send(self.ports) if glance.mail else 0
        return planned + worked + sent

    def _hold(self, glance: Glance) -> None:
        """A person must say what is to become of a database that was put back: it is said once, and once that it is."""
        if glance.held and not self._is_held:
            with self.ports.store.unit(write=False) as unit:
                error = held(unit.journal.standing().held)
            log.error("%s. %s", error.message, error.hint)
        elif self._is_held and not glance.held:
            log.info("the database is held no more: what is there to do is done")
        self._is_held = glance.held
        self.planner.stand_still()

    def _glance(self) -> Glance:
        with self.ports.store.unit(write=False) as unit:
            return unit.journal.glance(self.ports.clock.now())

    def _work(self, glance: Glance) -> int:
        """What engines died with comes last, alone."""
        done, rooms = 0, self.rooms() if self.rooms else (Room(self.batch),)
        if glance.ready and rooms and not self._pauses(rooms) and not self._makes_way(glance):
            done += self._run(self._claimed(rooms))
        if glance.suspect and (not self.rooms or any(room.alone for room in self.rooms())):
            done += self._run(claim(self.ports, 1, alone=True, not_of=self.definitions.unrunnable))
        return done

    def _makes_way(self, glance: Glance) -> bool:
        """What is to run alone has waited long enough for the workers to have nothing else."""
        now = self.ports.clock.now()
        self._suspect_since = (self._suspect_since or now) if glance.suspect else None
        return self._suspect_since is not None and now - self._suspect_since > WAITS_FOR_PEACE

    def _claimed(self, rooms: Sequence[Room]) -> Sequence[Instance]:
        unrunnable = self.definitions.unrunnable
        self._in_vain = None
        for room in rooms:
            if found := claim(self.ports, room.limit, not_of=unrunnable | room.not_of, bulk=room.bulk):
                return found
        if unrunnable or not all(
            room.is_open for room in rooms
        ):  # all that is ready waits for another engine, or for room
            self._in_vain = self.ports.clock.now(), rooms
        return ()

    def _pauses(self, rooms: Sequence[Room]) -> bool:
        if self._in_vain is None or self._in_vain[1] != rooms:
            return False
        pause = PAUSE if all(room.is_open for room in rooms) else BUSY_PAUSE
        since = self.ports.clock.now() - self._in_vain[0]
        return timedelta(0) <= since < pause  # less than 0: the clock was set back

    def _run(self, instances: Sequence[Instance]) -> int:
        with self.ports.engine.holding(instances):
            groups = by_version(instances, self.definitions, self.ports)
        for number, (plan, group) in enumerate(groups):
            with self.ports.engine.holding([one for _, left in groups[number:] for one in left]):
                self.execute(plan, group)
        return sum(len(group) for _, group in groups)


def claim(
    ports: Ports, limit: int, ids: Sequence[int] = (), *,
    alone: bool = False, not_of: Collection[str] = (), bulk: bool = True,
) -> list[Instance]:  # fmt: skip
    """Claim ready instances whose time has come; those in `ids` if given. Who runs whatever it finds leaves out what it
    knows it cannot run (`Definitions.unrunnable`), and asks `by_version` about the others."""
    engine = ports.engine.id
    with ports.store.unit() as unit:
        instances = unit.journal.claim(
            engine, ports.clock.now(), limit, ids, alone=alone, not_of=not_of, bulk=bulk
        )
        with ports.engine.holding(
            instances
        ):  # or nobody would know that they are ours, if this is not answered
            unit.commit()
    return instances


def by_version(
    instances: Sequence[Instance], definitions: Definitions, ports: Ports
) -> list[tuple[Plan, list[Instance]]]:
    """Claimed instances, by the version that each began with. Those whose version cannot be run here (an older program,
    a function that is missing) are given back: another engine may."""
    groups: dict[tuple[str, str], list[Instance]] = defaultdict(list)
    for instance in instances:
        groups[instance.process, instance.digest].append(instance)
    found = []
    for (process, digest), group in groups.items():
        if plan := definitions.version(process, digest):
            found.append((plan, group))
        else:
            definitions.unrunnable |= {digest}
            _pass_over(process, digest, group, ports)
    return found


def _pass_over(process: str, digest: str, group: Sequence[Instance], ports: Ports) -> None:
    with ports.store.unit() as unit:
        unit.journal.give_back({instance.id: instance.fencing_token for instance in group})
        unit.commit()
    log.error(
        "%s of %s must wait for an engine that can run version %s",
        count(len(group), "instance"),
        process,
        digest[:12],
    )
