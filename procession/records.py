"""Records as the engine sees them: plain frozen data, and the schema that names their fields.

A record is a snapshot read through the store port. Expressions and templates read its fields as
attributes (`meeting.contact.email`); they can reach nothing else, since a record has no public method.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from typing_extensions import override

from procession.errors import InputError

type_names = (
    "text", "int", "number", "bool", "date", "datetime", "duration", "record", "list", "any",
)  # fmt: skip
TypeName = Literal["text", "int", "number", "bool", "date", "datetime", "duration", "record", "list", "any"]


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a value. `of` is the entity of a record; `item` the type of a list's items."""

    name: TypeName
    of: str = ""
    item: "Type | None" = None

    @override
    def __str__(self) -> str:
        if self.name == "record":
            return f"record of {self.of}"
        return f"list of {self.item}" if self.name == "list" and self.item else self.name


TEXT, INT, NUMBER, BOOL = Type("text"), Type("int"), Type("number"), Type("bool")
DATE, DATETIME, DURATION, ANY = Type("date"), Type("datetime"), Type("duration"), Type("any")


def record_of(entity: str) -> Type:
    return Type("record", of=entity)


def list_of(item: Type) -> Type:
    return Type("list", item=item)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an entity. `options` are the values a choice allows; a field that is not
    `writable` is computed by the store (a contact's primary `email`, a task's `is_meeting`). One that is `fixed` is
    given when the record is made, by the store if nobody else does, and never changes."""

    type: Type
    title: str
    writable: bool = True
    fixed: bool = False
    required: bool = False
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entity:
    """A kind of record: `title` for people, fields by name. Every entity has an int field `id`."""

    name: str
    title: str
    fields: Mapping[str, Field]


@dataclass(frozen=True, slots=True)
class Schema:
    """What records there are. The application hands it in; rules check every name against it."""

    entities: Mapping[str, Entity] = field(default_factory=dict)

    def entity(self, name: str) -> Entity:
        return self.entities[name]

    def field(self, entity: str, name: str) -> Field | None:
        known = self.entities.get(entity)
        return known.fields.get(name) if known else None


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """The address of a record; written `contact:17` on the command line and in the journal."""

    entity: str
    id: int

    @override
    def __str__(self) -> str:
        return f"{self.entity}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `entity:id`.

        Raises:
            InputError: the text has another form.
        """
        entity, _, number = text.partition(":")
        if not entity or not number.isascii() or not number.isdigit():
            example = f"{entity}:17" if entity and number else "contact:17"
            raise InputError(f"{text!r} does not name a record", hint=f"Write it as {example}.")
        return cls(entity, int(number))


class Record:
    """A frozen snapshot of one record; its fields are attributes, a referenced record is nested.

    Two records are equal if they are the same record, whatever was read of them.
    """

    __slots__ = ("_fields", "_ref")

    def __init__(self, ref: Ref, fields: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_ref", ref)
        object.__setattr__(self, "_fields", {**fields, "id": ref.id})

    def __getattr__(self, name: str) -> Any:
        try:
            return read_field(self, name)
        except KeyError:
            raise AttributeError(f"{self!r} has no field {name!r}") from None

    @override
    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a record is a snapshot and cannot be changed")

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and ref_of(self) == ref_of(other)

    @override
    def __hash__(self) -> int:
        return hash(ref_of(self))

    @override
    def __repr__(self) -> str:
        return f"<{ref_of(self)}>"

    @override
    def __str__(self) -> str:
        there = fields_of(self)
        read = (read_field(self, name) for name in ("name", "subject", "title") if name in there)
        return str(next(filter(None, read), None) or ref_of(self))

    @override
    def __reduce__(self) -> tuple[type["Record"], tuple[Ref, Mapping[str, Any]]]:
        return Record, (ref_of(self), fields_of(self))


def ref_of(record: Record) -> Ref:
    ref: Ref = object.__getattribute__(record, "_ref")
    return ref


def fields_of(record: Record) -> Mapping[str, Any]:
    """`{field: value}`; a value is text, number, bool, date, aware datetime, timedelta, None,
    a nested `Record` or a tuple of these."""
    fields: Mapping[str, Any] = object.__getattribute__(record, "_fields")
    return fields


Touched = dict[tuple[Ref, str], Any]
"""`{(record, field): value}`."""

_TOUCHED: ContextVar[Touched | None] = ContextVar("_TOUCHED", default=None)


@contextmanager
def touching() -> Iterator[Touched]:
    """The fields of records that are read while the block runs. What was computed there changes only if one of them does."""
    touched: Touched = {}
    token = _TOUCHED.set(touched)
    try:
        yield touched
    finally:
        _TOUCHED.reset(token)


def read_field(record: Record, name: str) -> Any:
    """The one way to a field by its name: an expression that reads one otherwise would not be told that it changed.

    Raises:
        KeyError: there is none of that name.
    """
    value = fields_of(record)[name]
    if (touched := _TOUCHED.get()) is not None:
        touched[ref_of(record), name] = value
    return value


Paths = frozenset[tuple[str, ...]]
"""Which references to follow when reading: `{("contact",), ("opportunity", "account")}`. A prefix is implied."""
