"""What is waited for can be found: its records and fields are known, and something says which record is meant."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from procession import times
from procession.correlation import NAMES, usable
from procession.errors import ReferenceProblem
from procession.expressions import Expression, compares
from procession.model import StepDraft, YamlPath
from procession.rules.naming import input_types
from procession.rules.typed import Typed, World, problem
from procession.spelling import did_you_mean, one_of


def events_are_known(typed: Typed, world: World) -> Iterable[ReferenceProblem]:
    for _step, source, path in _sources(typed):
        word = "record" if source.record else "about"
        name = source.record or source.about
        entity = world.schema.entities.get(name)
        if name and entity is None:
            known = list(world.schema.entities)
            hint = did_you_mean(name, known) or f"It can be {one_of(known)}."
            yield problem(typed.draft, f"there is no kind of record {name!r}", (*path, word), hint, offset=0)
        for number, field in enumerate(source.changed):
            if entity and field not in entity.fields:
                hint = did_you_mean(field, entity.fields) or f"It has {one_of(sorted(entity.fields))}."
                yield problem(
                    typed.draft, f"{name} has no field {field!r}", (*path, "changed", number), hint, offset=0
                )
        if source.changed and "modified" not in source.events:
            hint = "Add 'modified' to its events, or remove 'changed'."
            yield problem(
                typed.draft, "'changed' says nothing without 'modified'", (*path, "changed"), hint, key=True
            )


def events_can_be_found(typed: Typed, world: World) -> Iterable[ReferenceProblem]:
    """One equality of `match` with something of the process; or the one record of that kind that it is about."""
    own = [type_.of for type_ in input_types(typed.draft, world.schema).values() if type_.name == "record"]
    for step, source, path in _sources(typed):
        entity = source.record or source.about
        if (
            source.until is not None
            or source.of
            or source.signal
            or (entity and entity not in world.schema.entities)
        ):
            continue
        match = _match(step, path)
        is_found = bool(source.match) if match is None else usable(match, entity, world.schema) is not None
        is_own = (own.count(entity) == 1 if entity else own) and not (match and compares(match.source, NAMES))
        if is_found or is_own:
            continue
        hint = _hint(source, own, entity)
        which = "message" if source.message else entity
        yield problem(
            typed.draft,
            f"it does not say which {which} is meant",
            (*path, "record" if source.record else "message"),
            hint,
            key=True,
        )


def _hint(source: Any, own: list[str], entity: str) -> str:
    example = (
        "record.contact == …" if source.record else "event.data.number == …" if not own else "record == …"
    )
    if entity and own.count(entity) == 1:
        example = "record == …"
    several = (
        f"The process is about {own.count(entity)} records of that kind. " if own.count(entity) > 1 else ""
    )
    return f"{several}Add `match: {example}`, or `of: any`."


def _match(step: StepDraft, path: YamlPath) -> Expression | None:
    """None if there is none, or if it could not be read, which was said already."""
    leaf = next((one for one in step.leaves() if one.path == (*path, "match")), None)
    return leaf.value if leaf and isinstance(leaf.value, Expression) else None


def _sources(typed: Typed) -> Iterator[tuple[StepDraft, Any, YamlPath]]:
    """(step, source, where it stands)."""
    for step in typed.draft.every_step():
        if step.kind and step.kind.word == "wait_for" and step.shape is not None:
            base = (*step.where, "wait_for")
            is_list = isinstance(_at(typed, base), list)
            for number, source in enumerate(step.shape.wait_for):
                yield step, source, (*base, number) if is_list else base


def _at(typed: Typed, path: YamlPath) -> Any:
    value: Any = typed.draft.document.value
    for segment in path:
        value = value[segment]
    return value


def timeouts_can_be_read(typed: Typed, _world: World) -> Iterable[ReferenceProblem]:
    for step in typed.draft.every_step():
        text = step.timeout.value if step.timeout else None
        if not isinstance(text, str):
            continue
        try:
            span = times.parse_any_duration(text)
        except ValueError as error:
            message, _, hint = str(error).partition(". ")
            yield problem(typed.draft, message, (*step.where, "timeout"), hint, offset=0)
        else:
            if span <= timedelta(0) if isinstance(span, timedelta) else span.days <= 0:
                yield problem(
                    typed.draft,
                    "'timeout' must be longer than nothing",
                    (*step.where, "timeout"),
                    "Write 1 hour.",
                    offset=0,
                )
