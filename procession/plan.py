"""A `Plan` is a checked process as plain frozen data: steps in order, every reference resolved.

Third stage of the line (see `procession.compile`). Nothing here can fail: the rules proved it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from procession.errors import Place
from procession.expressions import Expression, Fillable
from procession.ports import EventType, Mode
from procession.records import Paths, Type
from procession.steps.kind import StepKind


@dataclass(frozen=True, slots=True)
class Retry:
    """`max_attempts` tries in all; the pause grows by `backoff` up to `max_interval`, ± `jitter` (0 to 1).
    `on` lists the error classes worth a retry (`temporary`, `permanent`)."""

    max_attempts: int = 1
    interval: timedelta = timedelta(seconds=30)
    backoff: float = 2.0
    max_interval: timedelta = timedelta(hours=1)
    jitter: float = 0.1
    on: tuple[str, ...] = ("temporary",)


NO_RETRY = Retry()
TRANSIENT = Retry(max_attempts=6)
"""What `retry: transient` means: about a quarter of an hour."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `path` is unique in the plan (`no_address/then/ask`); `fields` are filled before `decide`;
    `slots` are the child steps by slot (`then`, `else`, `branches/0`, `steps`); `each` names the loop variable."""

    path: str
    id: str
    title: str
    kind: StepKind
    at: Place
    fields: Mapping[str, Fillable] = field(default_factory=dict)
    guard: Expression | None = None
    slots: Mapping[str, tuple["Step", ...]] = field(default_factory=dict)
    on_error: tuple["Step", ...] = ()
    retry: Retry = NO_RETRY
    each: str = ""


@dataclass(frozen=True, slots=True)
class Input:
    """One typed input; `default` is already of its type. `options` for `select`."""

    name: str
    type: Type
    title: str
    description: str = ""
    required: bool = True
    default: Any = None
    minimum: Any = None
    maximum: Any = None
    pattern: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trigger:
    """What starts an instance: a saved record (`entity`, `events`), a schedule (`cron`, in `timezone`, or `every`),
    or a person (`manual`, `entity` if it is on a record)."""

    id: str
    at: Place
    events: tuple[EventType, ...]
    entity: str = ""
    changed: tuple[str, ...] = ()
    condition: Expression | None = None
    inputs: Mapping[str, Fillable] = field(default_factory=dict)
    cron: str = ""
    every: timedelta | None = None
    timezone: str = "UTC"
    reads: Paths = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """A process ready to run. `reads` says, per record input, which references its expressions and
    templates follow. `digest` names this version; `files` are what it was made from."""

    process: str
    title: str
    description: str
    owner: str
    labels: tuple[str, ...]
    inputs: tuple[Input, ...]
    triggers: tuple[Trigger, ...]
    mode: Mode
    key: Fillable
    timezone: Fillable
    history_on: Fillable
    steps: tuple[Step, ...]
    errors: tuple[Step, ...]
    reads: Mapping[str, Paths]
    at: Place
    digest: str
    files: Mapping[str, str] = field(default_factory=dict)


def every_step(plan: Plan) -> Iterator[Step]:
    """All steps in the order of the document, children after their parent."""
    yield from _below(plan.steps)
    yield from _below(plan.errors)


def _below(steps: tuple[Step, ...]) -> Iterator[Step]:
    for step in steps:
        yield step
        for children in step.slots.values():
            yield from _below(children)
        yield from _below(step.on_error)
