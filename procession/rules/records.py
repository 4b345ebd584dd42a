"""Records: their kinds, fields and choices are those of the CRM."""

from collections.abc import Iterable, Iterator, Mapping

from procession.errors import ReferenceProblem
from procession.model import StepDraft, YamlPath
from procession.records import Entity, Field
from procession.rules.fitting import misfit
from procession.rules.typed import Typed, TypedLeaf, World, problem
from procession.spelling import did_you_mean, one_of

_WHERE_NAMED: Mapping[str, YamlPath] = {
    "record": ("record",), "manual": ("manual", "on"), "message": ("about",), "signal": ("about",),
}  # fmt: skip
"""Where a trigger names its kind of record."""
_VALUES = {"create": "values", "update": "values", "read": "where"}


def entities_are_known(typed: Typed, world: World) -> Iterable[ReferenceProblem]:
    for name, path in _entity_names(typed):
        if name not in world.schema.entities:
            known = list(world.schema.entities)
            hint = did_you_mean(name, known) or f"It can be {one_of(known)}."
            yield problem(typed.draft, f"there is no kind of record {name!r}", path, hint, offset=0)


def _entity_names(typed: Typed) -> Iterator[tuple[str, YamlPath]]:
    draft = typed.draft
    for declared in draft.inputs:
        if declared.of:
            yield declared.of, (*declared.where, "of")
    for trigger in draft.triggers:
        if trigger.entity:
            yield (
                trigger.entity,
                (*trigger.where, *_WHERE_NAMED[trigger.word]),
            )
    for step in draft.every_step():
        entity = step.fields["entity"].value if "entity" in step.fields and step.kind else None
        if isinstance(entity, str) and step.kind:
            yield entity, (*step.where, step.kind.word, "entity")


def fields_are_known(typed: Typed, world: World) -> Iterable[ReferenceProblem]:
    """The fields that steps read by and write, and the values they get."""
    for step in typed.draft.every_step():
        entity = _entity_of(typed, step, world)
        if entity is None or step.kind is None:
            continue
        key = _VALUES.get(step.kind.word, "")
        if key and key in step.fields:
            yield from _values(typed, step, entity, key)
        if step.kind.word == "create_activity":
            yield from _activity(typed, step, entity)
        if step.kind.word == "read":
            yield from _order(typed, step, entity)


def _entity_of(typed: Typed, step: StepDraft, world: World) -> Entity | None:
    """The entity that a step is about, if it is known."""
    word = step.kind.word if step.kind else ""
    if word == "create_activity":
        return world.schema.entities.get("activity")
    if word == "update" and "record" in step.fields:
        leaves = step.fields["record"].leaves
        return world.schema.entities.get(typed.at(step, leaves[0]).type.of) if leaves else None
    name = step.fields["entity"].value if "entity" in step.fields else None
    return world.schema.entities.get(name) if isinstance(name, str) else None


def _values(typed: Typed, step: StepDraft, entity: Entity, key: str) -> Iterable[ReferenceProblem]:
    filled, word = step.fields[key], step.kind.word if step.kind else ""
    if not isinstance(filled.value, Mapping) or not filled.leaves:
        return
    base, writes = filled.leaves[0].path, key == "values"
    by_path = {leaf.path: typed.at(step, leaf) for leaf in filled.leaves}
    for name in filled.value:
        field = entity.fields.get(str(name))
        if field is None:
            if writes or name != "id":
                yield _no_field(typed, entity, str(name), (*base, str(name)), writes=writes)
        elif word == "update" and field.fixed:
            hint = "It is given once, when the record is made."
            yield problem(
                typed.draft, f"{entity.name}.{name} cannot be changed", (*base, str(name)), hint, key=True
            )
        elif writes and not field.writable:
            hint = f"It can be read only. {_writable_instead(entity, str(name))}".strip()
            yield problem(
                typed.draft, f"{entity.name}.{name} cannot be written", (*base, str(name)), hint, key=True
            )
        else:
            path, called = (*base, str(name)), f"{entity.name}.{name}"
            yield from _value(typed, called, field, by_path[path], several=not writes)
            for item in (leaf for at, leaf in by_path.items() if at[:-1] == path and not writes):
                yield from _value(typed, called, field, item, several=False)
    if word == "create":
        yield from _required(typed, entity, filled.value, base)


def _no_field(
    typed: Typed, entity: Entity, name: str, path: YamlPath, *, writes: bool, key: bool = True
) -> ReferenceProblem:
    known = [known for known, field in entity.fields.items() if field.writable or not writes]
    hint = (
        did_you_mean(name, known) or did_you_mean(name, entity.fields) or f"It has {one_of(sorted(known))}."
    )
    return problem(
        typed.draft, f"{entity.name} has no field {name!r}", path, hint, key=key, offset=None if key else 0
    )


def _writable_instead(entity: Entity, name: str) -> str:
    return "Write 'category' instead." if name == "is_meeting" and "category" in entity.fields else ""


def _value(
    typed: Typed, called: str, field: Field, value: TypedLeaf, *, several: bool
) -> Iterable[ReferenceProblem]:
    wrong = misfit(field, value, called, several=several)
    if wrong:
        message, hint, offset = wrong
        yield problem(typed.draft, message, value.leaf.path, hint, offset=offset)


def _required(
    typed: Typed, entity: Entity, given: Mapping[str, object], base: YamlPath
) -> Iterable[ReferenceProblem]:
    for name, field in entity.fields.items():
        if field.required and field.writable and name not in given:
            hint = f"Add `{name}: …` to its values."
            yield problem(typed.draft, f"a new {entity.name} needs {name!r}", base, hint, key=True)


def _activity(typed: Typed, step: StepDraft, entity: Entity) -> Iterable[ReferenceProblem]:
    """The choices of `create_activity`; its types are those of its shape."""
    for name, filled in step.fields.items():
        field = entity.fields.get(name)
        if field and field.options and filled.leaves and name != "type":
            value = typed.at(step, filled.leaves[0])
            yield from _value(typed, f"{entity.name}.{name}", field, value, several=False)


def _order(typed: Typed, step: StepDraft, entity: Entity) -> Iterable[ReferenceProblem]:
    order = step.fields["order"].value if "order" in step.fields else None
    if isinstance(order, str) and order and order.lstrip("-") not in (*entity.fields, "id"):
        path = (*step.where, "read", "order")
        yield _no_field(typed, entity, order.lstrip("-"), path, writes=False, key=False)


def changed_fields_are_known(typed: Typed, world: World) -> Iterable[ReferenceProblem]:
    for trigger in typed.draft.triggers:
        entity = world.schema.entities.get(trigger.entity)
        for number, name in enumerate(trigger.changed):
            if entity and name not in entity.fields:
                yield _no_field(
                    typed, entity, name, (*trigger.where, "changed", number), writes=False, key=False
                )
        if trigger.changed and "modified" not in trigger.events:
            hint = "Add 'modified' to its events, or remove 'changed'."
            yield problem(
                typed.draft,
                "'changed' says nothing without 'modified'",
                (*trigger.where, "changed"),
                hint,
                key=True,
            )
