"""The walk over a draft that gives every value its type (Draft → `Typed`). Finds nothing wrong by itself."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from procession.expressions import Expression, Names, Scope, Text, check
from procession.model import Draft, Filled, Leaf, StepDraft, TriggerDraft, YamlPath
from procession.records import ANY, TEXT, Type, record_of
from procession.rules.literals import is_complete, results
from procession.rules.naming import OURS, Seen, input_types, settled, with_ours
from procession.rules.typed import Typed, TypedLeaf, TypedMail, World, type_of_plain

_DOTTED = re.compile(r"([a-z_]\w*(?:\.\w+)*)\s*(?:\||$)")


def type_draft(draft: Draft, world: World) -> Typed:
    """Look at every expression and every template of a draft."""
    walk = _Walk(draft, world)
    walk.process()
    for trigger in draft.triggers:
        walk.trigger(trigger)
    after = walk.steps(draft.steps, Seen())
    walk.steps(draft.errors, after.with_local("error", OURS["error"]))
    by_path = {
        (found.owner.path, found.leaf.path): found
        for found in walk.leaves
        if isinstance(found.owner, StepDraft)
    }
    return Typed(draft, tuple(walk.leaves), walk.scopes, tuple(walk.mails), by_path)


OF_EVENTS = ("record", "message", "signal")
"""Triggers that may bring a record along."""


class _Walk:
    """What was found on the way so far."""

    def __init__(self, draft: Draft, world: World) -> None:
        self.draft, self.world = draft, world
        self.schema = with_ours(world.schema)
        inputs = input_types(draft, world.schema)
        self.base: Names = {
            **inputs,
            "inputs": inputs,
            "trigger": OURS["trigger"],
            "process": OURS["process"],
        }
        self.leaves: list[TypedLeaf] = []
        self.scopes: dict[str, Scope] = {}
        self.mails: list[TypedMail] = []

    def process(self) -> None:
        scope = Scope({name: type_ for name, type_ in self.base.items() if name != "process"}, self.schema)
        for filled in (self.draft.key, self.draft.timezone, self.draft.history_on):
            for leaf in filled.leaves:
                self.leaf(leaf, scope, Seen(), None)

    def trigger(self, trigger: TriggerDraft) -> None:
        names: dict[str, Type] = {"trigger": OURS["trigger"], "event": OURS["event"]}
        if trigger.word in OF_EVENTS and trigger.entity:
            names["record"] = settled(record_of(trigger.entity), self.schema)
        scope = Scope(names, self.schema)
        inputs = (leaf for filled in trigger.inputs.values() for leaf in filled.leaves)
        for leaf in (*([trigger.condition] if trigger.condition else []), *inputs):
            self.leaf(leaf, scope, Seen(), trigger)

    def leaf(self, leaf: Leaf, scope: Scope, seen: Seen, owner: StepDraft | TriggerDraft | None) -> TypedLeaf:
        checks = tuple(check(expression.source, scope) for expression, _ in leaf.spans)
        match leaf.value:
            case Expression():
                type_ = ANY if checks[0].findings else checks[0].type
            case Text():
                type_ = TEXT
            case plain:
                type_ = type_of_plain(plain)
        reads = seen.resolve(read for one in checks for read in one.reads)
        found = TypedLeaf(leaf, type_, scope, checks, reads, owner)
        self.leaves.append(found)
        return found

    # --- steps

    def steps(self, steps: Iterable[StepDraft], seen: Seen) -> Seen:
        for step in steps:
            seen = self.step(step, seen)
        return seen

    def step(self, step: StepDraft, seen: Seen) -> Seen:
        """What is seen after a step."""
        scope = Scope(seen.names(self.base), self.schema)
        self.scopes[step.path] = scope
        typed = {
            leaf.path: self.leaf(leaf, self.seen_by(step, leaf, scope), seen, step) for leaf in step.leaves()
        }
        if step.kind and step.kind.word == "send_email":
            self.mail(step, typed, seen)
        after = self.below(step, typed, seen).with_outputs(step, self.schema)
        if step.kind and step.kind.word == "set":
            after = _named(step, typed, after)
        handlers = [
            self.steps(some, seen.with_local("error", OURS["error"]))
            for some in (step.on_error, step.on_timeout)
        ]
        return after.joined(handlers[0]).joined(handlers[1])

    def seen_by(self, step: StepDraft, leaf: Leaf, scope: Scope) -> Scope:
        """The names of one leaf of a step: a `match` also sees what came."""
        if step.kind is None or step.kind.word != "wait_for" or leaf.path[-1] != "match":
            return scope
        source = source_of(step, leaf)
        names = {**scope.names, "event": OURS["event"]}
        if source is None:  # it could not be read: that was said already
            names["record"] = ANY
        elif entity := source.record or source.about:
            names["record"] = settled(record_of(entity), self.schema)
        return Scope(names, self.schema)

    def below(self, step: StepDraft, typed: Mapping[YamlPath, TypedLeaf], seen: Seen) -> Seen:
        """What is seen after the steps below a step."""
        if step.each:
            items = _first(step.fields.get("items"), typed)
            item = (items.type.item or ANY) if items else ANY
            inside = seen.with_local(step.each, item, origin(items, seen) if items else ())
            return seen.after_loop(self.steps(step.slots.get("steps", ()), inside))
        every_branch = step.shape is not None and getattr(step.shape, "match", "first") == "all"
        if step.kind and step.kind.word == "wait_for":
            seen = seen.with_outputs(step, self.schema)  # it is over once its steps begin
        after = seen
        for children in step.slots.values():
            after = after.joined(self.steps(children, after if every_branch else seen))
        return after

    # --- mails

    def mail(self, step: StepDraft, typed: Mapping[YamlPath, TypedLeaf], seen: Seen) -> None:
        template = _first(step.fields.get("template"), typed)
        if template is None:
            return
        scope, seen = self.mail_scope(step, typed, seen)
        known, named = self.world.templates.names(), results(template.leaf.value)
        for name in known:
            if name in named or not is_complete(template.leaf.value):
                reads = seen.resolve(self.world.templates.reads(name, scope))
                problems = self.world.templates.problems(name, scope) if name in named else ()
                self.mails.append(TypedMail(step, name, tuple(problems), reads))

    def mail_scope(
        self, step: StepDraft, typed: Mapping[YamlPath, TypedLeaf], seen: Seen
    ) -> tuple[Scope, Seen]:
        """The names that a mail's template can see."""
        names = seen.names(self.base)
        for name, field in (("recipient", "to"), ("sender", "from")):
            person = _first(step.fields.get(field), typed)
            if person and person.type.name == "record":
                names[name] = person.type
                seen = replace(seen, origins={**seen.origins, (name,): frozenset(origin(person, seen))})
        more = step.fields.get("with", Filled())
        for leaf in more.leaves:
            if len(leaf.path) and leaf.path[-2:-1] == ("with",):
                names[str(leaf.path[-1])] = typed[leaf.path].type
        return Scope(names, self.schema), seen


