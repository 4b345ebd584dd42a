"""The tables of the engine: the event log, versions of processes, their instances and where these are, and engines."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Text, UniqueConstraint, text
from sqlmodel import Field

from crm.columns import ID, Base, index, moment, plain_json, primary_key, reference, string, table_of


def _of_instance() -> Any:
    return Field(foreign_key="instance.id", sa_type=ID, primary_key=True, ondelete="CASCADE")


class Event(Base, table=True):
    """Append-only, written in the transaction of the change it tells of. `dispatch` is the number of the planner's unit that
    dispatched it (`Planner.units`), `correlated` that of the last wait that it was handed to (`crm.correlations`). It waits for
    the end of the import `import_id`, 0: of none."""

    __tablename__ = "event"
    __table_args__ = (
        UniqueConstraint("dedupe_key"),
        index("ix_event_undispatched", "import_id", "bulk", "id", where=text("dispatched_at IS NULL")),
        index("ix_event_record", "entity", "record_id", where=text("record_id IS NOT NULL")),
        index("ix_event_name", "name", "id", where=text("name > ''")),
        index("ix_event_dispatch", "dispatch", where=text("dispatch IS NOT NULL")),
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
    dispatch: int | None = Field(default=None, sa_type=ID)
    name: str = string()
    correlated: int = Field(default=0, sa_type=ID)
    bulk: bool = False
    import_id: int = Field(default=0, sa_type=ID)


class Burst(Base, table=True):
    """Saves of a record that a trigger waits out, until none has followed for a while (`procession.bursts`)."""

    __tablename__ = "burst"
    __table_args__ = (index("ix_burst_due", "due"),)

    process: str = Field(sa_type=Text, primary_key=True)
    trigger: str = Field(sa_type=Text, primary_key=True)
    entity: str = Field(sa_type=Text, primary_key=True)
    record_id: int = Field(sa_type=ID, primary_key=True)
    event: int = Field(sa_type=ID)
    at: datetime = moment(required=True)
    due: datetime = moment(required=True)
    was_added: bool = False
    is_deleted: bool = False
    bulk: bool = False
    changed: list[str] | None = plain_json()
    payload: dict[str, Any] | None = plain_json()


class FileImport(Base, table=True):
    """One that is written in several units, until its last event was let in (`EventLog.let_in`)."""

    __tablename__ = "file_import"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int | None = primary_key()
    entity: str = string()
    saved: int = 0
    digest: str = string()
    is_released: bool = False


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
    database itself lets one live instance have a key. `queue_key` is the same, of one that waits for it in line or has or
    had it. `refused` counts starts that it was in the way of. `stop_requested` is the reason for which a running
    instance is to stop before its next step. `fencing_token` counts its claims, `deaths` the engines that died with
    it since it last got a step further, `alone` says that it runs alone for that. It begins when `after_id` has ended.
    """

    __tablename__ = "instance"
    __table_args__ = (
        CheckConstraint(
            "state IN ('ready', 'running', 'waiting', 'queued', 'completed', 'stopped', 'failed', 'cancelled', 'incident')",
            name="state",
        ),
        UniqueConstraint("live_key"),
        UniqueConstraint("process", "trigger_id", "event_id"),
        index("ix_instance_ready", "bulk", "id", where=text("state = 'ready'")),
        index("ix_instance_running", "engine_id", where=text("state = 'running'")),
        index("ix_instance_waiting", "id", where=text("state = 'waiting'")),
        index("ix_instance_queued", "queue_key", "event_id", "id", where=text("state = 'queued'")),
        index("ix_instance_suspect", "id", "deaths", where=text("state = 'ready' AND deaths > 1")),
        index(
            "ix_instance_shown",
            "flow_run_id",
            where=text("state IN ('ready', 'running') AND flow_run_id > ''"),
        ),
        index(
            "ix_instance_looked_at",
            "state",
            where=text("state IN ('failed', 'incident', 'stopped', 'cancelled')"),
        ),
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
    queue_key: str | None = Field(default=None, sa_type=Text)
    state: str = string("ready")
    inputs: dict[str, Any] = plain_json()
    trigger: dict[str, Any] = plain_json()
    trigger_id: str = string()
    event_id: int | None = reference("event", on_delete="SET NULL")
    event_at: datetime | None = moment()
    started_at: datetime = moment(required=True)
    ended_at: datetime | None = moment()
    result: str = string()
    error: dict[str, Any] | None = plain_json()
    flow_run_id: str = string()
    engine_id: int | None = Field(default=None, sa_type=ID)
    fencing_token: int = 0
    deaths: int = 0
    refused: int = 0
    alone: bool = False
    bulk: bool = False
    after_id: int | None = Field(default=None, sa_type=ID)
    is_of_0_1: bool = False
    stop_requested: str | None = Field(default=None, sa_type=Text)
    stop_requested_at: datetime | None = moment()


class StepRun(Base, table=True):
    """What a step did in one round; rounds are those of the loops around it. Evidence: nothing that goes on reads it."""

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


class Position(Base, table=True):
    """Where an instance is, rewritten as it goes on; a table of its own, so that claims do not rewrite it. One that is
    at its beginning, or over, has no row."""

    __tablename__ = "position"

    instance_id: int = _of_instance()
    position: dict[str, Any] = plain_json()


class KeptValue(Base, table=True):
    """A larger value that later steps read: the items of a loop, the output of a step."""

    __tablename__ = "kept_value"

    instance_id: int = _of_instance()
    name: str = Field(sa_type=Text, primary_key=True)
    value: Any = plain_json()


class Wait(Base, table=True):
    """What an instance waits for at one of its tokens. `woken_at` is set when it is over, `hastened` by a person; the worker
    that takes it deletes the row. One that reads records `is_new` until the planner has looked back at what it dispatched in units
    after number `as_of`, when these were read."""

    __tablename__ = "wait"
    __table_args__ = (
        UniqueConstraint("instance_id", "scope"),
        index("ix_wait_due", "due", "id", where=text("woken_at IS NULL AND due IS NOT NULL")),
        index("ix_wait_new", "id", where=text("is_new")),
        {"sqlite_autoincrement": True},
    )

    id: int | None = primary_key()
    instance_id: int = reference("instance", on_delete="CASCADE", required=True)
    scope: int
    path: str = string()
    round: str = string()
    kind: str = string()
    since: datetime = moment(required=True)
    due: datetime | None = moment()
    expires: datetime | None = moment()
    woken_at: datetime | None = moment()
    hastened: bool = False
    is_new: bool = False
    as_of: int = Field(default=0, sa_type=ID)


class WaitRead(Base, table=True):
    """What the moment of a wait was computed from: it is woken when this field changes, or the record is deleted."""

    __tablename__ = "wait_read"
    __table_args__ = (index("ix_wait_read_record", "entity", "record_id", "field"),)

    wait_id: int = Field(foreign_key="wait.id", sa_type=ID, primary_key=True, ondelete="CASCADE")
    entity: str = Field(sa_type=Text, primary_key=True)
    record_id: int = Field(sa_type=ID, primary_key=True)
    field: str = Field(sa_type=Text, primary_key=True)


class Subscription(Base, table=True):
    """What a wait is for: events of this kind under this correlation key; which of those that came before it was kept count, the
    planner looks up once (`since_began`: all since the instance began)."""

    __tablename__ = "subscription"
    __table_args__ = (index("ix_subscription_key", "kind", "key", "wait_id"),)

    wait_id: int = Field(foreign_key="wait.id", sa_type=ID, primary_key=True, ondelete="CASCADE")
    kind: str = Field(sa_type=Text, primary_key=True)
    key: str = Field(sa_type=Text, primary_key=True)
    since: datetime | None = moment()
    since_began: bool = False
    as_of: int = Field(default=0, sa_type=ID)
    is_new: bool = True


class ArrivedEvent(Base, table=True):
    """An event that came for a wait; whether it is meant, the wait's step decides. Those that were `judged` are not."""

    __tablename__ = "arrived_event"
    __table_args__ = (index("ix_arrived_event_event_id", "event_id"),)

    wait_id: int = Field(foreign_key="wait.id", sa_type=ID, primary_key=True, ondelete="CASCADE")
    event_id: int = Field(foreign_key="event.id", sa_type=ID, primary_key=True, ondelete="CASCADE")
    judged: bool = False


class ConsumedEvent(Base, table=True):
    """An event that an instance took: it comes for none of its waits any more."""

    __tablename__ = "consumed_event"
    __table_args__ = (index("ix_consumed_event_event_id", "event_id"),)

    instance_id: int = _of_instance()
    event_id: int = Field(foreign_key="event.id", sa_type=ID, primary_key=True, ondelete="CASCADE")


class Engine(Base, table=True):
    """An engine that works on this database; `beat` is raised every few seconds."""

    __tablename__ = "engine"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int | None = primary_key()
    host: str = string()
    boot: str = string()
    pid_namespace: str = string()
    pid: int = Field(default=0, sa_type=ID)
    began: int = Field(default=0, sa_type=ID)
    beat: int = Field(default=0, sa_type=ID)


class Publication(Base, table=True):
    """Append-only: which version of a process became the current one, and who said so. The last row of a process
    counts; one without a digest retires it."""

    __tablename__ = "publication"
    __table_args__ = (
        index("ix_publication_process", "process", "id"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = primary_key()
    process: str = string()
    digest: str = string()
    folder: str = string()
    at: datetime = moment(required=True)


class Planner(Base, table=True):
    """One row: the engine that plans, how often that changed, and how many units planners have begun."""

    __tablename__ = "planner"

    id: int | None = primary_key()
    engine_id: int | None = Field(default=None, sa_type=ID)
    epoch: int = Field(default=0, sa_type=ID)
    units: int = Field(default=0, sa_type=ID)


class Installation(Base, table=True):
    """One row: which database this is, and which it was before (`former`: its incarnations until now).

    It is `held` while nobody has said what is to become of a database that was put back or copied; what it brought
    along are the events up to `held_after`. `is_witnessed` says that engines keep evidence of it outside of it.
    """

    __tablename__ = "installation"

    id: int | None = primary_key()
    installation: str = string()
    incarnation: str = string()
    former: list[str] | None = plain_json()
    is_witnessed: bool = False
    held: bool = False
    held_because: str = string()
    held_after: int = Field(default=0, sa_type=ID)


event, burst, file_import, definition = (
    table_of(Event),
    table_of(Burst),
    table_of(FileImport),
    table_of(Definition),
)
instance, step_run = table_of(Instance), table_of(StepRun)
position, kept_value = table_of(Position), table_of(KeptValue)
wait, wait_read, subscription = table_of(Wait), table_of(WaitRead), table_of(Subscription)
arrived_event, consumed_event = table_of(ArrivedEvent), table_of(ConsumedEvent)
engine, planner, installation = table_of(Engine), table_of(Planner), table_of(Installation)
publication = table_of(Publication)
