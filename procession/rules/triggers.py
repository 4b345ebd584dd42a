"""Triggers give the process its inputs."""

from collections.abc import Iterable

from procession.errors import ReferenceProblem
from procession.model import Draft, InputDraft, TriggerDraft, YamlPath
from procession.records import Type
from procession.rules.fitting import fits
from procession.rules.inputs import WRITTEN_OUT, input_value
from procession.rules.missing import misspelt_declaration
from procession.rules.naming import input_types
from procession.rules.typed import Typed, TypedLeaf, World, problem
from procession.rules.wanted import CALLED, called
from procession.spelling import closest, did_you_mean, one_of


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
    types, declared = input_types(draft, world.schema), {one.name: one for one in draft.inputs}
    for trigger in draft.triggers:
        for name, filled in trigger.inputs.items():
            path = (*trigger.where, "inputs", name)
            if name not in types:
                yield misspelt_declaration(typed, name) or _no_input(draft, name, path)
            elif filled.leaves:
                yield from _right_type(typed, trigger, declared[name], types[name])
        yield from _missing(draft, trigger, world)


def _no_input(draft: Draft, name: str, path: YamlPath) -> ReferenceProblem:
    known = [declared.name for declared in draft.inputs]
    hint = did_you_mean(name, known) or (f"It has {one_of(known)}." if known else "It has no inputs.")
    return problem(draft, f"the process has no input {name!r}", path, hint, key=True)


def _right_type(
    typed: Typed, trigger: TriggerDraft, declared: InputDraft, wanted: Type
) -> Iterable[ReferenceProblem]:
    path = (*trigger.where, "inputs", declared.name)
    value = next(found for found in typed.leaves if found.owner is trigger and found.leaf.path == path)
    if not value.leaf.spans and declared.type in WRITTEN_OUT:
        yield from _written_out(typed, declared, path)
    elif not _goes_in(wanted, value.type):
        offset = value.leaf.spans[0][1] if value.leaf.spans else 0
        what = f"a record ({wanted.of})" if wanted.name == "record" else CALLED[wanted.name]
        message = f"the input {declared.name!r} is {what}, not {called(value)}"
        yield problem(typed.draft, message, path, _hint(wanted, value), offset=offset)


def _goes_in(wanted: Type, given: Type) -> bool:
    """Whether a value is of an input's type as it is: inputs are not converted."""
    if wanted.name == "record" or "any" in (wanted.name, given.name):
        return fits(wanted, given)
    return given.name == wanted.name or (wanted.name, given.name) == ("number", "int")


def _written_out(typed: Typed, declared: InputDraft, path: YamlPath) -> Iterable[ReferenceProblem]:
    raw = typed.draft.document.value
    for segment in path:
        raw = raw[segment]
    try:
        value = input_value(declared.type, raw)
    except ValueError as error:
        message, _, hint = str(error).partition(". ")
        yield problem(
            typed.draft, f"the input {declared.name!r}: {message.rstrip('.')}", path, hint, offset=0
        )
        return
    if declared.options and value not in declared.options:
        hint = did_you_mean(str(value), declared.options) or f"It can be {one_of(declared.options)}."
        yield problem(typed.draft, f"the input {declared.name!r} cannot be {value!r}", path, hint, offset=0)


def _hint(wanted: Type, value: TypedLeaf) -> str:
    if isinstance(value.leaf.value, str) and value.leaf.value.split(".")[0] in value.scope.names:
        return f'Write "{{{{ {value.leaf.value} }}}}".'
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
    """The inputs that a trigger leaves without a value. Nothing is said where a misspelt kind of record may be why."""
    entities = world.schema.entities
    unclear = any(not i.type or (i.of and i.of not in entities) for i in draft.inputs)
    if unclear or (trigger.entity and trigger.entity not in entities):
        return
    implied = implied_input(draft, trigger)
    if trigger.word == "manual":
        if trigger.entity and not implied:
            message = f"no input takes the {trigger.entity} that the process is started on"
            hint = f"Declare one required input `{{type: record, of: {trigger.entity}}}`."
            yield problem(draft, message, (*trigger.where, "manual", "on"), hint, offset=0)
        return
    misspelt = [name for name in trigger.inputs if name not in {i.name for i in draft.inputs}]
    for declared in draft.inputs:
        name = declared.name
        if (
            declared.required
            and name not in trigger.inputs
            and name != implied
            and not closest(name, misspelt)
        ):
            hint = f"Add `{name}: …` to its inputs, or give the input a default."
            message = f"this trigger does not give the input {name!r}"
            yield problem(draft, message, (*trigger.where, trigger.word), hint, key=True)
