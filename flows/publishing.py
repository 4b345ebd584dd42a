"""The CRM's events as Prefect events, for automations that people make: `crm.activity.added` and the like.

They are published only while an automation that is switched on asks for them: Prefect keeps a week of events, and
nobody reads them otherwise. The event log of the store stays the truth: Prefect may lose an event or replay it, and
what an automation starts with the event's number counts once (`flows.starting`).
"""

from collections import deque
from collections.abc import Sequence

from prefect.client.orchestration import SyncPrefectClient
from prefect.events import emit_event

from procession.ports import Event

KEPT = 10_000
"""Events that wait for Prefect; the oldest go first. Automations are no place for what must happen."""


class Publisher:
    """Hears of events in one thread (`__call__`), publishes them in another."""

    def __init__(self) -> None:
        self._wanted = False
        self._waiting: deque[Event] = deque(maxlen=KEPT)

    def __call__(self, events: Sequence[Event]) -> None:
        if self._wanted:
            self._waiting.extend(event for event in events if event.ref is not None)

    def ask(self, client: SyncPrefectClient) -> None:
        """Find out whether an automation wants our events.

        Raises:
            UNREACHABLE: see `flows.client`.
        """
        automations = client.read_automations()
        self._wanted = any(a.enabled and '"crm.' in a.trigger.model_dump_json() for a in automations)

    def publish(self) -> int:
        """Send what waits; returns how many that were. Call it in a thread that is `flows.client.connected`."""
        count = 0
        while self._waiting:
            event = self._waiting.popleft()
            emit_event(_name(event), _resource(event), payload=_payload(event))
            count += 1
        return count


def _name(event: Event) -> str:
    return f"crm.{event.ref.entity}.{event.type}" if event.ref else f"crm.{event.type}"


def _resource(event: Event) -> dict[str, str]:
    return {"prefect.resource.id": f"crm.{event.ref.entity}.{event.ref.id}" if event.ref else "crm"}


def _payload(event: Event) -> dict[str, object]:
    """Numbers and names of fields, no values: an event must not carry an address or a text (decision 0021)."""
    return {
        "event": event.id,
        "record": event.ref.id if event.ref else None,
        "type": event.type,
        "changed": list(event.changed),
    }
