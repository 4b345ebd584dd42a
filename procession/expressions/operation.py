"""What a filter, function or test is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from procession.expressions.known import Gives
from procession.records import TypeName

TextLike: tuple[TypeName, ...] = ("text", "record")
"""A record where text is needed gives its name."""


@dataclass(frozen=True, slots=True)
class Operation:
    """`run(context, value, **arguments)`; a function's `value` is None.

    `takes` are the types it can be applied to (none named: all); `wants` those of its arguments.
    `readers` read an argument that is written out, so that a slip in it is found by the check. With
    `attribute`, that argument is the path of a field of the list's items; with `any_names`, each
    argument is named after a field of them. What `asks_the_time` gives something else a moment later.
    """

    name: str
    run: Callable[..., Any]
    gives: Gives
    doc: str
    example: str
    takes: tuple[TypeName, ...] = ()
    arguments: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    wants: Mapping[str, tuple[TypeName, ...]] = field(default_factory=dict)
    readers: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    attribute: str = ""
    any_names: bool = False
    asks_the_time: bool = False
