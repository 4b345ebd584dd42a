"""The ports: what the engine asks of the world. `crm` and `procession.transports` implement them.

Terms. A *unit* is one transaction: everything done through it is committed together or not at all.
An *event* is one saved change, written in the transaction of the change. An *instance* is one run of a
process; a *step run* is the journal row of one step in one round. A *lease* says which engine works on
an instance; an engine writes nothing for an instance whose lease it lost (`Journal.fence`).
Moments are aware datetimes in UTC. Everything takes many at a time; one is the case N = 1.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from procession.effects import Attachment, OnUnknown, Recipient, SendMail
from procession.records import Paths, Record, Ref, Schema

EventType = Literal["added", "modified", "deleted", "schedule", "manual"]
InstanceState = Literal["ready", "running", "completed", "stopped", "failed", "cancelled", "incident"]
StepState = Literal["done", "skipped", "sending", "retrying", "failed"]
MailState = Literal["draft", "queued", "sending", "sent", "failed", "unknown", "cancelled"]
Mode = Literal["single", "restart", "parallel"]

LIVE: tuple[InstanceState, ...] = ("ready", "running", "incident")
"""States of an instance that still holds its key."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: a user, a process instance at a step, an import, the sync of an account.

    `name` is for people ("anna", "Notify contact of meeting"); `process` is the id of the process, if any.
    """

    kind: Literal["user", "process", "import", "sync", "engine"]
    name: str
    process: str = ""
    instance: int | None = None
    step: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the event log.

    `changed` names the fields a modification changed. `payload` holds the last values of a deleted
    record and the inputs of a manual start. `dedupe_key` is unique: a second event with it is dropped.
    """

    id: int
    at: datetime
    type: EventType
    ref: Ref | None = None
    changed: tuple[str, ...] = ()
    process: str = ""
    trigger: str = ""
    origin: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)
    dedupe_key: str = ""


@dataclass(frozen=True, slots=True)
class Definition:
    """A version of a process: `digest` over `files` (`{path: text}`, the process and its templates)."""

    process: str
    digest: str
    number: int = 0
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Start:
    """A wish to start an instance. `inputs` are JSON values (`procession.values`)."""

    process: str
    digest: str
    title: str
    key: str
    mode: Mode
    inputs: Mapping[str, Any]
    trigger: Mapping[str, Any]
    event_id: int | None = None
    error: Mapping[str, Any] | None = None
    """The trigger itself failed: the instance is born as an incident."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One run of a process. `error` is `{message, class, place, path, hint}` of an incident or failure."""

    id: int
    process: str
    digest: str
    title: str
    key: str
    state: InstanceState
    inputs: Mapping[str, Any]
    trigger: Mapping[str, Any]
    started_at: datetime
    due: datetime
    ended_at: datetime | None = None
    result: str = ""
    error: Mapping[str, Any] | None = None
    flow_run_id: str = ""
    event_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StepRun:
    """The journal row of one step in one round: unique by (instance, path, round).

    `branch` is the way a flow step took; `output` what later steps read; `attempts` counts tries.
    """

    instance: int
    path: str
    round: str
    kind: str
    state: StepState
    at: datetime
    attempts: int = 1
    branch: str = ""
    output: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class End:
    """What an instance is after a segment: finished, an incident, or `ready` again at `due` (a retry)."""

    instance: int
    state: InstanceState
    result: str = ""
    error: Mapping[str, Any] | None = None
    due: datetime | None = None


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One line of History. `on` is the record it belongs to; `activity` the activity it is about."""

    on: Ref
    at: datetime
    actor: Actor
    kind: str
    text: str
    activity: int | None = None
    id: int = 0
    delivery: MailState | None = None
    """Read side only: the delivery state of the e-mail the row is about."""


@dataclass(frozen=True, slots=True)
class QueuedMail:
    """A mail on its way into the outbox, with the MIME bytes that will be sent, exactly."""

    mail: SendMail
    mime: bytes
    actor: Actor
    state: MailState = "queued"
    instance: int | None = None
    path: str = ""
    round: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A mail to hand over: `id` of its outbox row, envelope sender and recipients (RFC 5321), MIME bytes."""

    id: int
    message_id: str
    sender: str
    recipients: tuple[str, ...]
    mime: bytes
    state: MailState
    activity: int
    attempts: int = 0
    not_before: datetime | None = None
    on_unknown: OnUnknown = "hold"
    instance: int | None = None
    path: str = ""
    round: str = ""
    error: str = ""
    fresh: bool = False
    """True in the answer of `Outbox.queue` if this call inserted the row."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The server's answer: what it said, and which recipients it refused (`{address: reason}`)."""

    answer: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)


