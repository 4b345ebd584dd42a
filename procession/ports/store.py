"""The activity store and the journal, in one database: what a unit can do."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from procession.ports.entries import (
    Actor,
    Checkpoint,
    Definition,
    End,
    EngineProcess,
    EngineRow,
    Envelope,
    Event,
    Glance,
    HistoryRow,
    Identity,
    Instance,
    ListedMail,
    MailState,
    Publication,
    QueuedMail,
    Released,
    SentMail,
    Settlement,
    Standing,
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

    def glance(self, now: datetime) -> Glance:
        """What there is to do; the cheapest question, one statement."""
        ...

    def pending(self, limit: int) -> list[Event]:
        """The oldest undispatched events, locked for this unit where the database can."""
        ...

    def dispatched(self, events: Collection[int], at: datetime) -> None: ...

    def publish(self, definition: Definition) -> int:
        """Store a version if its digest is new for its process; returns its number."""
        ...

    def definition(self, process: str, digest: str) -> Definition | None: ...

    def current(self) -> dict[str, str]:
        """`{process: digest}` of the current versions; without those that are retired."""
        ...

    def publications(self, *, alone: bool = False) -> list[Publication]:
        """The whole log, oldest first; `alone`: nobody else appends to it until this unit ends."""
        ...

    def make_current(self, process: str, digest: str, folder: str, at: datetime) -> None:
        """Append to the log of publications; an empty digest retires the process. The planner's epoch ends: what it
        is about to write it would write by the version before. It goes on in the next one."""
        ...

    def live(self) -> dict[str, int]:
        """`{process: how many of its instances are not over}`; without those that have none."""
        ...

    def start(self, starts: Sequence[Start], now: datetime) -> list[int | None]:
        """Create ready instances by `mode`; None where a live one kept its key (`single`), or where
        this event already started this process by this trigger. `restart` cancels the live one; one that runs is
        asked to stop, and the new one begins when it has ended."""
        ...

    # --- engines

    def register(self, process: EngineProcess) -> int:
        """A new engine; its number is never used again."""
        ...

    def beat(self, engine: int) -> bool:
        """Raise its beat; False if the others took it for dead, so that it is no engine of this database any more."""
        ...

    def engines(self) -> list[EngineRow]: ...

    def bury(self, engines: Mapping[int, int]) -> set[int]:
        """Delete those of `{engine: beat}` whose beat is still that one; returns them."""
        ...

    def lead(self, engine: int) -> int | None:
        """Become the planner if nobody alive is; returns the epoch, a number that is never given again. None if another
        is, or this is no engine any more."""
        ...

    def step_down(self, engine: int) -> None:
        """Be the planner no more; another engine may become it at once."""
        ...

    def leads(self, engine: int, epoch: int) -> bool:
        """Whether it is still the planner of that epoch, and the database is not held; until the unit ends nobody else
        can become it."""
        ...

    # --- which database this is

    def standing(self, mail: SentMail | None = None) -> Standing:
        """What the database says of itself, and whether it knows that this mail was sent; one statement."""
        ...

    def hold(self, because: str) -> None:
        """Let nobody plan, or claim an instance or a mail, until a person has said what the database is (`go_on`)."""
        ...

    def witness(self) -> None:
        """An engine keeps evidence of this database outside of it, from now on."""
        ...

    def go_on(self, identity: Identity) -> None:
        """It is held no more, and is this one from now on; the incarnation that it had is a former one."""
        ...

    # --- claims

    def claim(
        self, engine: int, now: datetime, limit: int, ids: Collection[int] = (), *,
        alone: bool = False, not_of: Collection[str] = (),
    ) -> list[Instance]:  # fmt: skip
        """Give due, ready instances to this engine, oldest first, and set them `running`; each claim raises the
        instance's fencing token. One whose predecessor (`mode: restart`) still runs is not due. Nothing is while the
        database is held. Who is no engine any more gets none.

        Args:
            ids: only these.
            alone: only one, of those with which engines died again and again; otherwise none of these.
            not_of: digests of versions that this engine cannot run.
        """
        ...

    def fence(self, fencing_tokens: Mapping[int, int]) -> set[int]:
        """Those of `{instance: fencing token}` that still run under that token and are not asked to stop. The rows
        stay locked until the unit ends, so nobody else can take or cancel them meanwhile. One that is asked to stop
        ends here, `cancelled`, between two of its steps."""
        ...

    def stopped(self, fencing_tokens: Mapping[int, int]) -> set[int]:
        """Those of `{instance: fencing token}` that were cancelled while they ran under that token."""
        ...

    def give_back(self, fencing_tokens: Mapping[int, int]) -> int:
        """Make `ready` again, as they were, those that `fence` would answer; returns how many."""
        ...

    def release(self, now: datetime) -> Released:
        """Take back what engines that are no more left running: `ready` again, one death more; one that an engine
        died with while it ran alone becomes an incident."""
        ...

    def end(self, ends: Sequence[End], now: datetime) -> None:
        """Close segments: set state, give the instance up. Only after `fence` in the same unit."""
        ...

    def ask_to_stop(self, instances: Collection[int], reason: str, now: datetime) -> int:
        """Cancel: ready instances and incidents at once, running ones before their next step."""
        ...

    def resume(self, instance: int, now: datetime) -> bool:
        """Make an incident `ready` again; False if it is none."""
        ...

    # --- positions, and the evidence

    def positions(self, instances: Collection[int]) -> dict[int, Checkpoint]:
        """Those that have one; an instance that is at its beginning has none."""
        ...

    def save_positions(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Only after `fence` in the same unit. `deaths` are forgotten: it got a step further."""
        ...

    def forget_positions(self, instances: Collection[int]) -> None:
        """Of those that are over."""
        ...

    def steps(self, instances: Collection[int]) -> dict[int, list[StepRun]]: ...

    def record(self, rows: Sequence[StepRun]) -> None:
        """Insert or replace journal rows by (instance, path, round)."""
        ...

    def instances(
        self, *, ids: Collection[int] = (), states: Collection[str] = (), process: str = "",
        limit: int = 100,
    ) -> list[Instance]: ...  # fmt: skip

    def running_in_prefect(self) -> dict[int, str]:
        """`{instance: flow run}` of those that a flow run shows and that are not over or held."""
        ...

    def seen_in_prefect(self, flow_runs: Mapping[int, str]) -> None:
        """Note the flow run of each instance (`{instance: flow run id}`)."""
        ...

    def unseen_in_prefect(self, limit: int) -> list[Instance]:
        """Instances that ended without a flow run, oldest first."""
        ...


