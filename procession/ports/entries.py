"""What crosses the ports: events, instances, journal rows, History rows, mails. Frozen data, moments in UTC."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from procession.effects import OnUnknown, SendMail
from procession.records import Ref

EventType = Literal["added", "modified", "deleted", "schedule", "manual", "message", "signal"]
InstanceState = Literal[
    "ready", "running", "waiting", "queued", "completed", "stopped", "failed", "cancelled", "incident"
]
StepState = Literal["done", "skipped", "failed", "waiting", "retrying", "incident"]
"""The last three are of steps that are not over: they are no rows, but told of a position."""
MailState = Literal[
    "draft", "held", "queued", "sending", "sent", "failed", "unknown", "cancelled", "withdrawn"
]
"""`held`: its step sends it later, written anew; `withdrawn`: its step has no more use for it."""
Mode = Literal["single", "restart", "queued", "parallel"]

LIVE: tuple[InstanceState, ...] = ("ready", "running", "waiting", "incident")
"""States of an instance that still holds its key. One that is `queued` waits in line for it."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: a user, a process instance at a step, an import, the sync of an account. `name` is for people ("anna",
    "Notify contact of meeting"); `process` is the id of the process, if any."""

    kind: Literal["user", "process", "import", "sync", "engine"]
    name: str
    process: str = ""
    instance: int | None = None
    step: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the event log.

    `changed` names the fields a modification changed, `name` a message or signal. `payload` holds the last values of a
    deleted record, the inputs of a manual start, the data of a message. `dedupe_key` is unique: a second one is dropped.
    `dispatch`: the planner's unit that took it up. One that is `bulk` waits for those that are not, and so does what it starts.
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
    dispatch: int = 0
    name: str = ""
    bulk: bool = False


@dataclass(frozen=True, slots=True)
class Definition:
    """A version of a process: `digest` over `files` (`{path: text}`, the process and its templates)."""

    process: str
    digest: str
    number: int = 0
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Publication:
    """A line of the log of publications: from `at` on the version with this digest (and `number`) is the current one
    of its process, because `folder` said so; without a digest the process is retired."""

    process: str
    digest: str
    number: int
    folder: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Start:
    """A wish to start an instance. `inputs` are JSON values (`procession.values`). One that is `bulk` lets others go first."""

    process: str
    digest: str
    title: str
    key: str
    mode: Mode
    inputs: Mapping[str, Any]
    trigger: Mapping[str, Any]
    event_id: int | None = None
    event_at: datetime | None = None
    bulk: bool = False
    error: Mapping[str, Any] | None = None
    """The trigger itself failed: the instance is born as an incident."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One run of a process. `error` is `{message, class, place, path, hint}` of an incident or failure.

    `fencing_token` is the number of the claim under which an engine has it (`Journal.fence`); `deaths` counts the engines
    that died with it since it last got a step further, `refused` the starts it was in the way of. One that is `bulk` lets others go first, until a person starts or
    resumes it. Where one `is_of_0_1`, its journal rows say where it is, until it has a position.
    """

    id: int
    process: str
    digest: str
    title: str
    key: str
    state: InstanceState
    inputs: Mapping[str, Any]
    trigger: Mapping[str, Any]
    started_at: datetime
    ended_at: datetime | None = None
    result: str = ""
    error: Mapping[str, Any] | None = None
    flow_run_id: str = ""
    event_at: datetime | None = None
    fencing_token: int = 0
    deaths: int = 0
    bulk: bool = False
    is_of_0_1: bool = False
    refused: int = 0


@dataclass(frozen=True, slots=True)
class StepRun:
    """The journal row of one step in one round, written once it is over: unique by (instance, path, round). It is evidence
    for people; nothing that goes on reads it. `branch` is the way a flow step took; `attempts` counts tries."""

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
    """What an instance is after a segment: finished, an incident, or `waiting`, `until` the first of the moments that it
    waits for. One that is to be woken already is `ready` again."""

    instance: int
    state: InstanceState
    result: str = ""
    error: Mapping[str, Any] | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where an instance is, written in the unit of what brought it there. `position` is JSON (`procession.position`, and
    the small values that later steps read). `kept` are values of a row each, by name: those that changed, None for those
    that are not needed any more."""

    instance: int
    position: Mapping[str, Any]
    kept: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Identity:
    """Which database this is. `installation` is made with it and stays; `incarnation` is made anew when it is
    restored or copied, so that numbers which are given a second time name something else in the world outside."""

    installation: str
    incarnation: str


