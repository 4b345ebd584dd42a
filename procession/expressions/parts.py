"""The words of this package: expressions and texts as they stand in a plan, and what checking one gives.

A YAML value becomes a `Fillable`: `split` cuts a text at its `{{ }}`, the compiler makes an
`Expression` (the whole text is one `{{ }}`: the value keeps its type) or a `Text` (mixed: always text).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from procession.errors import Place
from procession.records import Schema, Type
from procession.values import BusinessDays


@dataclass(frozen=True, slots=True)
class Expression:
    """One expression without its braces; `at` is where its first character stands."""

    source: str
    at: Place


@dataclass(frozen=True, slots=True)
class Text:
    """Literal text and expressions in turn; filling it always gives text."""

    parts: tuple["str | Expression", ...]


@dataclass(frozen=True, slots=True)
class Deferred:
    """What `fill` hands to the step as it is: the conditions of a `choose`, which are worked out in turn, since one
    branch may guard the next."""

    expression: Expression | Text


Fillable = (
    None | bool | int | float | str | date | datetime | timedelta | BusinessDays | Expression | Text | Deferred
    | Mapping[str, "Fillable"] | tuple["Fillable", ...]
)  # fmt: skip
"""A value of a step's field before its expressions are worked out."""

Names = Mapping[str, "Type | Names"]
"""What a scope knows: the type of each name, or of the names below it (`inputs.`, `outputs.<step>.`)."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The names an expression may use, and the schema that knows the fields of records."""

    names: Names
    schema: Schema


FindingKind = Literal["mistake", "missing"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake: what is wrong, at which character of the source (from 0), and what to do about it.

    One that is `missing` is a `name` that is not there: in its `group` (`outputs`, `vars`), or among the names
    of the scope, inputs included, if that is empty.
    """

    message: str
    offset: int
    hint: str = ""
    kind: FindingKind = "mistake"
    name: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """What is known of an expression without running it. `reads` are the references it follows, each a
    path from a root name: `("meeting", "contact")`; `inputs.meeting` counts as `meeting`."""

    type: Type
    reads: frozenset[tuple[str, ...]] = frozenset()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """One `{{ }}` of a text: what is inside, and where its first character stands in the text (from 0).
    `problem` says why it cannot be used, `hint` what to do."""

    source: str
    offset: int
    problem: str = ""
    hint: str = ""


_OPENING = re.compile(r"\{\{|\{%|\{#")
_INSIDE = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|(?P<end>\}\})", re.DOTALL)


def split(text: str) -> tuple[str | Span, ...]:
    """Cut a text at its `{{ }}`. Braces inside quotes do not end an expression.

    An unclosed `{{`, an empty one, `{%` and `{#` give a span with its `problem` set.
    """
    parts: list[str | Span] = []
    position = 0
    while opening := _OPENING.search(text, position):
        if opening.start() > position:
            parts.append(text[position : opening.start()])
        span, position = _span(text, opening)
        parts.append(span)
    if position < len(text):
        parts.append(text[position:])
    return tuple(parts)


def _span(text: str, opening: re.Match[str]) -> tuple[Span, int]:
    start = opening.start()
    if opening.group() != "{{":
        problem = f"'{opening.group()}' has no meaning here"
        hint = "Only {{ … }} is filled in; statements and comments belong in mail templates."
        return Span(text[start:], start, problem, hint), len(text)
    end = next((found.start() for found in _INSIDE.finditer(text, opening.end()) if found["end"]), -1)
    if end < 0:
        problem = "'{{' is not closed"
        return Span(text[opening.end() :], start, problem, "Close it with '}}'."), len(text)
    inside = text[opening.end() : end]
    source = inside.strip()
    if not source:
        return Span(
            "", start, "there is nothing between '{{' and '}}'", "Name a value, or remove it."
        ), end + 2
    offset = opening.end() + inside.index(source[0])
    if inside.startswith("-") or inside.endswith("-"):
        problem = "'{{-' and '-}}' have no meaning here"
        return Span(source, offset, problem, "Write '{{ … }}' without the minus signs."), end + 2
    return Span(source, offset), end + 2