def source_of(step: StepDraft, leaf: Leaf) -> Any:
    """The source of a `wait_for` to which a leaf belongs; None if it is another one."""
    below = leaf.path[len(step.where) :]
    if step.kind is None or step.kind.word != "wait_for" or step.shape is None or below[:1] != ("wait_for",):
        return None
    return step.shape.wait_for[below[1] if isinstance(below[1], int) else 0]


def _named(step: StepDraft, typed: Mapping[YamlPath, TypedLeaf], seen: Seen) -> Seen:
    """After a `set`: its names are values of `vars`."""
    for name, filled in step.fields.items():
        value = _first(filled, typed)
        if value:
            seen = seen.with_value(name, value.type, origin(value, seen))
    return seen


def _first(filled: Filled | None, typed: Mapping[YamlPath, TypedLeaf]) -> TypedLeaf | None:
    """The value of a field as a whole."""
    return typed.get(filled.leaves[0].path) if filled and filled.leaves else None


def origin(value: TypedLeaf, seen: Seen) -> frozenset[tuple[str, ...]]:
    """Where the records of a value come from: the name it begins with, and every reference it follows."""
    if not value.leaf.is_expression:
        return frozenset()
    source = value.leaf.spans[0][0].source
    found = _DOTTED.match(source)
    begins = [tuple(found[1].removeprefix("inputs.").split("."))] if found else []
    return seen.resolve(begins) | value.reads
