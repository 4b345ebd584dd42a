"""A `Plan` is a checked process as plain frozen data: steps in order, every reference resolved.

Third stage of the line (see `procession.compile`). Nothing here can fail: the rules proved it.
"""

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

from procession.errors import Place
from procession.expressions import ALL, Expression, Fillable, steps_named
from procession.model import Draft, Filled, InputDraft, RetryDraft, StepDraft, TriggerDraft
from procession.model.shapes import RetryShape
from procession.ports import EventType, Mode
from procession.records import Paths, Schema, Type
from procession.rules import Typed, World
from procession.rules.inputs import WRITTEN_OUT, input_value
from procession.rules.naming import Seen, input_types
from procession.rules.triggers import implied_input
from procession.rules.typing_pass import OF_EVENTS, origin
from procession.steps.kind import StepKind
from procession.times import parse_duration


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

    def pause(self, attempts: int) -> timedelta:
        """How long to wait after so many tries: exponential, capped, with jitter."""
        growth = self.backoff ** min(attempts - 1, 30)
        wait = min(self.interval.total_seconds() * growth, self.max_interval.total_seconds())
        return timedelta(seconds=wait * (1 + random.uniform(-self.jitter, self.jitter)))  # noqa: S311  # not a secret


NO_RETRY = Retry()
TRANSIENT = Retry(max_attempts=6)
"""What `retry: transient` means: about a quarter of an hour."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `path` is unique in the plan (`no_address/then/ask`); `fields` are filled before `decide`;
    `slots` are the child steps by slot (`then`, `else`, `branches/1`, `steps`); `each` names the loop variable."""

    path: str
    id: str
    title: str
    kind: StepKind
    at: Place
    fields: Mapping[str, Fillable] = field(default_factory=dict)
    guard: Expression | None = None
    slots: Mapping[str, tuple["Step", ...]] = field(default_factory=dict)
    on_error: tuple["Step", ...] = ()
    on_timeout: tuple["Step", ...] = ()
    timeout: Fillable = None
    """How long it waits at most; None: for ever."""
    retry: Retry = NO_RETRY
    each: str = ""
    reads: Paths = frozenset()
    """References that later steps follow from the records this one finds or makes."""


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
    """What starts an instance: a saved record (`entity`, `events`), a schedule (`cron`, in `timezone`, or `every`), a person
    (`manual`, `entity` if it is on a record), or a message or signal of this `name` (`entity` if it must be about such a record)."""

    id: str
    at: Place
    events: tuple[EventType, ...]
    entity: str = ""
    changed: tuple[str, ...] = ()
    condition: Expression | None = None
    inputs: Mapping[str, Fillable] = field(default_factory=dict)
    cron: str = ""
    every: timedelta | None = None
    debounce: timedelta | None = None
    timezone: str = "UTC"
    reads: Paths = frozenset()
    name: str = ""
    title: str = ""
    """What a person who starts it by hand reads."""

    @property
    def schedule(self) -> tuple[object, ...]:
        """When it fires, if it is a schedule; empty if it is none."""
        if self.every:
            return (self.every,)
        return (self.cron, self.timezone) if self.cron else ()


