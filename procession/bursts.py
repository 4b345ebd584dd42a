"""Many saves of one record, one start: a trigger with `debounce` waits until a while has passed without another.

What happened is gathered when its events are dispatched. Once the burst is over it is one event, for that trigger alone, and goes the way of all
events: `if` and inputs are worked out then, on the record as it is then. Only starts wait; what waits for these events gets each at once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from procession.plan import Trigger
from procession.ports import Burst, BurstKey, Event, EventType


def gathered(found: Mapping[BurstKey, Burst], news: Iterable[tuple[str, Trigger, Event]]) -> list[Burst]:
    """The bursts after these events, each (process, trigger, event), in their order. A record that was added and deleted
    within one is as if it had never been: nothing starts by it."""
    bursts = dict(found)
    for process, trigger, event in news:
        if event.ref is None or trigger.debounce is None:
            continue
        key = (process, trigger.id, event.ref)
        before = bursts.get(key) or Burst(
            *key, event.id, event.at, event.at, was_added=event.type == "added", bulk=event.bulk
        )
        bursts[key] = replace(
            before, event=event.id, at=event.at, due=event.at + trigger.debounce, is_deleted=event.type == "deleted",
            changed=tuple(dict.fromkeys((*before.changed, *event.changed))), payload=event.payload,
            bulk=before.bulk and event.bulk,
        )  # fmt: skip
    return list(bursts.values())


def as_event(burst: Burst) -> Event | None:
    """What all of it comes to; None if that is nothing."""
    if burst.was_added and burst.is_deleted:
        return None
    type_: EventType = "deleted" if burst.is_deleted else "added" if burst.was_added else "modified"
    return Event(
        0, burst.at, type_, burst.ref, burst.changed if type_ == "modified" else (), burst.process, burst.trigger,
        payload=burst.payload, bulk=burst.bulk, dedupe_key=f"burst:{burst.process}:{burst.trigger}:{burst.event}",
    )  # fmt: skip
