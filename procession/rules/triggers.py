"""Triggers give the process its inputs."""

from collections.abc import Iterable

from procession.errors import ReferenceProblem
from procession.model import Draft, InputDraft, TriggerDraft
from procession.records import Type
from procession.rules.fitting import fits
from procession.rules.naming import input_types
from procession.rules.typed import Typed, TypedLeaf, World, problem
from procession.rules.wanted import called
from procession.spelling import did_you_mean, one_of


def implied_input(draft: Draft, trigger: TriggerDraft) -> str:
    """The input that the record of a trigger goes to without being told: the one required record input of
    its kind that the trigger does not give; "" if there is none or more than one."""
    if trigger.word == "schedule" or not trigger.entity:
        return ""
    missing = [
        i.name for i in draft.inputs if i.required and _is(i, trigger.entity) and i.name not in trigger.inputs
    ]
    return missing[0] if len(missing) == 1 else ""


def _is(declared: InputDraft, entity: str) -> bool:
    return (declared.type == "record" and declared.of == entity) or (
        declared.type == "user" and entity == "user"
    )


def triggers_give_the_inputs(typed: Typed, world: World) -> Iterable[ReferenceProblem]:
    draft = typed.draft
    types = input_types(draft)
    for trigger in draft.triggers:
        for name, filled in trigger.inputs.items():
            path = (*trigger.where, "inputs", name)
            if name not in types:
                hint = did_you_mean(name, types) or (
                    f"It has {one_of(types)}." if types else "It has no inputs."
                )
                yield problem(draft, f"the process has no input {name!r}", path, hint, key=True)
            elif filled.leaves:
                yield from _right_type(typed, trigger, types[name], path)
        yield from _missing(draft, trigger, world)


def _right_type(
    typed: Typed, trigger: TriggerDraft, wanted: Type, path: tuple[str | int, ...]
) -> Iterable[ReferenceProblem]:
    value = next(found for found in typed.leaves if found.owner is trigger and found.leaf.path == path)
    if not fits(wanted, value.type) and not _written(wanted, value):
        offset = value.leaf.spans[0][1] if value.leaf.spans else 0
        what = f"a record ({wanted.of})" if wanted.name == "record" else str(wanted)
        yield problem(
            typed.draft,
            f"the input {path[-1]!r} is {what}, not {called(value)}",
            path,
            _hint(typed, wanted, value),
            offset=offset,
        )


def _written(wanted: Type, value: TypedLeaf) -> bool:
    return wanted.name in ("date", "datetime", "duration") and value.type.name == "text"


def _hint(typed: Typed, wanted: Type, value: TypedLeaf) -> str:
    if isinstance(value.leaf.value, str) and value.leaf.value.split(".")[0] in value.scope.names:
        return f'Write "{{{{ {value.leaf.value} }}}}".'
    del typed
    if wanted.name == "record" and value.type.name == "record":
        entity = value.scope.schema.entities.get(value.type.of)
        near = (
            next((name for name, field in entity.fields.items() if field.type == wanted), "")
            if entity
            else ""
        )
        return f"Did you mean '{value.leaf.spans[0][0].source}.{near}'?" if near else ""
    return ""


def _missing(draft: Draft, trigger: TriggerDraft, world: World) -> Iterable[ReferenceProblem]:
    implied = implied_input(draft, trigger)
    if trigger.word == "manual":
        if trigger.entity in world.schema.entities and not implied:
            hint = f"Declare one required input `{{type: record, of: {trigger.entity}}}`."
            yield problem(
                draft,
                f"no input takes the {trigger.entity} that the process is started on",
                (*trigger.where, "manual", "on"),
                hint,
                offset=0,
            )
        return
    for declared in draft.inputs if trigger.entity in ("", *world.schema.entities) else ():
        if (
            declared.type
            and declared.required
            and declared.name not in trigger.inputs
            and declared.name != implied
        ):
            hint = f"Add `{declared.name}: …` to its inputs, or give the input a default."
            yield problem(
                draft,
                f"this trigger does not give the input {declared.name!r}",
                (*trigger.where, trigger.word),
                hint,
                key=True,
            )
