"""A store in which everything happens and nothing stays: one unit that is never committed.

`simulate` hands it to the engine. What the engine believes to be transactions are units inside that one: reading
sees what those before committed, the real records are underneath, what fails or is not committed is undone by
itself as it would be in earnest, and in the end all of it is rolled back.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from procession.ports import Delivery, History, HistoryRow, Identity, Journal, Outbox, Records, Store, Unit
from procession.records import Ref, Schema


@dataclass(slots=True)
class ClockAhead:
    """Implements `procession.ports.Clock`: it stands still until it is put forward."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def forward(self, to: datetime) -> None:
        self.at = max(self.at, to)


@dataclass(frozen=True, slots=True)
class RecordedHistory:
    """Implements `procession.ports.History`, and remembers what was appended."""

    inner: History
    rows: list[HistoryRow]

    def append(self, rows: Sequence[HistoryRow]) -> None:
        self.inner.append(rows)
        self.rows.extend(rows)

    def of(self, ref: Ref, limit: int = 1000) -> list[HistoryRow]:
        return self.inner.of(ref, limit)


@dataclass(frozen=True, slots=True)
class Uncommitted:
    """Implements `procession.ports.Unit` inside a unit that somebody else will roll back. What it wrote into History
    is among `kept` once it commits."""

    inner: Unit
    kept: list[HistoryRow]
    rows: list[HistoryRow] = field(default_factory=list)

    @property
    def records(self) -> Records:
        return self.inner.records

    @property
    def journal(self) -> Journal:
        return self.inner.journal

    @property
    def outbox(self) -> Outbox:
        return self.inner.outbox

    @property
    def history(self) -> RecordedHistory:
        return RecordedHistory(self.inner.history, self.rows)

    @contextmanager
    def nested(self) -> Iterator["Uncommitted"]:
        with self.inner.nested() as inner:
            yield Uncommitted(inner, self.rows)

    def commit(self) -> None:
        self.inner.commit()
        self.kept.extend(self.rows)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Implements `procession.ports.Store` inside one unit. `rows` are the lines of History it wrote."""

    inner: Unit
    schema: Schema
    identity: Identity
    rows: list[HistoryRow] = field(default_factory=list)

    def look_again(self) -> None:
        """It does not change."""

    @contextmanager
    def unit(self, *, write: bool = True) -> Iterator[Uncommitted]:
        del write  # one and the same for both
        with self.inner.nested() as inner:
            yield Uncommitted(inner, self.rows)


@contextmanager
def rehearse(store: Store) -> Iterator[Rehearsal]:
    """While the block runs the database's write lock is held; then everything is undone."""
    identity = store.identity
    with store.unit() as unit:
        unit.journal.go_on(identity)  # a database that is held can be rehearsed, too
        yield Rehearsal(unit, store.schema, identity)


class NobodyPosts:
    """Implements `procession.ports.MailOut`: takes every mail and sends none."""

    connections = 1

    def send(self, sender: str, recipients: Sequence[str], mime: bytes) -> Delivery:
        del sender, recipients, mime
        return Delivery("not sent: this is a simulation")

    def close(self) -> None:
        """Nothing is open."""
