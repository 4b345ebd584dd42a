"""The activity store and the journal, in one database: what a unit can do."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from procession.ports.entries import (
    Actor,
    Definition,
    End,
    Envelope,
    Event,
    HistoryRow,
    Instance,
    MailState,
    QueuedMail,
    Start,
    StepRun,
)
from procession.records import Paths, Record, Ref, Schema


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
        """At most `limit` records whose fields equal `where` (a tuple means "one of"); `order` is a field, `-field`
        descending. Whoever must know whether there are more asks for one more than they take.

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

    def update(self, changes: Sequence[tuple[Ref, Mapping[str, Any]]], actor: Actor) -> list[tuple[str, ...]]:
        """Change fields. Answers for each of `changes` the names of the fields that it really changed, as if
        they were made one after the other: values that are equal already are no change and make no event.

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

    def fence(self, instances: Mapping[int, int], owner: str, until: datetime) -> set[int]:
        """Those of `{instance: claim}` that still run under the lease of this number of this owner and are not
        asked to stop; their lease is renewed. The rows stay locked until the unit ends, so nobody else can take
        or cancel them meanwhile. The number tells apart two threads of one owner, the first of which lost the
        lease that the second one got."""
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
        """`queued` and due → `sending`, by compare-and-set; returns those won, and those that this owner won at
        this very moment: the same call may be made again by one that did not see whether it was committed."""
        ...

    def settle(
        self, mail: int, state: MailState, at: datetime, *, detail: str = "",
        not_before: datetime | None = None, owner: str = "",
    ) -> bool:  # fmt: skip
        """The outcome of a hand-over, with the server's words in `detail`, or what a person decided; False if
        that changes nothing. A mail that is `sending` is settled by its `owner` (`Envelope.claimed_by`), others
        without one; but that it was sent is true whoever says it, and stays so."""
        ...

    def envelopes(
        self, ids: Collection[int] = (), *, message_ids: Collection[str] = ()
    ) -> list[Envelope]: ...

    def due(self, now: datetime, limit: int) -> list[Envelope]:
        """Queued mails with a `not_before` that has come. (One without belongs to the step that queued
        it, which sends it itself.)"""
        ...

    def lost(self, dead: Collection[str], before: datetime) -> list[Envelope]:
        """Mails that these owners had claimed and did not settle, or that anybody claimed before that moment;
        locked for this unit where the database can."""
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

    def nested(self) -> AbstractContextManager["Unit"]:
        """A unit inside this one. It is rolled back by itself unless it commits; what it committed is committed
        or rolled back with this one."""
        ...

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
