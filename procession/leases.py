"""Who works on what: names of engines, leases kept alive, and what the dead left behind.

An owner is `host:pid:start`. On the same host a dead one is recognised at once, so that an engine that
was killed and started again goes on without waiting; elsewhere its leases run out.
"""

import logging
import os
import socket
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue

import psutil

from procession.deliver import recover
from procession.errors import ProcessionError, foreseen
from procession.ports import End, Instance, Ports

log = logging.getLogger(__name__)


def owner_name() -> str:
    """This process as an owner of leases."""
    return f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time():.2f}"


@contextmanager
def keep(ports: Ports) -> Iterator[None]:
    """Renew this owner's leases in the background while the block runs."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(ports.lease.total_seconds() / 3):
            try:
                with foreseen("the renewal of leases"):
                    give_back(ports)
                    _renew(ports)
            except ProcessionError as error:
                log.warning("leases were not renewed: %s", error)

    thread = threading.Thread(target=renew, name="leases", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _renew(ports: Ports) -> None:
    with ports.store.unit() as unit:
        unit.journal.renew(ports.owner, ports.clock.now() + ports.lease)
        unit.commit()


def give_back(ports: Ports) -> int:
    """Make ready again what segments that broke off left claimed; returns how many there were.

    Raises:
        ConfigurationError, TemporaryError: the store does not answer; they are kept for the next call.
    """
    instances = _drained(ports.dropped)
    if not instances:
        return 0
    with ports.holding(instances.values()), ports.store.unit() as unit:
        now = ports.clock.now()
        claims = {number: instance.claim for number, instance in instances.items()}
        mine = unit.journal.fence(claims, ports.owner, now + ports.lease)
        unit.journal.end([End(number, "ready") for number in mine], ports.owner, now)
        unit.commit()
    log.info("gave back %d instances", len(mine))
    return len(mine)


def _drained(dropped: SimpleQueue[Instance]) -> dict[int, Instance]:
    """`{number: instance}`, each as it was claimed last."""
    found: dict[int, Instance] = {}
    while True:
        try:
            instance = dropped.get_nowait()
        except Empty:
            return found
        before = found.get(instance.id, instance)
        found[instance.id] = max(before, instance, key=lambda one: one.claim)


def reclaim(ports: Ports) -> int:
    """Take over from the dead: their instances are ready again, the mails they held are looked at
    (`procession.deliver.recover`). Returns the number of instances."""
    with ports.store.unit(write=False) as unit:
        dead = dead_owners(unit.journal.owners() - {ports.owner})
    recover(ports, dead)
    with ports.store.unit() as unit:
        released = unit.journal.release(dead, ports.clock.now())
        unit.commit()
    if released:
        log.info("took over %d instances", released)
    return released


def dead_owners(owners: Collection[str]) -> set[str]:
    """Those of this host whose process is gone, or is another one by now."""
    here = socket.gethostname()
    return {owner for owner in owners if owner.rsplit(":", 2)[0] == here and not _alive(owner)}


def _alive(owner: str) -> bool:
    """One that was killed and that its parent does not ask about stays in the table of processes: it is dead."""
    _, pid, start = owner.rsplit(":", 2)
    try:
        process = psutil.Process(int(pid))
        return f"{process.create_time():.2f}" == start and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, ValueError):
        return False
