"""The activity store and the journal, in one database: what a unit can do."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from procession.ports.entries import (
    Actor,
    Envelope,
    HistoryRow,
    Identity,
    ListedMail,
    MailState,
    QueuedMail,
    Settlement,
)
from procession.ports.journal import Journal
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
        never left (`held`, `failed`, `withdrawn`; `queued`, if it is to be held back now) takes the new content and state,
        under that same Message-ID. One that somebody cancelled stays so.
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

    def withdraw(self, steps: Collection[tuple[int, str, str]]) -> None:
        """The mails of steps, each (instance, path, round), that will not send them any more: those that are held or that only
        their step would send."""
        ...

    def envelopes(
        self, ids: Collection[int] = (), *, message_ids: Collection[str] = ()
    ) -> list[Envelope]: ...

    def known(self, message_ids: Collection[str]) -> set[str]:
        """Those of them that a mail here has."""
        ...

    def due(self, now: datetime, limit: int) -> list[Envelope]:
        """Queued mails with a `not_before` that has come; bulk ones only if there are no others, and few at once. (One without
        belongs to the step that queued it, which sends it itself.)"""
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


@runtime_checkable
class HasNews(Protocol):
    """A `Store` that tells when something was committed."""

    def news(self, awake: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `awake`, from another thread, soon after somebody committed an event, or anything on SQLite, while the block
        runs. Sometimes it is not called though it should be, or without a reason."""
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
