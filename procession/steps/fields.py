"""The types of a shape's fields: what is plain data, what is a condition, and what a value must be.

A field that holds `{{ }}` is `Any` to pydantic, since its value is known only when the step runs;
`Wants` says which types make sense there, for the rules.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from procession.records import TypeName
from procession.steps.kind import LiteralMark
from procession.times import parse_duration


@dataclass(frozen=True, slots=True)
class Wants:
    """Marks a shape's field with the types its value may have; `any` always fits."""

    types: tuple[TypeName, ...]
    of: tuple[str, ...] = ()
    """Entities, where a record is meant; empty for any."""


def _readable(value: object) -> object:
    parse_duration(value)
    return value


Word = Annotated[str, LiteralMark()]
"""Plain text without `{{ }}`."""

FixedDuration = Annotated[str, LiteralMark(), BeforeValidator(_readable)]
"""A literal duration of fixed length, `60s`."""

TextValue = Annotated[Any, Wants(("text", "int", "number", "bool", "date", "datetime", "duration", "record"))]
"""Anything that can be written as text."""

RecordValue = Annotated[Any, Wants(("record",))]
ListValue = Annotated[Any, Wants(("list",))]
UserValue = Annotated[Any, Wants(("record",), of=("user",))]
MomentValue = Annotated[Any, Wants(("datetime", "date", "duration", "text"))]
PeopleValue = Annotated[Any, Wants(("record", "text", "list"), of=("contact", "user"))]
"""A contact, a user, an address, or a list of these."""

EntityName = Annotated[Word, Field(title="Entity", description="The kind of record, such as `contact`.")]
FieldValues = Annotated[
    dict[str, Any], Field(title="Values", description="The value of each field, by the field's name.")
]
ConnectedTo = Annotated[
    Any,
    Wants(("record", "list")),
    Field(
        title="Connected to",
        description="Contacts, accounts or opportunities that the activity is connected to: one or a list.",
    ),
]
