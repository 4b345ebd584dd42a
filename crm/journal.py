"""The tables of the engine: the event log, versions of processes, their instances and step runs."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Text, UniqueConstraint, text
from sqlmodel import Field

from crm.columns import ID, Base, index, moment, plain_json, primary_key, reference, string, table_of


class Event(Base, table=True):
    """Append-only, written in the transaction of the change it tells of."""

    __tablename__ = "event"
    __table_args__ = (
        UniqueConstraint("dedupe_key"),
        index("ix_event_undispatched", "id", where=text("dispatched_at IS NULL")),
        index("ix_event_record", "entity", "record_id", where=text("record_id IS NOT NULL")),
        {"sqlite_autoincrement": True},
    )

    id: int | None = primary_key()
    at: datetime = moment(required=True)
    type: str = string()
    entity: str = string()
    record_id: int | None = Field(default=None, sa_type=ID)
    changed: list[str] | None = plain_json()
    process: str = string()
    trigger: str = string()
    origin: str = string()
    payload: dict[str, Any] | None = plain_json()
    dedupe_key: str | None = Field(default=None, sa_type=Text)
    dispatched_at: datetime | None = moment()


class Definition(Base, table=True):
    __tablename__ = "definition"
    __table_args__ = (UniqueConstraint("process", "digest"), UniqueConstraint("process", "number"))

    id: int | None = primary_key()
    process: str = string()
    digest: str = string()
    number: int
    files: dict[str, str] = plain_json()


class Instance(Base, table=True):
    """`live_key` is a digest of process and key while the instance holds them, otherwise NULL: so the
    database itself lets one live instance have a key. `stop_requested` is the reason for which a running
    instance is to stop before its next step. `claim` counts the leases it was given."""

    __tablename__ = "instance"
    __table_args__ = (
        CheckConstraint(
            "state IN ('ready', 'running', 'completed', 'stopped', 'failed', 'cancelled', 'incident')",
            name="state",
        ),
        UniqueConstraint("live_key"),
        UniqueConstraint("process", "trigger_id", "event_id"),
        index("ix_instance_ready", "due", "id", where=text("state = 'ready'")),
        index("ix_instance_running", "lease_owner", "lease_until", where=text("state = 'running'")),
        index("ix_instance_looked_at", "state", where=text("state IN ('failed', 'incident')")),
        index("ix_instance_unseen", "ended_at", where=text("flow_run_id = '' AND ended_at IS NOT NULL")),
        index("ix_instance_event_id", "event_id", where=text("event_id IS NOT NULL")),
        {"sqlite_autoincrement": True},
    )

    id: int | None = primary_key()
    process: str = string()
    digest: str = string()
    title: str = string()
    key: str = string()
    live_key: str | None = Field(default=None, sa_type=Text)
    state: str = string("ready")
    inputs: dict[str, Any] = plain_json()
    trigger: dict[str, Any] = plain_json()
    trigger_id: str = string()
    event_id: int | None = reference("event", on_delete="SET NULL")
    event_at: datetime | None = moment()
    started_at: datetime = moment(required=True)
    due: datetime = moment(required=True)
    ended_at: datetime | None = moment()
    result: str = string()
    error: dict[str, Any] | None = plain_json()
    flow_run_id: str = string()
    lease_owner: str = string()
    lease_until: datetime | None = moment()
    claim: int = 0
    stop_requested: str | None = Field(default=None, sa_type=Text)
    stop_requested_at: datetime | None = moment()


class StepRun(Base, table=True):
    """What a step did in one round; rounds are those of the loops around it."""

    __tablename__ = "step_run"
    __table_args__ = (UniqueConstraint("instance_id", "path", "round"),)

    id: int | None = primary_key()
    instance_id: int = reference("instance", on_delete="CASCADE", required=True)
    path: str = string()
    round: str = string()
    kind: str = string()
    state: str = string()
    at: datetime = moment(required=True)
    attempts: int = 1
    branch: str = string()
    output: dict[str, Any] | None = plain_json()
    error: dict[str, Any] | None = plain_json()


event, definition = table_of(Event), table_of(Definition)
instance, step_run = table_of(Instance), table_of(StepRun)
