"""Mails that no step looks after (by hand, held back, of `notify`): they go out when their time comes.

The outbox itself tries them again, ever more rarely (`procession.deliver`).
"""

from collections.abc import Sequence

from procession.deliver import Settled, deliver
from procession.ports import Ports, Unit


def deliver_due(ports: Ports, limit: int = 100) -> int:
    """Send the mails that no step looks after and whose time has come; returns how many were settled."""
    with ports.store.unit(write=False) as unit:
        due = unit.outbox.due(ports.clock.now(), limit)
    steps = NoSteps()
    if due:
        deliver(due, ports, steps)
    return len(steps.settled)


class NoSteps:
    """Mails that no step looks after; those in `settled`, by their numbers, have an outcome."""

    def __init__(self) -> None:
        self.settled: set[int] = set()

    def close(self, unit: Unit, settled: Sequence[Settled]) -> None:
        del unit
        self.settled |= {one.envelope.id for one in settled}

    def stop(self, unit: Unit, settled: Sequence[Settled]) -> None:
        self.close(unit, settled)
