"""What the check knows of a value before there is one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from procession.expressions.parts import Names
from procession.records import ANY, Type

Origin = tuple[tuple[str, ...], tuple[str, ...]]
"""Where a record comes from: a name (`("meeting",)`), and the references followed from there (`("contact",)`)."""


class NotLiteral:
    """Stands for "not written out in the expression"."""


@dataclass(frozen=True, slots=True)
class Known:
    """A value's type; for records, where they come from; for a name such as `inputs`, what is below it;
    for a value that is written out, that value; for a field of choices, those choices and its name."""

    type: Type = ANY
    origins: frozenset[Origin] = frozenset()
    names: Names | None = None
    literal: Any = NotLiteral
    options: tuple[str, ...] = ()
    field: str = ""

    @property
    def item(self) -> "Known":
        """An item of the list."""
        return replace(self, type=self.type.item or ANY, literal=NotLiteral)


UNKNOWN = Known()
Gives = Callable[[Known, Mapping[str, Known]], Known]
"""(what it is applied to, its arguments by name) → what comes out."""


def gives(type_: Type) -> Gives:
    """Always the same type."""
    return lambda _value, _args: Known(type_)


def same(value: Known, _args: Mapping[str, Known]) -> Known:
    return replace(value, literal=NotLiteral, options=(), field="")


def item(value: Known, _args: Mapping[str, Known]) -> Known:
    return value.item


def either(*values: Known) -> Known:
    """What is one of these: their common type, all their origins."""
    types = {value.type for value in values if value.literal is not None}
    origins = frozenset[Origin]().union(*(value.origins for value in values))
    if len(types) == 1:
        return Known(types.pop(), origins)
    if {type_.name for type_ in types} == {"int", "number"}:
        return Known(Type("number"))
    return Known(ANY, origins)
