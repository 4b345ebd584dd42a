"""Names that authors give can be used: they are words, free, and hide nothing."""

import re
from collections.abc import Iterable

from procession.errors import ReferenceProblem
from procession.expressions.syntax import JINJAS_OWN
from procession.model import StepDraft, YamlPath
from procession.model.shapes import NAME
from procession.model.words import as_name
from procession.rules.typed import Typed, World, problem

_LANGUAGE = (
    "inputs", "trigger", "event", "record", "outputs", "vars", "process", "error", "true", "false", "none", "not",
    "and", "or", "in", "is", "if", "else", "True", "False", "None", "now",
)  # fmt: skip
_OF_MAILS = ("recipient", "sender", "language", "timezone")
TAKEN = frozenset((*_LANGUAGE, *JINJAS_OWN))


def names_can_be_used(typed: Typed, _world: World) -> Iterable[ReferenceProblem]:
    draft = typed.draft
    for declared in draft.inputs:
        yield from _usable(typed, declared.name, declared.where)
    for step in draft.every_step():
        yield from _given(typed, step)
        if step.each:
            yield from _loop_variable(typed, step)


def _usable(
    typed: Typed, name: str, path: YamlPath, taken: frozenset[str] = TAKEN
) -> Iterable[ReferenceProblem]:
    if not re.fullmatch(NAME, name):
        yield problem(typed.draft, f"{name!r} cannot be a name", path, as_name(name), key=True)
    elif name in taken:
        hint = f"Choose another, such as the_{name}."
        yield problem(typed.draft, f"the name {name!r} has a meaning of its own", path, hint, key=True)


def _given(typed: Typed, step: StepDraft) -> Iterable[ReferenceProblem]:
    """The names that a `set`, a `with` or the `args` of a call make up."""
    if step.kind is None:
        return
    word = step.kind.word
    if word == "set":
        for name in step.fields:
            yield from _usable(typed, name, (*step.where, "set", name), frozenset())
    for field, taken in (("with", TAKEN | {*_OF_MAILS}), ("args", frozenset[str]())):
        filled = step.fields.get(field)
        path = filled.leaves[0].path if filled and filled.leaves else ()
        if filled and isinstance(filled.value, dict):
            for name in filled.value:
                yield from _usable(typed, str(name), (*path, str(name)), taken)


def _loop_variable(typed: Typed, step: StepDraft) -> Iterable[ReferenceProblem]:
    """A loop variable must not hide an input, or the variable of a loop around it."""
    path = (*step.where, "for_each", "as")
    scope = typed.scopes[step.path].names
    if step.each in TAKEN:
        yield problem(
            typed.draft,
            f"the name {step.each!r} has a meaning of its own",
            path,
            "Choose another with 'as'.",
            offset=0,
        )
    elif step.each in scope:
        what = (
            "an input"
            if any(i.name == step.each for i in typed.draft.inputs)
            else "the item of a loop around this one"
        )
        yield problem(
            typed.draft,
            f"{step.each!r} is {what}, which this loop would hide",
            path,
            "Choose another name with 'as'.",
            offset=0,
        )