@dataclass(frozen=True, slots=True)
class Located:
    """A step and where it stands: in the list `slot` (`then`, `branches/1`, `steps`, `on_error`, `on_timeout`) of the step at
    `parent`, or in `steps` or `errors` of the process (`parent` is empty). `number` is its place in that list,
    `order` in `every_step`; both from 0."""

    step: Step
    parent: str
    slot: str
    number: int
    order: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A process ready to run. `reads` says, per record input, which references its expressions and
    templates follow. `digest` names this version; `files` are what it was made from. `kept` are the ids of
    the steps whose outputs are read later: by an expression, a template or a reply. `located` is every step
    by its path."""

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
    kept: frozenset[str] = frozenset()
    located: Mapping[str, Located] = field(init=False, repr=False, compare=False)
    is_live: bool = field(init=False, repr=False, compare=False)
    """Whether a step may wait for what is computed from records."""

    def __post_init__(self) -> None:
        found: dict[str, Located] = {}
        _locate(self.steps, "", "steps", found)
        _locate(self.errors, "", "errors", found)
        object.__setattr__(self, "located", found)
        object.__setattr__(
            self, "is_live", any(one.step.kind.live in one.step.fields for one in found.values())
        )


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
        yield from _below(step.on_timeout)


def _locate(steps: tuple[Step, ...], parent: str, slot: str, found: dict[str, Located]) -> None:
    """In the order of `every_step`."""
    for number, step in enumerate(steps):
        found[step.path] = Located(step, parent, slot, number, len(found))
        for name, children in step.slots.items():
            _locate(children, step.path, name, found)
        _locate(step.on_error, step.path, "on_error", found)
        _locate(step.on_timeout, step.path, "on_timeout", found)


# --- making one


def make(typed: Typed, world: World) -> Plan:
    """The plan of a checked process. Nothing here can fail."""
    draft = typed.draft
    reads = _reads(typed, world.schema)
    files = _files(typed, world)
    types = input_types(draft, world.schema)
    return Plan(
        process=draft.process, title=draft.title, description=draft.description, owner=draft.owner,
        labels=draft.labels, inputs=tuple(_input(declared, types[declared.name]) for declared in draft.inputs),
        triggers=tuple(_trigger(trigger, typed, world.schema) for trigger in draft.triggers),
        mode=cast("Mode", draft.mode), key=draft.key.value, timezone=draft.timezone.value or "UTC",
        history_on=draft.history_on.value, steps=_steps(draft.steps, typed, reads, None),
        errors=_steps(draft.errors, typed, reads, None),
        reads={i.name: frozenset(reads[(i.name,)]) for i in draft.inputs if types[i.name].name == "record"},
        at=draft.place(("process",)), digest=_digest(files), files=files,
        kept=_kept(typed, world),
    )  # fmt: skip


def _input(declared: InputDraft, type_: Type) -> Input:
    default, minimum, maximum = (
        None if value is None else input_value(declared.type, value)
        for value in (declared.default, declared.minimum, declared.maximum)
    )
    return Input(
        declared.name, type_, declared.title, description=declared.description, required=declared.required,
        default=default, minimum=minimum, maximum=maximum, pattern=declared.pattern, options=declared.options,
    )  # fmt: skip


def _trigger(trigger: TriggerDraft, typed: Typed, schema: Schema) -> Trigger:
    draft = typed.draft
    at = draft.place(trigger.where)
    types = {declared.name: declared.type for declared in draft.inputs}
    inputs = {name: _given(types[name], filled) for name, filled in trigger.inputs.items()}
    implied = implied_input(draft, trigger) if trigger.word in OF_EVENTS else ""
    if implied:
        inputs[implied] = Expression("record", at)
    condition = trigger.condition.value if trigger.condition else None
    return Trigger(
        trigger.id, at, cast("tuple[EventType, ...]", trigger.events), entity=trigger.entity, changed=trigger.changed,
        condition=condition if isinstance(condition, Expression) else None, inputs=inputs, cron=trigger.cron,
        every=parse_duration(trigger.every) if trigger.every else None, timezone=trigger.timezone or _own_zone(draft),
        reads=_trigger_reads(trigger, implied, typed, schema), title=trigger.title, name=trigger.name,
        debounce=parse_duration(trigger.debounce) if trigger.debounce else None,
    )  # fmt: skip


def _own_zone(draft: Draft) -> str:
    """Of the process, where it is the same whatever that is about."""
    zone = draft.timezone.value
    return zone if isinstance(zone, str) and zone else "UTC"


def _given(type_: str, filled: Filled) -> Fillable:
    """What a trigger gives for an input; what is written out has the type of the input already."""
    written_out = type_ in WRITTEN_OUT and not any(leaf.spans for leaf in filled.leaves)
    return cast("Fillable", input_value(type_, filled.value)) if written_out else filled.value


def _steps(
    steps: Iterable[StepDraft], typed: Typed, reads: "_Reads", around: RetryDraft | None
) -> tuple[Step, ...]:
    return tuple(_step(step, step.kind, typed, reads, around) for step in steps if step.kind)


def _step(step: StepDraft, kind: StepKind, typed: Typed, reads: "_Reads", around: RetryDraft | None) -> Step:
    """`around` is the `retry` of the nearest step with one in which this one stands. It is for every step
    inside by itself; what handles an error of that step stands outside."""
    guard = step.guard.value if step.guard else None
    retry = step.retry or around or step.default_retry or (WHEN_HELD if _is_held_back(step) else None)
    return Step(
        step.path, step.id, step.title, kind, typed.draft.place(step.where),
        fields={name: filled.value for name, filled in step.fields.items()},
        guard=guard if isinstance(guard, Expression) else None,
        slots={slot: _steps(children, typed, reads, retry) for slot, children in step.slots.items()},
        on_error=_steps(step.on_error, typed, reads, around), retry=_retry(retry), each=step.each,
        on_timeout=_steps(step.on_timeout, typed, reads, around), timeout=step.timeout.value if step.timeout else None,
        reads=frozenset(reads["outputs", step.id]) if step.named else frozenset(),
    )  # fmt: skip


WHEN_HELD = RetryDraft(settings=RetryShape(max_attempts=10, max_interval="1h").model_dump())
"""What a mail that was held back gets if nothing is said: nobody is there any more to see that the server put it off."""


def _is_held_back(step: StepDraft) -> bool:
    return not step.fields.keys().isdisjoint(("undo", "send_window"))


def _retry(retry: RetryDraft | None) -> Retry:
    if retry is None or retry.word == "none":
        return NO_RETRY
    if retry.word == "transient":
        return TRANSIENT
    settings = dict(retry.settings)
    interval, longest = (parse_duration(settings.pop(name)) for name in ("interval", "max_interval"))
    if "max_interval" not in retry.written:
        longest = max(interval, longest)  # a first pause of two hours is meant
    return Retry(**{**settings, "on": tuple(settings["on"])}, interval=interval, max_interval=longest)


# --- which references are followed

_Reads = defaultdict[tuple[str, ...], set[tuple[str, ...]]]
"""`{("meeting",): paths from that input, ("outputs", "open"): paths from the records of that step}`."""


def _reads(typed: Typed, schema: Schema) -> _Reads:
    types = input_types(typed.draft, schema)
    outputs = {name: type_ for scope in typed.scopes.values() for name, type_ in _outputs(scope.names)}
    found: _Reads = defaultdict(set)
    root: tuple[str, ...]
    for owner, read in _all_reads(typed):
        if read[0] == "record" and owner:  # of what a `wait_for` waits for, which is its output later
            root, entity, path = ("outputs", owner.id), outputs.get((owner.id, "record"), ""), read[1:]
        elif read[0] == "outputs" and read[1:3] in outputs:
            root, entity, path = read[:2], outputs[read[1], read[2]], read[3:]
        elif read[0] in types:
            root, entity, path = read[:1], types[read[0]].of, read[1:]
        else:
            continue
        if path and _leads_somewhere(path, entity, schema):
            found[root].add(path)
    return found


def _all_reads(typed: Typed) -> Iterator[tuple[StepDraft | None, tuple[str, ...]]]:
    for found in typed.leaves:
        if not isinstance(found.owner, TriggerDraft):
            yield from ((found.owner, read) for read in found.reads)
    for mail in typed.mails:
        yield from ((None, read) for read in mail.reads)


def _outputs(names: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    """((step id, output), entity) of every output that is a record or a list of them."""
    for step, outputs in names["outputs"].items():
        for name, type_ in outputs.items() if isinstance(outputs, Mapping) else ():
            record = type_.item or type_
            if record.name == "record":
                yield (step, name), record.of


def _leads_somewhere(path: tuple[str, ...], entity: str, schema: Schema) -> bool:
    """Whether every step of a path is a reference."""
    for name in path:
        known = schema.field(entity, name)
        record = (known.type.item or known.type) if known else None
        if record is None or record.name != "record":
            return False
        entity = record.of
    return True


def _trigger_reads(trigger: TriggerDraft, implied: str, typed: Typed, schema: Schema) -> Paths:
    """What the trigger follows from its record, and what the key follows from the inputs it fills."""
    mine = [found for found in typed.leaves if found.owner is trigger]
    reads = {read for found in mine for read in found.reads}
    stands_for = {found.leaf.path[-1]: origin(found, Seen()) for found in mine} | {
        implied: frozenset({("record",)})
    }
    key = [found for found in typed.leaves if found.leaf.path[:1] == ("key",)]
    for read in (read for found in key for read in found.reads):
        reads |= {(*root, *read[1:]) for root in stands_for.get(read[0], ())}
    paths = (read[1:] for read in reads if read[0] == "record")
    return frozenset(path for path in paths if path and _leads_somewhere(path, trigger.entity, schema))


def _kept(typed: Typed, world: World) -> frozenset[str]:
    """The ids of the steps whose outputs something reads later."""
    spans = (expression for found in typed.leaves for expression, _ in found.leaf.spans)
    named = frozenset[str]().union(
        *(steps_named(expression.source) for expression in spans),
        *(world.templates.steps_named(template) for template in {mail.template for mail in typed.mails}),
    )
    steps = list(typed.draft.every_step())
    answered = {str(step.fields["reply_to"].value) for step in steps if "reply_to" in step.fields}
    ids = frozenset(step.id for step in steps if step.named)
    return ids if ALL in named else ids & (named | answered)


# --- what it is made from


def _files(typed: Typed, world: World) -> Mapping[str, str]:
    """`{path: text}`: the process under its file's name, and every file of the mails it may send."""
    files = {f"{typed.draft.process}.yaml": typed.draft.document.text}
    for mail in typed.mails:
        files |= world.templates.files(mail.template)
    return dict(sorted(files.items()))


def _digest(files: Mapping[str, str]) -> str:
    parts = (part.encode() for file in sorted(files.items()) for part in file)
    return hashlib.sha256(b"".join(len(part).to_bytes(8) + part for part in parts)).hexdigest()
