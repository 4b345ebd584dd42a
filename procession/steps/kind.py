"""What a step kind is: its word in YAML, its shape, its outputs, and its pure `decide`.

A kind's file, YAML word and shape share one name. `procession.steps.STEPS` lists them all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, WithJsonSchema

from procession.effects import Effect, Recipient
from procession.errors import Place
from procession.ports import Arrival, Renderer, Sought
from procession.records import Ref, Schema, Type


class Shape(BaseModel):
    """The YAML below a step's word. Every text may hold `{{ }}`, unless its type says otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ConditionMark:
    """Marks a shape's field as a bare expression."""


class LiteralMark:
    """Marks a shape's field as plain data: no expression is looked for in it."""


class InTurnMark:
    """Marks a field of an entry as one that the step works out by itself, as it does with conditions."""


class StepsMark:
    """Marks a shape's field as a list of nested steps (parsed by `procession.model`)."""


Condition = Annotated[str, ConditionMark()]
"""A bare expression, written without braces."""

Steps = Annotated[
    list[Any],
    StepsMark(),
    WithJsonSchema({"type": "array", "items": {"title": "Step"}, "minItems": 1}),
]
"""Nested steps."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The instance ends here: with a result, or with an error."""

    result: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """The step waits, and is taken again at `due`: for a moment, for what it has `sought`, or to send the mail that it holds
    back. It is taken again before that when one of the fields changes that it `reads`, or when something came; without a moment,
    only then. At `expires` it gives up."""

    kind: Literal["timer", "mail", "event"]
    due: datetime | None
    reads: frozenset[tuple[Ref, str]] = frozenset()
    sought: tuple[Sought, ...] = ()
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step decided: effects to perform, and where to go.

    `branches` names the slots of child steps to enter, in order (`then`, `branches/2`, `else`); `items` the values a
    `for_each` goes through, one round of `steps` each; `set_vars` what `vars.*` become; `output` is
    merged under what the effects' receipts give. One that `leaves` does not take the rest of the list of steps in which
    it stands; one that `passes_over` steps does not take so many of those that follow. `consumes` is the number of an event: it
    comes for no other wait of the instance.
    """

    effects: tuple[Effect, ...] = ()
    output: Mapping[str, Any] = field(default_factory=dict)
    branches: tuple[str, ...] = ()
    items: tuple[Any, ...] | None = None
    set_vars: Mapping[str, Any] = field(default_factory=dict)
    stop: Stop | None = None
    pause: Pause | None = None
    leaves: bool = False
    passes_over: int = 0
    consumes: int = 0


@dataclass(frozen=True, slots=True)
class Context:
    """What a step may look at while it decides. `names` is the scope of expressions."""

    names: Mapping[str, Any]
    now: datetime
    process: str
    title: str
    message_id: str
    """Of a mail sent at this path in this round."""
    mail_domain: str
    default_sender: Recipient
    history_on: Ref | None
    renderer: Renderer
    schema: Schema
    functions: Mapping[str, Callable[..., Any]]
    at: Place
    trigger_ref: Ref | None = None
    """The record whose save started the instance."""
    has_waited: bool = False
    """It waited here, and was woken."""
    waited_until: datetime | None = None
    """Until when it was to wait."""
    is_hastened: bool = False
    """A person does not want to wait any longer."""
    arrived: tuple[Arrival, ...] = ()
    """What came for it since it waits, oldest first."""
    unseen: datetime | None = None
    """What happened since then may still come."""

    def is_over(self, moment: datetime) -> bool:
        """Whether a moment is, and all came that happened by then."""
        return moment <= self.now and (self.unseen is None or moment < self.unseen)


Decide = Callable[[Mapping[str, Any], Context], Outcome]
"""(filled fields by their word in YAML, context) → outcome. Touches nothing outside. What the author left
out is absent, an expression that gave nothing is None; a condition may still be an expression
(`procession.expressions.Deferred`).

Raises:
    PermanentError: these values allow no outcome.
"""

OutputTypes = Callable[[Any, Schema], Mapping[str, Type]]
"""(shape, schema) → `{name: type}` of what later steps read as `outputs.<step id>.<name>`."""


def no_outputs(_shape: Any, _schema: Schema) -> Mapping[str, Type]:
    return {}


Group = Literal["data", "comm", "flow", "waiting", "other"]
Asks = Literal["nothing", "store", "outside"]
"""What a step depends on: nothing (it fails if an expression of its own does), the store (for good: the engine
itself tries again while a database is busy), or something outside, which may not answer for a moment."""


@dataclass(frozen=True, slots=True)
class StepKind:
    """One kind of step. `title` is one line for lists; `needs_id` where others hold on to it; after one that
    `changes_records` the records of the instance are read again."""

    word: str
    group: Group
    title: str
    shape: type[BaseModel]
    decide: Decide
    outputs: OutputTypes = no_outputs
    asks: Asks = "store"
    needs_id: bool = False
    changes_records: bool = False
    quiet: bool = False
    """It has no effect and takes no decision: in a loop it leaves no row in the journal."""
    live: str = ""
    """Its field that is worked out again, while it waits, as soon as a record changes that it was computed from."""
    whole: str = ""
    """The field that all is which stands below its word, an entry or a list of these; `example` is one."""
    example: str = ""
    shorthand: str = ""
    """The field that a bare scalar or list means: `log_history: text` is `log_history: {text: text}`."""


Names = Sequence[str]
