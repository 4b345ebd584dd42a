"""What tests of the store's contract have in common: engines, starts, and one call in a unit of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from crm.store import CrmStore
from procession.effects import Recipient, SendMail
from procession.ports import (
    Actor,
    Checkpoint,
    End,
    EngineProcess,
    Envelope,
    Event,
    Instance,
    Journal,
    MailState,
    Outbox,
    QueuedMail,
    Released,
    Start,
    Store,
    Wait,
)

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
ANNA = Actor("user", "anna")
EVENT = Event(
    0, NOW, "manual", process="notify", origin="user:anna", payload={"meeting": {"$ref": "activity:1"}}
)
START = Start(
    "notify", "d1", "Notify: Talk", "17", "single", {"meeting": {"$ref": "activity:17"}}, {"id": "saved"}
)


def do(store: Store, call: str, *args: Any, **named: Any) -> Any:
    """One call on the journal in a unit of its own."""
    with store.unit() as unit:
        journal: Journal = unit.journal
        answer = getattr(journal, call)(*args, **named)
        unit.commit()
    return answer


def of_outbox(store: Store, call: str, *args: Any, **named: Any) -> Any:
    """One call on the outbox in a unit of its own."""
    with store.unit() as unit:
        outbox: Outbox = unit.outbox
        answer = getattr(outbox, call)(*args, **named)
        unit.commit()
    return answer


def wait_until_somebody_waits(store: CrmStore) -> None:
    """Until a statement waits for a lock."""
    waiting = text("SELECT count(*), pg_sleep(0.005) FROM pg_locks WHERE NOT granted")
    with store._engine.connect() as connection:
        for _ in range(1000):
            if connection.execute(waiting).scalar():
                return
    raise AssertionError("nobody waits")


@dataclass
class SetClock:
    """Shows the time it was last set to."""

    time: datetime = NOW

    def now(self) -> datetime:
        return self.time

    def forward(self, by: timedelta) -> datetime:
        self.time += by
        return self.time


# --- engines


def new_engine(store: Store, host: str = "here") -> int:
    number: int = do(store, "register", EngineProcess(host))
    return number


def bury(store: Store, *engines: int) -> set[int]:
    """The others find out that these are dead."""
    with store.unit() as unit:
        beats = {row.id: row.beat for row in unit.journal.engines() if row.id in engines}
        buried = unit.journal.bury(beats)
        unit.commit()
    return buried


def release(store: Store, now: datetime = LATER) -> Released:
    released: Released = do(store, "release", now)
    return released


def die(store: Store, engine: int) -> Released:
    """It dies, the others find out, and take back what it had."""
    bury(store, engine)
    return release(store)


# --- instances


def start(store: Store, *starts: Start, now: datetime = NOW) -> list[int | None]:
    numbers: list[int | None] = do(store, "start", starts, now)
    return numbers


def started(store: Store, wish: Start = START) -> int:
    (number,) = start(store, wish)
    assert number is not None
    return number


def claim(store: Store, engine: int, *ids: int, now: datetime = NOW, **named: Any) -> list[Instance]:
    found: list[Instance] = do(store, "claim", engine, now, 100, ids, **named)
    return found


def running(store: Store, wish: Start = START, engine: int = 0) -> Instance:
    (claimed,) = claim(store, engine or new_engine(store), started(store, wish))
    return claimed


def instance(store: Store, number: int) -> Instance:
    with store.unit(write=False) as unit:
        (found,) = unit.journal.instances(ids=[number])
    return found


def states(store: Store) -> dict[int, str]:
    with store.unit(write=False) as unit:
        return {one.id: one.state for one in unit.journal.instances()}


def tokens(*instances: Instance) -> dict[int, int]:
    return {one.id: one.fencing_token for one in instances}


def fence(store: Store, *instances: Instance) -> set[int]:
    ours: set[int] = do(store, "fence", tokens(*instances))
    return ours


def wait_of(number: int, due: datetime | None = LATER, scope: int = 1, **named: Any) -> Wait:
    """To try the step `invite` again, unless it is another kind."""
    return Wait(
        number, scope, **{"path": "invite", "round": "", "kind": "retry", "since": NOW, "due": due, **named}
    )


def end(
    store: Store, claimed: Instance, state: Any, *waits: Wait, now: datetime = NOW, **named: Any
) -> set[int]:
    """The last unit of a segment; returns what the fence let through. One that is to be `waiting` waits for another try
    at `LATER`, if nothing else is said."""
    with store.unit() as unit:
        ours = unit.journal.fence(tokens(claimed))
        if ours and state == "waiting":
            unit.journal.save_waits(waits or [wait_of(claimed.id)])
        unit.journal.end([End(claimed.id, state, **named)], now)
        unit.commit()
    return ours


def save(store: Store, claimed: Instance, position: dict[str, Any], **kept: Any) -> None:
    """It got a step further."""
    with store.unit() as unit:
        assert unit.journal.fence(tokens(claimed))
        unit.journal.save_positions([Checkpoint(claimed.id, position, kept)])
        unit.commit()


# --- mails


def mail_of_step(number: int, message_id: str = "", **named: Any) -> QueuedMail:
    """The mail of the step `invite` of an instance."""
    recipients = (Recipient("ann@acme.example"),)
    mail = SendMail(
        message_id or f"<{number}@us.example>", Recipient("us@us.example"), recipients, "Hi", "text"
    )
    return QueuedMail(mail, b"mime", ANNA, instance=number, path="invite", **named)


def queue(store: Store, *mails: QueuedMail, **named: Any) -> list[Envelope]:
    envelopes: list[Envelope] = of_outbox(store, "queue", mails, NOW, **named)
    return envelopes


def mail_state(store: Store, number: int) -> MailState:
    found: Sequence[Envelope] = of_outbox(store, "envelopes", [number])
    return found[0].state