class Outbox(Protocol):
    """Outgoing mail: an Activity of type e-mail and its message, from draft to sent.

    The mail of a step is known by (instance, path, round, part), any other by its Message-ID. A Message-ID is made
    once, stored, and never computed anew.
    """

    def queue(
        self, mails: Sequence[QueuedMail], at: datetime, *, engine: int = 0, hands: int = 0
    ) -> list[Envelope]:
        """Insert activity, message, participants and links; order kept. A mail that is there already is not
        inserted again: its row is returned as it stands, with the Message-ID that it got first, except that one that
        never left (`failed`, `cancelled`) takes the new content, under that same Message-ID, and is `queued` again.
        The first `hands` of the new ones that may go at once are claimed for `engine` in the same breath."""
        ...

    def claim(self, ids: Collection[int], engine: int, now: datetime) -> list[int]:
        """`queued` and due → `sending`, by compare-and-set; returns those won, and those that this engine won at
        this very moment: the same call may be made again by one that did not see whether it was committed. None
        while the database is held."""
        ...

    def settle(
        self, mail: int, state: MailState, at: datetime, *, detail: str = "",
        not_before: datetime | None = None, engine: int = 0,
    ) -> bool:  # fmt: skip
        """The outcome of a hand-over, with the server's words in `detail`, or what a person decided; False if
        that changes nothing. A mail that is `sending` is settled by its engine (`Envelope.claimed_by`), others
        without one; but that it was sent is true whoever says it, and stays so."""
        ...

    def settle_all(self, settlements: Sequence[Settlement], at: datetime) -> None:
        """As `settle`, for many."""
        ...

    def envelopes(
        self, ids: Collection[int] = (), *, message_ids: Collection[str] = ()
    ) -> list[Envelope]: ...

    def known(self, message_ids: Collection[str]) -> set[str]:
        """Those of them that a mail here has."""
        ...

    def due(self, now: datetime, limit: int) -> list[Envelope]:
        """Queued mails with a `not_before` that has come. (One without belongs to the step that queued
        it, which sends it itself.)"""
        ...

    def lost(self, before: datetime) -> list[Envelope]:
        """Mails that engines which are no more had claimed and did not settle, or that anybody claimed before that
        moment; locked for this unit where the database can."""
        ...

    def in_state(
        self, states: Collection[MailState], limit: int = 100, *, newest: bool = False
    ) -> list[ListedMail]:
        """The oldest of them, oldest first; or the newest, newest first."""
        ...

    def count(self, states: Collection[MailState]) -> dict[MailState, int]:
        """How many mails are in each of these states; 0 where none is."""
        ...


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

    @property
    def identity(self) -> Identity:
        """Which database this is. Read once, but anew as long as it is held."""
        ...

    def look_again(self) -> None:
        """Read `identity` anew when it is asked for next: a person has said that the database was restored."""
        ...

    def unit(self, *, write: bool = True) -> AbstractContextManager[Unit]:
        """Begin a transaction; `write=False` takes no write lock.

        Raises:
            ConfigurationError: the database cannot be reached, or its schema is not up to date.
        """
        ...