class Records(Protocol):
    """The CRM's records. Every save writes its event in the same transaction."""

    def fetch(self, refs: Collection[Ref], paths: Paths) -> dict[Ref, Record]:
        """Read records with the references that `paths` follow, a fixed number of queries for any
        number of records. Missing ones are absent. A reference that `paths` does not follow is a
        record with its `id` and its name only."""
        ...

    def find(
        self, entity: str, where: Mapping[str, Any], *, order: str = "", limit: int = 100
    ) -> list[Record]:
        """Records whose fields equal `where` (a tuple means "one of"); `order` is a field, `-field` descending.

        Raises:
            StoreError: a field that cannot be searched.
        """
        ...

    def create(
        self, entity: str, rows: Sequence[Mapping[str, Any]], actor: Actor,
        connected_to: Sequence[Sequence[Ref]] = (),
    ) -> list[Ref]:  # fmt: skip
        """Insert rows (field values; a `Ref` or `Record` where the field refers); order kept.

        Raises:
            StoreError: an unknown or read-only field, a missing required one, a dangling reference.
        """
        ...

    def update(self, changes: Sequence[tuple[Ref, Mapping[str, Any]]], actor: Actor) -> None:
        """Change fields. Values that are equal already are no change and make no event.

        Raises:
            StoreError: the record is gone, or as for `create`.
        """
        ...

    def delete(self, refs: Sequence[Ref], actor: Actor) -> None:
        """Delete records; History of what they were connected to stays.

        Raises:
            StoreError: the record is gone, or others still need it.
        """
        ...


class Journal(Protocol):
    """Events, definitions, instances and step runs."""

    def append(self, events: Sequence[Event]) -> list[int | None]:
        """Add schedule and manual events (the `id` they come with is ignored); their new ids, None for
        one whose `dedupe_key` was there before. Order kept."""
        ...

    def any_pending(self) -> bool:
        """Whether there is an undispatched event: the cheapest question, asked many times a second."""
        ...

    def any_ready(self, now: datetime) -> bool:
        """Whether an instance is ready and due."""
        ...

    def pending(self, limit: int) -> list[Event]:
        """The oldest undispatched events, locked for this unit where the database can."""
        ...

    def dispatched(self, events: Collection[int], at: datetime) -> None: ...

    def publish(self, definition: Definition) -> int:
        """Store a version if its digest is new for its process; returns its number."""
        ...

    def definition(self, process: str, digest: str) -> Definition | None: ...

    def start(self, starts: Sequence[Start], now: datetime) -> list[int | None]:
        """Create ready instances by `mode`; None where a live one kept its key (`single`), or where
        this event already started this process by this trigger. `restart` cancels the live one."""
        ...

    def claim(
        self, owner: str, now: datetime, until: datetime, limit: int, ids: Collection[int] = ()
    ) -> list[Instance]:
        """Lease due, ready instances (those in `ids`, if given), oldest first, and set them `running`."""
        ...

    def fence(self, instances: Collection[int], owner: str, until: datetime) -> set[int]:
        """Those still running under this owner's lease and not asked to stop; their lease is renewed.
        The rows stay locked until the unit ends, so nobody else can take or cancel them meanwhile."""
        ...

    def renew(self, owner: str, until: datetime) -> int:
        """Renew every lease of this owner; returns how many."""
        ...

    def release(self, dead: Collection[str], now: datetime) -> int:
        """Make `ready` again what expired leases, and these owners, left running; returns how many."""
        ...

    def owners(self) -> set[str]:
        """Owners of leases in force."""
        ...

    def steps(self, instances: Collection[int]) -> dict[int, list[StepRun]]: ...

    def record(self, rows: Sequence[StepRun]) -> None:
        """Insert or replace journal rows by (instance, path, round)."""
        ...

    def end(self, ends: Sequence[End], owner: str, now: datetime) -> None:
        """Close segments of instances under this owner's lease: set state, give up the lease. One that
        was asked to stop ends `cancelled`, whatever `ends` says; one whose lease was lost is left alone."""
        ...

    def ask_to_stop(self, instances: Collection[int], reason: str, now: datetime) -> int:
        """Cancel: ready instances and incidents at once, running ones before their next step."""
        ...

    def resume(self, instance: int, now: datetime) -> bool:
        """Make an incident `ready` again; False if it is none."""
        ...

    def instances(
        self, *, ids: Collection[int] = (), states: Collection[str] = (), process: str = "",
        limit: int = 100,
    ) -> list[Instance]: ...  # fmt: skip

    def seen_in_prefect(self, flow_runs: Mapping[int, str]) -> None:
        """Note the flow run of each instance (`{instance: flow run id}`)."""
        ...

    def unseen_in_prefect(self, limit: int) -> list[Instance]:
        """Instances that ended without a flow run, oldest first."""
        ...


