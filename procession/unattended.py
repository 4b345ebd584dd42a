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
    return steps.count


class NoSteps:
    """Mails that no step looks after; `count` of them are settled."""

    count = 0

    def close(self, unit: Unit, settled: Sequence[Settled]) -> None:
        del unit
        self.count += len(settled)

    def stop(self, unit: Unit, settled: Sequence[Settled]) -> None:
        self.close(unit, settled)
