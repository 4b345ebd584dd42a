"""What an instance waits for, and what came for it. Frozen data, moments in UTC."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from procession.ports.entries import Event
from procession.records import Record, Ref

WaitKind = Literal["retry", "mail", "timer", "event"]

ANY_FIELD = "*"
"""In place of a field that a wait reads: whatever changes. For fields that follow from others, and are never said to change."""


ANY_KEY = "*"
"""The correlation key of waits that are for every event of their kind."""


@dataclass(frozen=True, slots=True)
class Sought:
    """Events that a wait is for: of this `kind` (`activity.added`, `activity.modified.start`, `message order.paid`), with this correlation `key`
    (`procession.correlation`). Those that came since the instance began count, or those `since` a moment; if neither is said, those
    that come from now on."""

    kind: str
    key: str
    since: datetime | None = None
    since_began: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """What a token of an instance waits for at its step.

    kind     retry: to try again; mail: to send the mail that its step holds back; timer: a moment; event: what it has `sought`
    due      when it is to be woken; None if nobody can say yet
    expires  when its step gives up (`timeout`)
    reads    the fields that this was computed from: `(record, field)`. The wait is woken when one of them changes, or one of the
             records is deleted
    scope    of the token (`procession.position`); 0 is every one that is to be tried again

    A token has one at most. `woken_at` is set once it is over, or must be looked at again; then its instance goes on.
    `hastened` says that a person does not want to wait any longer. `as_of` is how far the planner was when the records were
    read (`Journal.units`). Of what arrived for it, `judged` are the events that its step looked at and did not mean. One
    that `is_new` was not looked back from yet.
    """

    instance: int
    scope: int
    path: str
    round: str
    kind: WaitKind
    since: datetime
    due: datetime | None = None
    expires: datetime | None = None
    reads: tuple[tuple[Ref, str], ...] = ()
    sought: tuple[Sought, ...] = ()
    woken_at: datetime | None = None
    hastened: bool = False
    as_of: int = 0
    judged: tuple[int, ...] = field(default=(), compare=False)
    is_new: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event that came for a wait, and the record that it is about as that is now; None if that is gone, or there is none."""

    event: Event
    record: Record | None = None


@dataclass(frozen=True, slots=True)
class Correlation:
    """An event on its way to the waits that seek it: as any of its kinds, under any of its keys. `superseding` are the starts, each
    (process, key), that take it away from the instances which they replace."""

    event: Event
    kinds: frozenset[str]
    keys: frozenset[str]
    superseding: frozenset[tuple[str, str]] = frozenset()
