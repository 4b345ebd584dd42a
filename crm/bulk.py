"""What is bulk: events of a unit that writes many, of somebody who saves many one by one, and of imports.

Who saves one meeting waits for its mail; who saves a thousand does not look at each. So what is bulk lets others go first:
its events (`crm.events`), the instances that they start (`crm.claims`), their mails (`crm.outbox`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from procession.ports import Actor, Import

MOST_OF_A_UNIT, MOST_OF_A_MINUTE = 20, 100
MINUTE = timedelta(minutes=1)
MOST_KNOWN = 1_000
"""Actors whose saves are counted; then it is begun anew."""


@dataclass(slots=True)
class Counts:
    """How many events each actor wrote in the present minute in units of few. It is kept in the memory of one process, by its own clock:
    several that save for the same actor have a count each, one that starts anew begins at 0, and so does each minute. What is
    rolled back counts. All of it is about who goes first, and never about what is done."""

    _of: dict[tuple[str, str], tuple[datetime, int]] = field(default_factory=dict)

    def add(self, by: Actor, at: datetime) -> int:
        since, count = self._of.get((by.kind, by.name), (at, 0))
        if not timedelta(0) <= at - since < MINUTE:
            since, count = at, 0
        if len(self._of) >= MOST_KNOWN:
            self._of.clear()
        self._of[by.kind, by.name] = since, count + 1
        return count + 1


@dataclass(slots=True)
class Told:
    """What one unit has told of. `urgent` are the numbers of its events that are not bulk, so that they can be made so when it
    goes on to tell of many."""

    counts: Counts
    events: int = 0
    urgent: list[int] = field(default_factory=list)
    import_id: int = 0

    def is_bulk(self, by: Iterable[Actor], at: datetime) -> bool:
        """Whether what these save now is."""
        actors = list(by)
        self.events += len(actors)
        if self.import_id or self.events > MOST_OF_A_UNIT:
            return True
        return max((self.counts.add(actor, at) for actor in actors), default=0) > MOST_OF_A_MINUTE


def import_of(row: object) -> Import:
    return Import(row.entity, row.saved, row.digest, row.saved, row.id)  # type: ignore[attr-defined]  # a row of the table
