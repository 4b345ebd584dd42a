"""A `Draft`: a process file whose shape is right, as plain frozen data with its places. Names in it are not
checked yet (`procession.rules` does); a part that could not be read is opaque and means "anything"."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from procession.errors import Place, ShapeProblem
from procession.expressions import Expression, Fillable
from procession.source import Document
from procession.steps.fields import Wants
from procession.steps.kind import StepKind

YamlPath = tuple[str | int, ...]
"""The keys and positions that lead to a value in the file: `("steps", 0, "send_email", "to")`."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of a field: plain, an `Expression`, or a `Text` with expressions in it.

    `spans` are its expressions with the character of the value at which each begins; `wants` the types
    that make sense.
    """

    path: YamlPath
    value: Fillable
    spans: tuple[tuple[Expression, int], ...] = ()
    wants: Wants | None = None

    @property
    def is_expression(self) -> bool:
        return isinstance(self.value, Expression)


@dataclass(frozen=True, slots=True)
class Filled:
    """A value as it will be filled, and its leaves."""

    value: Fillable = None
    leaves: tuple[Leaf, ...] = ()


@dataclass(frozen=True, slots=True)
class RetryDraft:
    """`retry` as written: a word, or these settings by name, of which the author gave those `written`."""

    word: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    written: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepDraft:
    """`path` is the plan's (`no_address/then/ask`), `where` the file's. `kind` is None if the step is opaque;
    `hidden` are the ids found below an opaque step. `shape` is None if its fields have problems.
    `default_retry` is what `defaults` say for steps of its kind."""

    path: str
    where: YamlPath
    id: str
    named: bool
    """Its author gave it the id."""
    title: str
    kind: StepKind | None = None
    shape: Any = None
    fields: Mapping[str, Filled] = field(default_factory=dict)
    guard: Leaf | None = None
    slots: Mapping[str, tuple["StepDraft", ...]] = field(default_factory=dict)
    on_error: tuple["StepDraft", ...] = ()
    on_timeout: tuple["StepDraft", ...] = ()
    timeout: Filled | None = None
    retry: RetryDraft | None = None
    default_retry: RetryDraft | None = None
    each: str = ""
    hidden: tuple[str, ...] = ()

    def leaves(self) -> Iterator[Leaf]:
        if self.guard:
            yield self.guard
        if self.timeout:
            yield from self.timeout.leaves
        for filled in self.fields.values():
            yield from filled.leaves


@dataclass(frozen=True, slots=True)
class InputDraft:
    """`type` is empty if the input is opaque."""

    name: str
    where: YamlPath
    type: str = ""
    of: str = ""
    title: str = ""
    description: str = ""
    required: bool = True
    default: Any = None
    minimum: Any = None
    maximum: Any = None
    pattern: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TriggerDraft:
    """`word` is `record`, `schedule`, `manual`, `message` or `signal`; `entity` what a record trigger watches, a manual one is on, or a
    message is about; `name` that of the message."""

    id: str
    where: YamlPath
    word: str
    entity: str = ""
    events: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    condition: Leaf | None = None
    inputs: Mapping[str, Filled] = field(default_factory=dict)
    cron: str = ""
    every: str = ""
    timezone: str = ""
    title: str = ""
    name: str = ""
    debounce: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A process. `problems` are mistakes that leave the rest of it clear enough to be checked."""

    document: Document
    process: str
    title: str
    description: str
    owner: str
    labels: tuple[str, ...]
    inputs: tuple[InputDraft, ...]
    triggers: tuple[TriggerDraft, ...]
    mode: str
    key: Filled
    timezone: Filled
    history_on: Filled
    steps: tuple[StepDraft, ...]
    errors: tuple[StepDraft, ...]
    problems: tuple[ShapeProblem, ...] = ()

    def every_step(self) -> Iterator[StepDraft]:
        """All steps in the order of the document, children after their parent, those of `errors` last."""
        yield from _in_order(self.steps)
        yield from _in_order(self.errors)

    def place(self, path: YamlPath, *, key: bool = False, offset: int | None = None) -> Place:
        return self.document.place(path, key=key, offset=offset)


def _in_order(steps: tuple[StepDraft, ...]) -> Iterator[StepDraft]:
    """All steps in the order of the document, children after their parent."""
    for step in steps:
        yield step
        for children in step.slots.values():
            yield from _in_order(children)
        yield from _in_order(step.on_error)
        yield from _in_order(step.on_timeout)


def path_in_words(document: Document, path: YamlPath) -> str:
    """`steps/invite/send_email/to`: a path with the ids of steps and triggers, or their numbers from 1."""
    words, value = [], document.value
    for segment in path:
        value = _below(value, segment)
        named = isinstance(value, dict) and isinstance(value.get("id"), str)
        words.append(str(value["id"]) if named and isinstance(segment, int) else _number(segment))
    return "/".join(words)


def _below(value: Any, segment: str | int) -> Any:
    try:
        return value[segment]
    except (KeyError, IndexError, TypeError):
        return None


def _number(segment: str | int) -> str:
    return str(segment + 1) if isinstance(segment, int) else segment
