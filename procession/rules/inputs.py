"""Inputs: what they say about themselves goes together."""

import re
from collections.abc import Iterable
from typing import Any

from procession import times
from procession.errors import ReferenceProblem
from procession.model import InputDraft
from procession.rules.typed import Typed, World, problem
from procession.spelling import did_you_mean, one_of

ORDERED = ("int", "number", "date", "datetime", "duration")
WRITTEN_OUT = (*ORDERED, "text", "bool", "select", "list", "template")
_ONLY_WITH = {"of": ("record",), "options": ("select",), "min": ORDERED, "max": ORDERED, "pattern": ("text",), "default": WRITTEN_OUT}  # fmt: skip
_NEEDED = {"record": "of", "select": "options"}
_EXAMPLES = {"of": "activity", "options": "[low, high]"}


def input_value(type_: str, value: Any) -> Any:
    """A value that is written out, as its type has it.

    Raises:
        ValueError: it is none of that type; the message says what to write.
    """
    match type_:
        case "date":
            return times.parse_day(value)
        case "datetime":
            return times.parse_moment(value)
        case "duration":
            return times.parse_any_duration(value)
        case "list" if isinstance(value, list | tuple):
            return tuple(value)
        case "bool" if isinstance(value, bool):
            return value
        case "int" if type(value) is int:
            return value
        case "number" if type(value) in (int, float):
            return value
        case "text" | "select" | "template" if isinstance(value, str):
            return value
    raise ValueError(f"it must be {_CALLED[type_]}.")


_CALLED = {
    "list": "a list", "bool": "true or false", "int": "a whole number", "number": "a number", "text": "a text",
    "select": "a text", "template": "the name of a template",
}  # fmt: skip


def inputs_say_what_they_need(typed: Typed, _world: World) -> Iterable[ReferenceProblem]:
    for declared in typed.draft.inputs:
        if not declared.type:
            continue
        given = typed.draft.document.value["inputs"][declared.name]
        for key, types in _ONLY_WITH.items():
            if key in given and declared.type not in types:
                hint = f"It goes with {one_of(f'`type: {name}`' for name in types)}."
                yield problem(
                    typed.draft,
                    f"{key!r} means nothing for an input of type {declared.type!r}",
                    (*declared.where, key),
                    hint,
                    key=True,
                )
        needed = _NEEDED.get(declared.type)
        if needed and not given.get(needed):
            hint = f"Write `{needed}: {_EXAMPLES[needed]}`, for example."
            yield problem(
                typed.draft,
                f"an input of type {declared.type!r} needs {needed!r}",
                declared.where,
                hint,
                key=True,
            )


def input_values_fit(typed: Typed, world: World) -> Iterable[ReferenceProblem]:
    for declared in typed.draft.inputs:
        given = typed.draft.document.value["inputs"][declared.name]
        if not declared.type or declared.type not in WRITTEN_OUT:
            continue
        read: dict[str, Any] = {}
        for key in ("default", "min", "max"):
            if given.get(key) is not None and declared.type in _ONLY_WITH[key]:
                try:
                    read[key] = input_value(declared.type, given[key])
                except ValueError as error:
                    message, _, hint = str(error).partition(". ")
                    yield problem(
                        typed.draft, f"{key!r}: {message.rstrip('.')}", (*declared.where, key), hint, offset=0
                    )
        yield from _limits(typed, declared, read)
        yield from _choices(typed, declared, world)
        yield from _pattern(typed, declared)


def _limits(typed: Typed, declared: InputDraft, read: dict[str, Any]) -> Iterable[ReferenceProblem]:
    """Where the limits contradict each other, nothing is said about the default."""
    for low, high in (("min", "max"), ("min", "default"), ("default", "max")):
        if low not in read or high not in read or type(read[low]) is not type(read[high]):
            continue
        if read[low] > read[high]:
            key = "default" if "default" in (low, high) else "max"
            other = low if key == high else high
            side = "below" if other == "min" else "above"
            yield problem(
                typed.draft, f"{key!r} is {side} {other!r}", (*declared.where, key), "Change one of them.", offset=0
            )  # fmt: skip
            return


def _choices(typed: Typed, declared: InputDraft, world: World) -> Iterable[ReferenceProblem]:
    known = {"select": declared.options, "template": world.templates.names()}.get(declared.type)
    default = declared.default
    if known and isinstance(default, str) and default not in known:
        hint = did_you_mean(default, known) or f"There is {one_of(known)}."
        what = "options" if declared.type == "select" else "mail templates"
        yield problem(
            typed.draft,
            f"'default' is none of the {what}: {default!r}",
            (*declared.where, "default"),
            hint,
            offset=0,
        )


def _pattern(typed: Typed, declared: InputDraft) -> Iterable[ReferenceProblem]:
    if declared.type != "text" or not declared.pattern:
        return
    path = (*declared.where, "pattern")
    try:
        pattern = re.compile(declared.pattern)
    except (re.error, OverflowError) as error:
        yield problem(
            typed.draft, f"'pattern' cannot be read: {error}", path, "It is a regular expression.", offset=0
        )
        return
    if isinstance(declared.default, str) and not pattern.fullmatch(declared.default):
        yield problem(
            typed.draft,
            "'default' does not match 'pattern'",
            (*declared.where, "default"),
            "Change one of them.",
            offset=0,
        )
