"""Carries out claimed instances; the executor of the engine.

It notes what it does, and Prefect shows that beside it or afterwards (`flows.telling`): Prefect is asked nothing before a
step is taken, so it holds up no process.
"""

from collections.abc import Sequence

from flows.segments import Segment, noting
from flows.starting import Host
from flows.telling import Teller
from procession.advance import advance
from procession.errors import ProcessionError
from procession.plan import Plan
from procession.ports import Instance

SEGMENT_OF_ITS_OWN = 2
"""So many instances that are ready at the same time are carried out and shown each by itself; more of them together,
which costs hardly more than one does."""


class Worker:
    """Implements `procession.engine.Execute`."""

    def __init__(self, host: Host, teller: Teller) -> None:
        self._host, self._teller = host, teller

    def __call__(self, plan: Plan, instances: Sequence[Instance]) -> None:
        """Advance claimed instances of one plan.

        Raises:
            ConfigurationError: the store cannot be reached.
            Stopping: the engine is to stop; the instances are given back (`ThisEngine.holding`).
        """
        if len(instances) <= SEGMENT_OF_ITS_OWN:
            for instance in instances:
                self._carry_out(plan, [instance])
        else:
            self._carry_out(plan, instances)

    def _carry_out(self, plan: Plan, instances: Sequence[Instance]) -> None:
        ports = self._host.ports
        segment = Segment(plan, instances, ports.clock.now())
        self._teller.begun(segment)
        try:
            segment.ends = advance(plan, instances, ports, noting(segment, ports.clock, self._host.stopping))
        except ProcessionError as error:
            segment.broken_off = error.message
            raise
        finally:
            self._teller.over(segment)
