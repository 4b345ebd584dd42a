"""Values below a shape → `Filled`: texts are cut at their `{{ }}`, conditions become expressions."""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from procession.expressions import Deferred, Expression, Fillable, Span, Text, split
from procession.model.draft import Filled, Leaf, YamlPath
from procession.model.problems import Locate, Problems, model_below
from procession.steps.fields import Wants
from procession.steps.kind import ConditionMark, InTurnMark, LiteralMark, StepsMark

Role = Literal["steps", "condition", "literal", "entries", "value"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a shape, by its key in YAML. `entries` of that shape are a list below it, or one alone. What is `in_turn` the
    step works out by itself, one entry after another."""

    key: str
    role: Role
    wants: Wants | None = None
    entries: type[BaseModel] | None = None
    in_turn: bool = False


@functools.cache
def fields_of(shape: type[BaseModel]) -> tuple[Field, ...]:
    """The fields of a shape and how each is read."""
    return tuple(_field(shape, info.alias or name, info) for name, info in shape.model_fields.items())


def _field(shape: type[BaseModel], key: str, info: FieldInfo) -> Field:
    marks = {type(mark) for mark in _marks(info)}
    wants = next((mark for mark in info.metadata if isinstance(mark, Wants)), None)
    entries = model_below(shape, key)
    if StepsMark in marks:
        return Field(key, "steps")
    if ConditionMark in marks:
        return Field(key, "condition", in_turn=True)
    if LiteralMark in marks:
        return Field(key, "literal")
    return (
        Field(key, "entries", entries=entries)
        if entries
        else Field(key, "value", wants, in_turn=InTurnMark in marks)
    )


def _marks(info: FieldInfo) -> Iterator[object]:
    """The marks of a field, and those of the parts of its union."""
    yield from info.metadata
    for part in getattr(info.annotation, "__args__", ()):
        yield from getattr(part, "__metadata__", ())


@dataclass(frozen=True, slots=True)
class Slot:
    """Nested steps that were found below a shape, not yet read."""

    name: str
    steps: list[Any]
    where: YamlPath


def fill(
    shape: type[BaseModel], value: Mapping[str, Any], locate: Locate, problems: Problems
) -> tuple[dict[str, Filled], list[Slot]]:
    """The fields of `value` by key, and the slots of steps in it. What has the wrong type is left out:
    `check_shape` has said so."""
    filled: dict[str, Filled] = {}
    slots: list[Slot] = []
    known = {field.key: field for field in fields_of(shape)}
    free = shape.model_config.get("extra") == "allow"
    for key, given in value.items():
        field = known.get(key, Field(key, "value") if free else None)
        if field is None:
            continue
        path = locate((key,))
        if field.role == "steps" and isinstance(given, list):
            slots.append(Slot(key, given, path))
        elif field.role == "entries" and field.entries and isinstance(given, list | dict):
            alone = [(path, given)] if isinstance(given, dict) else []
            several = [((*path, index), entry) for index, entry in enumerate(given)]
            filled[key] = _entries(field, alone or several, problems, slots)
        else:
            filled[key] = _one(field, given, path, problems)
    return filled, slots


def _entries(
    field: Field, given: list[tuple[YamlPath, Any]], problems: Problems, slots: list[Slot]
) -> Filled:
    """A list of shapes, such as `branches`; their steps become the slots `branches/1`, `branches/2`, …"""
    values: list[Fillable] = []
    leaves: list[Leaf] = []
    for number, (path, entry) in enumerate(given, start=1):
        if field.entries is None or not isinstance(entry, dict):
            continue
        inside, nested = fill(field.entries, entry, functools.partial(_join, path), problems)
        slots.extend(Slot(f"{field.key}/{number}", slot.steps, slot.where) for slot in nested)
        in_turn = {known.key for known in fields_of(field.entries) if known.in_turn}
        has_steps = {slot.name: True for slot in nested}
        values.append(
            has_steps | {k: _in_turn(f.value) if k in in_turn else f.value for k, f in inside.items()}
        )
        leaves.extend(leaf for filled in inside.values() for leaf in filled.leaves)
    return Filled(tuple(values), tuple(leaves))


def _in_turn(value: Fillable) -> Fillable:
    """The step works these out by itself, one entry after another."""
    return Deferred(value) if isinstance(value, Expression | Text) else value


def _join(base: YamlPath, path: YamlPath) -> YamlPath:
    return (*base, *path)


def _one(field: Field, given: Any, path: YamlPath, problems: Problems) -> Filled:
    if field.role == "condition":
        leaf = condition(given, path, problems)
        return Filled(leaf.value, (leaf,)) if leaf else Filled()
    if field.role == "literal":
        return Filled(tuple(given) if isinstance(given, list) else given)
    if given is None and field.wants:
        problems.add(f"{field.key!r} has no value", path, "Give it one, or remove the key.", key=True)
        return Filled()
    return value(given, path, problems, field.wants)


def value(given: Any, path: YamlPath, problems: Problems, wants: Wants | None = None) -> Filled:
    """Any YAML value with the `{{ }}` in its texts."""
    match given:
        case str():
            leaf = _text(given, path, problems, wants)
            return Filled(leaf.value, (leaf,))
        case list():
            each = _of_items(wants)
            items = [value(item, (*path, number), problems, each) for number, item in enumerate(given)]
            own = Leaf(path, tuple(item.value for item in items), wants=wants)
            return Filled(own.value, (own, *(leaf for item in items for leaf in item.leaves)))
        case dict():
            named = {key: value(item, (*path, key), problems) for key, item in given.items()}
            filled: Fillable = {key: item.value for key, item in named.items()}
            return Filled(
                filled,
                (Leaf(path, filled, wants=wants), *(leaf for item in named.values() for leaf in item.leaves)),
            )
    return Filled(given, (Leaf(path, given, wants=wants),))


def _of_items(wants: Wants | None) -> Wants | None:
    """What the items of a list may be, where the field wants one of these or a list of them."""
    kinds = tuple(kind for kind in wants.types if kind != "list") if wants else ()
    return Wants(kinds, wants.of) if wants and kinds else None


def _text(given: str, path: YamlPath, problems: Problems, wants: Wants | None) -> Leaf:
    """A text that is one `{{ }}` and nothing but blanks is an expression: its value keeps its type."""
    parts: list[str | Expression] = []
    spans: list[tuple[Expression, int]] = []
    for part in split(given):
        if isinstance(part, Span):
            if part.problem:
                problems.add(part.problem, path, part.hint, offset=part.offset)
                return Leaf(path, None)
            at = problems.document.place(path, offset=part.offset)
            spans.append((Expression(part.source, at), part.offset))
            parts.append(spans[-1][0])
        else:
            parts.append(part)
    if not spans:
        return Leaf(path, given, wants=wants)
    alone = len(spans) == 1 and all(isinstance(part, Expression) or not part.strip() for part in parts)
    return Leaf(path, spans[0][0] if alone else Text(tuple(parts)), tuple(spans), wants)


def condition(given: Any, path: YamlPath, problems: Problems) -> Leaf | None:
    """A bare expression; None if it is none."""
    if not isinstance(given, str):
        return None
    source = given.strip()
    offset = len(given) - len(given.lstrip())
    if not source:
        problems.add("the condition is empty", path, "Write one, or remove the key.", key=True)
        return None
    if source.startswith("{{") and source.endswith("}}"):
        bare = source[2:-2].strip()
        problems.add(
            "a condition is written without '{{' and '}}'",
            path,
            f"Write `{path[-1]}: {bare}`.",
            offset=offset,
        )
        return None
    expression = Expression(source, problems.document.place(path, offset=offset))
    return Leaf(path, expression, ((expression, offset),))
