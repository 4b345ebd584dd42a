"""Schedule triggers → events, each moment once (their `dedupe_key` is the moment).

Cron expressions are read in the trigger's zone (cronsim follows Debian's cron in daylight saving);
`every` counts from the epoch, so that all engines agree.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from procession.plan import Plan, Trigger
from procession.ports import Event

GRACE = timedelta(minutes=10)
"""A moment that fell due this long before the engine started is still kept; older ones are skipped."""

Since = Callable[[str, Trigger, datetime], datetime]
"""See `procession.definitions.Definitions.scheduled_since`."""


def _always(_process: str, _trigger: Trigger, horizon: datetime) -> datetime:
    return horizon


class Schedules:
    """The schedule triggers of the current definitions, watched from `GRACE` before `start`, each from when it counts
    (`since`). `next_at` is the moment that comes next, if there are any."""

    next_at: datetime | None = None

    def __init__(self, plans: Iterable[Plan], start: datetime, since: Since = _always) -> None:
        self._next: list[tuple[datetime, str, str]] = []
        self._moments: dict[tuple[str, str], Iterator[datetime]] = {}
        for plan in plans:
            for trigger in plan.triggers:
                if trigger.schedule:
                    first = min(since(plan.process, trigger, start - GRACE), start)  # if clocks were set back
                    self._moments[plan.process, trigger.id] = moments(trigger, first - timedelta.resolution)
                    self._push(plan.process, trigger.id)

    def due(self, now: datetime) -> list[Event]:
        """Events for the moments that have come since the last call, at most one for each trigger: the latest."""
        events: dict[tuple[str, str], Event] = {}
        while self._next and self._next[0][0] <= now:
            at, process, trigger = heapq.heappop(self._next)
            events[process, trigger] = moment_of(process, trigger, at)
            self._push(process, trigger)
        return list(events.values())

    def _push(self, process: str, trigger: str) -> None:
        heapq.heappush(self._next, (next(self._moments[process, trigger]), process, trigger))
        self.next_at = self._next[0][0]


def moment_of(process: str, trigger: str, at: datetime) -> Event:
    """The event of one moment; whoever tells of it, its key is the same, so that it starts once."""
    key = f"schedule:{process}:{trigger}:{at.isoformat()}"
    return Event(0, at, "schedule", process=process, trigger=trigger, origin="schedule", dedupe_key=key)


def moments(trigger: Trigger, after: datetime) -> Iterator[datetime]:
    """The moments of a schedule trigger after `after`, in UTC, without end."""
    if trigger.every:
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        at = epoch + trigger.every * ((after - epoch) // trigger.every + 1)
        while True:
            yield at
            at += trigger.every
    for at in CronSim(trigger.cron, after.astimezone(ZoneInfo(trigger.timezone))):
        yield at.astimezone(UTC)
