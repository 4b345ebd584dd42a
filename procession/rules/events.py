"""What is waited for can be found: its records and fields are known, and something says which record is meant."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from procession import times
from procession.correlation import NAMES, usable
from procession.errors import ReferenceProblem
from procession.expressions import Expression, compares
from procession.expressions.seen import paths_in
from procession.model import StepDraft, YamlPath
from procession.rules.naming import input_types
from procession.rules.typed import Typed, World, problem
from procession.spelling import did_you_mean, one_of


def names_are_written_out(typed: Typed, _world: World) -> Iterable[ReferenceProblem]:
    """Of messages and signals: whoever waits for one says the same name as whoever sends it."""
    for name, path in _names(typed):
        if "{{" in name:
            hint = "Nothing is filled in here. Give what varies as 'data', and compare it in 'match' or 'if'."
            yield problem(typed.draft, f"{name!r} is taken as it stands", path, hint, offset=0)


def _names(typed: Typed) -> Iterator[tuple[str, YamlPath]]:
    for trigger in typed.draft.triggers:
        if trigger.name:
            yield trigger.name, (*trigger.where, trigger.word)
    for _step, source, path in _sources(typed):
        yield from ((getattr(source, word), (*path, word)) for word in ("message", "signal"))
    for step in typed.draft.every_step():
        if step.kind and step.kind.word in ("send_message", "throw_signal") and step.shape:
            base = (*step.where, step.kind.word)
            yield step.shape.name, (*base, "name") if isinstance(_at(typed, base), dict) else base


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
    """One equality of `match` with something of the process; or the one record of that kind that it is about. Nothing is said
    where a mistake that was told already may be why."""
    own = {
        name: type_.of
        for name, type_ in input_types(typed.draft, world.schema).items()
        if type_.name == "record"
    }
    for step, source, path in _sources(typed):
        entity = source.record or source.about
        match = _match(typed, step, path)
        if (
            source.until is None
            and (not entity or entity in world.schema.entities)
            and (match or not source.match)
        ):
            yield from _unfindable(typed, source, path, match, own, world)


def _unfindable(
    typed: Typed, source: Any, path: YamlPath, match: Expression | None, own: Mapping[str, str], world: World
) -> Iterable[ReferenceProblem]:
    entity = source.record or source.about
    equality = usable(match, entity, world.schema, has_data=not source.record)
    of_that_kind = [*own.values()].count(entity)
    is_own = equality is None and not source.of and (of_that_kind == 1 if entity else bool(own))
    by_itself = (
        equality and equality.path in ("record", "record.id") and equality.other.partition(".")[0] in own
    )
    if source.record and match and "data" in _read_of_event(match):
        hint = "Data come with a 'message' or a 'signal'; write `record.…`."
        yield problem(typed.draft, "a saved record brings no data", (*path, "match"), hint, offset=0)
    elif "deleted" in source.events and (is_own or by_itself):
        hint = "Let a process of its own begin then: `triggers: [{record: …, events: [deleted]}]`."
        message = f"an instance ends when the {entity} that it is about is deleted"
        yield problem(typed.draft, message, (*path, "events"), hint, key=True)
    elif source.of or source.signal or equality:
        return
    elif not is_own or (match and compares(match.source, NAMES)):
        message = f"it does not say which {'message' if source.message else entity} is meant"
        where = (*path, "record" if source.record else "message")
        yield problem(typed.draft, message, where, _hint(source, [*own.values()], entity), key=True)
    elif "added" in source.events:
        hint = "Say which others are meant: `match: record.contact == …`, or `of: any`."
        message = f"the {entity} that the process is about was added before"
        yield problem(typed.draft, message, (*path, "events"), hint, key=True)


def _read_of_event(match: Expression) -> set[str]:
    return {
        path.partition(".")[2].partition(".")[0]
        for path in paths_in(match.source)
        if path.startswith("event.")
    }


def _hint(source: Any, own: list[str], entity: str) -> str:
    example = (
        "record.contact == …" if source.record else "event.data.number == …" if not own else "record == …"
    )
    if entity and own.count(entity) == 1 and "added" not in source.events:
        example = "record == …"
    several = (
        f"The process is about {own.count(entity)} records of that kind. " if own.count(entity) > 1 else ""
    )
    return f"{several}Add `match: {example}`, or `of: any`."


def _match(typed: Typed, step: StepDraft, path: YamlPath) -> Expression | None:
    """None if there is none, or if something is wrong with it, which was said already."""
    leaf = next((one for one in step.leaves() if one.path == (*path, "match")), None)
    if leaf is None or not isinstance(leaf.value, Expression) or typed.at(step, leaf).checks[0].findings:
        return None
    return leaf.value


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
