"""One engine of possibly many on the same store: it looks, plans if it is the planner, works, and sends mail.

plan   schedules and events → instances (`procession.planner`)
work   ready instances → claimed → executed: plainly (`procession.advance`), or as Prefect flow runs
mail   what no step looks after (`procession.unattended`)
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

Execute = Callable[[Plan, Sequence[Instance]], object]
"""Advances claimed instances of one plan."""


@dataclass(slots=True)
class Engine:
    """`batch` is how many events or instances it takes at once."""

    ports: Ports
    definitions: Definitions
    execute: Execute
    batch: int = 500
    told: Told = field(default=lambda _events: None)
    planner: Planner = field(init=False)
    _in_vain: datetime | None = None
    """When it claimed last, if that gave nothing that it can run."""
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
        sent = deliver_due(self.ports) if glance.mail else 0
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
        done, unrunnable = 0, self.definitions.unrunnable
        if glance.ready and not self._pauses():
            instances = claim(self.ports, self.batch, not_of=unrunnable)
            in_vain = bool(unrunnable) and not instances  # all that is ready waits for another engine
            self._in_vain = self.ports.clock.now() if in_vain else None
            done += self._run(instances)
        if glance.suspect:
            done += self._run(claim(self.ports, 1, alone=True, not_of=self.definitions.unrunnable))
        return done

    def _pauses(self) -> bool:
        if self._in_vain is None:
            return False
        return (
            timedelta(0) <= self.ports.clock.now() - self._in_vain < PAUSE
        )  # less than 0: the clock was set back

    def _run(self, instances: Sequence[Instance]) -> int:
        done = 0
        with self.ports.engine.holding(instances):
            for plan, group in by_version(instances, self.definitions, self.ports):
                self.execute(plan, group)
                done += len(group)
        return done


def claim(
    ports: Ports, limit: int, ids: Sequence[int] = (), *, alone: bool = False, not_of: Collection[str] = ()
) -> list[Instance]:  # fmt: skip
    """Claim ready instances whose time has come; those in `ids` if given. Who runs whatever it finds leaves out what it
    knows it cannot run (`Definitions.unrunnable`), and asks `by_version` about the others."""
    engine = ports.engine.id
    with ports.store.unit() as unit:
        instances = unit.journal.claim(engine, ports.clock.now(), limit, ids, alone=alone, not_of=not_of)
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