class Outbox(Protocol):
    """Outgoing mail: an Activity of type e-mail and its message, from draft to sent."""

    def queue(self, mails: Sequence[QueuedMail], at: datetime) -> list[Envelope]:
        """Insert activity, message, participants and links; order kept. A Message-ID that is there
        already is not inserted again: its row is returned as it stands, except that one that never
        left (`failed`, `cancelled`) takes the new content and is `queued` again."""
        ...

    def claim(self, ids: Collection[int], owner: str, now: datetime) -> list[int]:
        """`queued` and due → `sending`, by compare-and-set; returns those won."""
        ...

    def settle(
        self, mail: int, state: MailState, at: datetime, *, detail: str = "",
        not_before: datetime | None = None,
    ) -> None:  # fmt: skip
        """The outcome of a hand-over, with the server's words in `detail`."""
        ...

    def envelopes(
        self, ids: Collection[int] = (), *, message_ids: Collection[str] = ()
    ) -> list[Envelope]: ...

    def due(self, now: datetime, limit: int) -> list[Envelope]:
        """Queued mails with a `not_before` that has come. (One without belongs to the step that queued
        it, which sends it itself.)"""
        ...

    def lost(self, dead: Collection[str]) -> list[Envelope]:
        """Mails that these owners had claimed and did not settle."""
        ...

    def in_state(self, states: Collection[MailState], limit: int = 100) -> list[Envelope]: ...


class History(Protocol):
    def append(self, rows: Sequence[HistoryRow]) -> None: ...

    def of(self, ref: Ref, limit: int = 1000) -> list[HistoryRow]:
        """Newest first: the record's own rows and those of every activity connected to it."""
        ...


class Unit(Protocol):
    """One transaction; rolled back unless `commit` was called."""

    @property
    def records(self) -> Records: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def history(self) -> History: ...

    def commit(self) -> None:
        """Raises:
        StoreError: a constraint does not hold; nothing was written."""
        ...


class Store(Protocol):
    """The activity store and the journal, in one database."""

    @property
    def schema(self) -> Schema: ...

    def unit(self, *, write: bool = True) -> AbstractContextManager[Unit]:
        """Begin a transaction; `write=False` takes no write lock.

        Raises:
            ConfigurationError: the database cannot be reached, or its schema is not up to date.
        """
        ...


class MailOut(Protocol):
    """Hands mail to a server over pooled connections. Safe to call from several threads."""

    @property
    def connections(self) -> int:
        """How many mails may be handed over at the same time."""
        ...

    def send(self, sender: str, recipients: Sequence[str], mime: bytes) -> Delivery:
        """Hand over one mail.

        Raises:
            TransportDeferred: nothing was accepted, another try may be.
            TransportRefused: refused for good.
            UnknownOutcome: the connection broke after the message was handed over.
            ConfigurationError: wrong credentials, or a server that is not what the settings say.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered mail template. `language` is the one that was found (BCP 47)."""

    subject: str
    text: str
    html: str
    language: str


class Renderer(Protocol):
    """Mail templates and invitations; implemented by `procession.mail.Templates`."""

    def render(self, template: str, names: Mapping[str, Any], *, language: str, timezone: str) -> Rendered:
        """Raises:
        ExpressionError: the template failed on these values (its place is in the template).
        """
        ...

    def invitation(self, meeting: Record, *, sender: Recipient, to: Sequence[Recipient]) -> Attachment:
        """An .ics file of the meeting (RFC 5545).

        Raises:
            PermanentError: the meeting has no start.
        """
        ...


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, in UTC."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """The world as the engine is handed it. `owner` names this engine in leases (`procession.leases`);
    `renderer` gives the templates of a version: (digest, `{path: text}`) → `Renderer`, cached."""

    store: Store
    mail_out: MailOut
    clock: Clock
    renderer: Callable[[str, Mapping[str, str]], Renderer]
    owner: str
    mail_domain: str
    default_sender: Recipient
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    lease: timedelta = timedelta(seconds=30)