@dataclass(frozen=True, slots=True)
class SentMail:
    """A mail that the mail server took: the number of its activity, and its Message-ID."""

    number: int
    message_id: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What a database says of itself, for whoever compares it with what was done with it (`procession.witness`). `former` are its incarnations until now. `is_witnessed` says that an engine has kept evidence of it outside of it.
    `held` says why it is held, empty if it is not; the events up to `held_after` were in it then. `event` is its last
    event. `knows_mail` says that it knows that a certain mail was sent, or that one which was deleted since.
    """

    identity: Identity
    former: tuple[str, ...] = ()
    is_witnessed: bool = False
    held: str = ""
    held_after: int = 0
    event: int = 0
    knows_mail: bool = True


@dataclass(frozen=True, slots=True)
class EngineProcess:
    """What tells one process from all others, on any machine and in any container: the boot of the kernel, the
    namespace its number is of, the number, and the tick of that boot at which it began. Empty where the system does
    not say; then only its beat tells that it lives."""

    host: str
    boot: str = ""
    pid_namespace: str = ""
    pid: int = 0
    began: int = 0


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: how often an engine raises its beat and looks at the others, how long after its last beat it does
    nothing more, and how long an unchanged beat makes it dead."""

    beat: float = 5.0
    stale: float = 20.0
    dead: float = 30.0


@dataclass(frozen=True, slots=True)
class EngineRow:
    """An engine that works on this database; it raises `beat` every few seconds."""

    id: int
    process: EngineProcess
    beat: int


@dataclass(frozen=True, slots=True)
class Glance:
    """What there is to do, asked in one statement many times a second.

    `pending` events wait to be dispatched, `released` ones of an import to be let in; waits are `due`, or `new` so that they are looked back from, and some are `live`: woken by what is saved; `bursts` of saves are over; `ready` instances can be claimed, `suspect` ones run
    alone since engines died with them; `mail` of no step is due; `orphans` were left by engines that are no more. `planner` is the
    engine that plans, 0 if none that lives does, in this `epoch`. `publication` is the number of the last change of a definition.
    Nothing is planned, worked on or sent while the database is `held` (`Journal.hold`). `incarnation` is the present one.
    """

    pending: bool = False
    released: bool = False
    due: bool = False
    live: bool = False
    new: bool = False
    bursts: bool = False
    ready: bool = False
    suspect: bool = False
    mail: bool = False
    orphans: bool = False
    planner: int = 0
    epoch: int = 0
    publication: int = 0
    held: bool = False
    incarnation: str = ""


@dataclass(frozen=True, slots=True)
class Released:
    """Instances that engines which are no more had left: those that are ready again, and those that are held."""

    ready: tuple[int, ...] = ()
    held: tuple[int, ...] = ()


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
    part: int = 0
    """Which of the mails of its step it is."""
    redirected_to: str = ""
    """The one address that it goes to, and its MIME bytes say so, whoever it is for; of test systems."""
    bulk: bool = False
    """Others go first, if no step looks after it."""


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
    claimed_by: int = 0
    """The engine that has it in hand; 0: none."""
    fresh: bool = False
    """True in the answer of `Outbox.queue` if this call inserted the row."""
    released: bool = False
    """True there if it was held back until this call."""


@dataclass(frozen=True, slots=True)
class ListedMail:
    """A mail as lists show it, without the bytes that are sent, which may be many megabytes: who needs those asks for
    its `Envelope`. `subject` is that of its activity; the others are as there."""

    id: int
    message_id: str
    recipients: tuple[str, ...]
    subject: str
    state: MailState
    activity: int
    attempts: int = 0
    not_before: datetime | None = None
    instance: int | None = None
    path: str = ""
    round: str = ""
    error: str = ""
    claimed_by: int = 0


@dataclass(frozen=True, slots=True)
class Settlement:
    """The outcome of a hand-over, as `Outbox.settle` takes it."""

    mail: int
    state: MailState
    detail: str = ""
    not_before: datetime | None = None
    engine: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """The server's answer: what it said, and which recipients it refused (`{address: reason}`)."""

    answer: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)
