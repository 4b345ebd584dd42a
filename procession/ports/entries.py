"""What crosses the ports: events, instances, journal rows, History rows, mails. Frozen data, moments in UTC."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from procession.effects import OnUnknown, SendMail
from procession.records import Ref

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
    """One run of a process. `error` is `{message, class, place, path, hint}` of an incident or failure;
    `claim` the number of the lease under which it was claimed (`Journal.fence`)."""

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
    claim: int = 0


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
    claimed_by: str = ""
    fresh: bool = False
    """True in the answer of `Outbox.queue` if this call inserted the row."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The server's answer: what it said, and which recipients it refused (`{address: reason}`)."""

    answer: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)
